"""Metrics of labelled rows, held against those of the champion's holdout."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from flows.config.detection.performance import Performance as Limits
from flows.detection.performance.pulls import KINDS, Kind
from flows.detection.performance.records import Measure, known
from flows.detection.performance.scales import Point, Scale, change, interval, point, presumed
from flows.detection.performance.spread import Floats
from flows.stats.multiplicity import adjust
from registry.records.version import Task

RANKING = ("auc", "pr_auc")
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Baseline:
    """
    What the champion was worth when it was made.

    Attributes:
        values: Metrics of its holdout, by name, as stored with the version.
        rows: How many rows the holdout had; None where nobody knows.
        points: Metrics with their errors of those rows of the holdout that are at hand; stored values go
            before theirs, but for the calibration error, which is stored with what noise added to it.
    """

    values: Mapping[str, float]
    rows: int | None = None
    points: Mapping[str, Point] | None = None

    def of(self, name: str, scale: Scale, now: Point) -> Point | None:
        """One metric with its error, which is 0 where nothing is known of it."""
        value, kept = self.values.get(name), (self.points or {}).get(name)
        if value is None or not math.isfinite(value) or (kept is not None and name == "calibration"):
            return kept
        return presumed(scale, value, self.rows, now) if kept is None else kept._replace(value=value)


def points_of(task: Task, labels: Floats, scores: Floats, *, ordered: bool, least: int) -> dict[str, Point]:
    """
    All metrics that are defined on these rows, with their errors.

    Args:
        labels, scores: Shape (n,); no NaN.
        least: Rows of each class that ranking metrics need.
    """
    few = task == "binary" and min(labels.sum(), labels.size - labels.sum()) < least
    kinds = {name: kind for name, kind in KINDS[task].items() if not (few and name in RANKING)}
    found = {name: point_of(kind, labels, scores, ordered=ordered) for name, kind in kinds.items()}
    return {name: one for name, one in found.items() if one is not None}


def point_of(kind: Kind, labels: Floats, scores: Floats, *, ordered: bool) -> Point | None:
    """One metric with its error; None where it is not defined, or no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        pulled = kind.measure(labels, scores)
        if pulled is None or not math.isfinite(pulled.value):
            return None
        found = point(pulled.value, pulled.pulls, ordered=ordered, freed=pulled.freed, noise=pulled.noise)
    return found if not math.isnan(found.error) else None


def against(name: str, kind: Kind, now: Point, baseline: Baseline, limits: Limits) -> Measure:
    """One metric with its interval, and its change from the baseline; not yet judged."""
    low, high = interval(kind.scale, now, limits.confidence)
    measure = Measure(
        name=name,
        value=known(now.value),
        low=known(max(low, 0.0) if name == "calibration" else low),
        high=known(high),
        n=now.n,
        effective=known(now.effective),
    )
    before = baseline.of(name, kind.scale, now)
    if before is None:
        return msgspec.structs.replace(measure, said="no baseline is stored")
    unjudged = _unjudged(name, kind, before.value)
    if unjudged:
        return msgspec.structs.replace(measure, baseline=before.value, said=unjudged)
    return _moved(measure, kind, now, before, limits)


def _moved(measure: Measure, kind: Kind, now: Point, before: Point, limits: Limits) -> Measure:
    moved = change(kind.scale, now, before, limits.confidence)
    unit = abs(before.value) if kind.relative else 1.0
    few = now.effective < limits.min_effective
    exact = "" if before.error > 0 else "the baseline's own error is not known; it counts as exact"
    return msgspec.structs.replace(
        measure,
        baseline=before.value,
        change=known((now.value - before.value) / unit),
        change_low=known((moved.low - before.value) / unit),
        change_high=known((moved.high - before.value) / unit),
        p=None if few else min(max(moved.p_lower if kind.higher else moved.p_higher, 0.0), 1.0),
        said=f"its rows say as much as {now.effective:.0f} independent ones: too few for a call" if few else exact,
    )


def judge(
    measures: list[Measure], thresholds: Mapping[str, float], higher: Mapping[str, bool], level: float
) -> list[Measure]:
    """
    Call those degraded that are surely worse and by more than their threshold.

    Args:
        measures: With plain p-values, which are replaced by adjusted ones.
        thresholds: Change for the worse that matters, by metric; above 0.
        higher: Whether more is better, by metric.
        level: Chance of any false call among all of them.

    Source:
        Holm (1979), Scand. J. Stat. 6:65-70.
    """
    logs = {one.name: math.log(max(one.p, 1e-300)) for one in measures if one.p is not None and one.name in thresholds}
    adjusted = adjust(logs, method="holm", alpha=level) if logs else {}
    judged = []
    for one in measures:
        if one.name not in adjusted or one.change is None:
            judged.append(one)
            continue
        p = min(adjusted[one.name].p_value, 1.0)
        worse = -one.change if higher[one.name] else one.change
        judged.append(msgspec.structs.replace(one, p=p, degraded=p <= level and worse > thresholds[one.name]))
    return _r2_with_error(judged)


def thresholds_of(limits: Limits, task: Task) -> dict[str, float]:
    """Change for the worse that matters, by metric."""
    ends = {name: f"{name}_{'drop' if kind.higher else 'increase'}" for name, kind in KINDS[task].items()}
    return {name: float(getattr(limits, option)) for name, option in ends.items()}


def _unjudged(name: str, kind: Kind, baseline: float) -> str:
    if kind.relative and abs(baseline) < _TINY:
        return "the baseline leaves nothing to be relative to"
    return "an R2 of 0 or less is no baseline to fall from" if name == "r2" and baseline <= 0 else ""


def _r2_with_error(measures: list[Measure]) -> list[Measure]:
    """R2 also falls when labels spread less; that alone is no degradation."""
    rmse = next((one for one in measures if one.name == "rmse"), None)
    if rmse is None or rmse.change is None or rmse.change > 0:
        return measures
    calm = "R2 fell because labels spread less: the error itself did not rise"
    return [
        msgspec.structs.replace(one, degraded=False, said=calm) if one.name == "r2" and one.degraded else one
        for one in measures
    ]
