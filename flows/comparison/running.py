"""The running estimate: what an observer at any earlier moment would have seen."""

import numpy as np
import polars as pl

from flows.comparison.metrics import Floats, gains
from flows.comparison.rows import PairedRows
from flows.reports.evidence import TracePoint
from flows.stats.moments import CoMoments, Moments
from flows.stats.results import AlwaysValid
from flows.stats.sequential.asymptotic import paired_sequence, unit_sequence
from registry.records.version import Task

POINTS = 60
_ROWWISE: dict[Task, str] = {"binary": "brier", "multiclass": "accuracy", "regression": "mae"}


def rowwise(task: Task, metric: str) -> str:
    """The metric itself if it is a mean over rows, else the loss that stands for it."""
    known = ("mae", "rmse") if task == "regression" else ("accuracy", "brier", "log_loss")
    return metric if metric in known else _ROWWISE[task]


def paired_trace(task: Task, rows: PairedRows, metric: str, alpha: float) -> tuple[TracePoint, ...]:
    """Always-valid band of the mean gain per row, in the order of time."""
    times = rows.times if rows.times is not None else np.arange(rows.n, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    name = rowwise(task, metric)
    difference = gains(name, rows.labels, rows.challenger) - gains(name, rows.labels, rows.champion)
    return band(times[order], difference[order], alpha)


def band(times: Floats, difference: Floats, alpha: float, phase: str = "") -> tuple[TracePoint, ...]:
    """The same from differences that are sorted by time; at most 60 points."""
    tuned = max(200, difference.size // 2)
    found = []
    for n in _stops(difference.size):
        seen = paired_sequence(Moments.of(difference[:n]), alpha=alpha, tuned_to=tuned)
        found.append(_point(times[n - 1], seen, phase))
    return tuple(found)


def split_trace(frame: pl.DataFrame, alpha: float, phase: str = "") -> tuple[TracePoint, ...]:
    """
    Always-valid band of the difference in mean gain per request, keys as units.

    Args:
        frame: `time, key, arm, gain`, arm "champion" or "challenger"; in the order of time.
        alpha: Error rate over all looks together.
        phase: Name of the rollout's phase.
    """
    found = []
    for n in _stops(frame.height):
        part = frame.head(n)
        arms = {arm: units(part.filter(pl.col("arm") == arm)) for arm in ("champion", "challenger")}
        seen = unit_sequence(arms["champion"], arms["challenger"], alpha=alpha, tuned_to=max(200, frame.height // 4))
        found.append(_point(float(part["time"][-1]), seen, phase))
    return tuple(found)


def units(frame: pl.DataFrame) -> CoMoments:
    """Co-moments over keys of (number of values, sum of values); a row without a key is a unit of its own."""
    keyed = frame.filter(pl.col("key").is_not_null()).group_by("key").agg(pl.len().alias("n"), pl.col("gain").sum())
    single = frame.filter(pl.col("key").is_null())["gain"].to_numpy()
    counts = np.concatenate([keyed["n"].to_numpy().astype(np.float64), np.ones(single.size)])
    return CoMoments.of(counts, np.concatenate([keyed["gain"].to_numpy(), single]))


def _stops(n: int) -> list[int]:
    return sorted({int(stop) for stop in np.linspace(min(n, 10), n, POINTS)}) if n else []


def _point(at: float, seen: AlwaysValid, phase: str) -> TracePoint:
    return TracePoint(at=float(at), n=seen.n, estimate=seen.estimate, low=seen.low, high=seen.high, phase=phase)
