"""Which test belongs to which metric, when both models scored the same rows."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from flows.comparison.classes import several, top_label
from flows.comparison.margins import champion_factor, with_margin
from flows.comparison.metrics import Floats, gains, in_units, value_of
from flows.comparison.rows import PairedRows
from flows.stats.paired.area_rows import delong_clustered
from flows.stats.paired.binary import mcnemar
from flows.stats.paired.bootstrap import bootstrap_sums
from flows.stats.paired.clusters import cluster_codes
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.ranking import delong
from flows.stats.paired.sums import calibration_of, calibration_rows
from flows.stats.results import AlwaysValid, Effect
from registry.records.policy import Direction, direction_of
from registry.records.version import Task

_SEED = 20_261_121
_BLOCKS = 20_000
_SCALED = ("brier", "log_loss", "mae")


class Measured(NamedTuple):
    """An effect (above 0: the challenger is better) and the metric's value of each."""

    effect: Effect | AlwaysValid
    champion: float
    challenger: float


def paired_test(
    task: Task,
    rows: PairedRows,
    metric: str,
    *,
    confidence: float,
    direction: Direction | None = None,
    margin: float = 0.0,
) -> Measured | None:
    """
    Test one metric on the same rows; None if these rows do not have it.

    With a *margin*, a share of the champion's value, bounds are those of the comparison at it;
    of accuracy, areas, calibration and squared errors the champion's value is taken for known.

    Rows of one key are not independent: then whole keys are the unit, by the delta method
    and by resampling keys for calibration.
    """
    if metric in rows.kpis:
        return _kpi(rows, metric, confidence, direction_of(metric, direction), margin)
    ours = value_of(task, metric, rows.labels, rows.champion)
    theirs = value_of(task, metric, rows.labels, rows.challenger)
    if ours is None or theirs is None:
        return None
    effect = _effect(rows, metric, confidence, margin)
    if metric in ("rmse", "r2"):
        rmse = float(np.sqrt(np.mean((rows.champion - rows.labels) ** 2)))
        effect = _in_units(effect, metric, rmse, float(np.var(rows.labels)))
    return Measured(effect, ours, theirs)


def mean_test(champion: Floats, challenger: Floats, keys: tuple[str, ...] | None, confidence: float) -> Effect:
    """Paired test of a mean over rows; by key if keys come more than once."""
    if keys is not None and len(set(keys)) < len(keys):
        from flows.stats.paired.losses import clustered_mean

        return clustered_mean(champion, challenger, np.asarray(keys, dtype=object), confidence=confidence)
    return paired_mean(champion, challenger, confidence=confidence)


def _level(rows: PairedRows, ours: Floats, theirs: Floats, confidence: float, margin: float) -> Effect:
    keys = rows.keys if rows.repeated else None
    plain = mean_test(ours, theirs, keys, confidence)
    if not margin or not ours.size:
        return plain
    mean = float(np.mean(ours))
    level = mean_test(champion_factor(mean, margin) * ours, theirs, keys, confidence)
    return with_margin(plain, level, margin * abs(mean))


def _effect(rows: PairedRows, metric: str, confidence: float, margin: float) -> Effect:
    if metric == "calibration":
        return _calibration(rows, confidence)
    if metric == "auc":
        return _area(rows, confidence)
    ours, theirs = gains(metric, rows.labels, rows.champion), gains(metric, rows.labels, rows.challenger)
    if metric == "accuracy" and not rows.repeated:
        return mcnemar(ours, theirs, confidence=confidence)
    return _level(rows, ours, theirs, confidence, margin if metric in _SCALED else 0.0)


def _area(rows: PairedRows, confidence: float) -> Effect:
    if rows.repeated:
        return delong_clustered(
            rows.labels, rows.champion, rows.challenger, np.asarray(rows.keys, dtype=object), confidence=confidence
        )
    return delong(rows.labels, rows.champion, rows.challenger, confidence=confidence)


def _calibration(rows: PairedRows, confidence: float) -> Effect:
    """
    No mean over rows: resampled, by key if keys come more than once.

    Beyond `_BLOCKS` rows or keys, blocks of them are resampled: as many blocks tell the variance
    to half a percent, in a fraction of the time.
    """
    units = cluster_codes(rows.keys, rows.n) if rows.keys and rows.repeated else np.arange(rows.n)
    few = rows.n <= _BLOCKS
    clusters = (units if rows.repeated else None) if few else units % _BLOCKS
    ours, theirs = (_calibrated(rows.labels, scores) for scores in (rows.champion, rows.challenger))
    return bootstrap_sums(ours, theirs, calibration_of, seed=_SEED, clusters=clusters, confidence=confidence)


def _calibrated(labels: Floats, scores: Floats) -> Floats:
    if several(scores):
        labels, scores = top_label(labels, scores)
    return calibration_rows(labels, np.clip(scores, 0.0, 1.0))


def _kpi(rows: PairedRows, metric: str, confidence: float, direction: Direction, margin: float) -> Measured:
    ours, theirs = rows.kpis[metric]
    sign = 1.0 if direction == "higher" else -1.0
    effect = _level(rows, sign * ours, sign * theirs, confidence, margin)
    mean = [float(np.mean(values)) if values.size else 0.0 for values in (ours, theirs)]
    return Measured(effect, *mean)


def _in_units(effect: Effect, metric: str, champion: float, spread: float) -> Effect:
    estimate, low, high = (in_units(metric, g, champion, spread) for g in (effect.estimate, effect.low, effect.high))
    return replace(effect, estimate=estimate, low=low, high=high, method=f"{effect.method} of squared errors")
