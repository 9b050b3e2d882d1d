"""On which scale a metric is nearly normal: its interval, and how far it is from another value."""

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from flows.detection.performance.spread import Floats, spread

Scale = Literal["share", "logit", "log", "rest", "plain"]
"""share: Wilson; logit: of an area; log: of a loss; rest: log of what is missing to 1; plain: as it is."""


class Point(NamedTuple):
    """
    A metric on some rows.

    Attributes:
        error: Its standard error; infinite where unknown, 0 where it is known exactly.
        n: Rows; effective: independent ones that would say as much.
        slack: How far noise may have raised the value.
    """

    value: float
    error: float
    n: int
    effective: float
    slack: float = 0.0


class Change(NamedTuple):
    """
    From a baseline to a value.

    Attributes:
        low, high: Interval of the value that the baseline would have become: baseline plus change.
        p_lower, p_higher: One-sided p-values against "not lower" and "not higher".
    """

    low: float
    high: float
    p_lower: float
    p_higher: float


def point(value: float, pulls: Floats, *, ordered: bool, freed: float = 0.0, noise: float = 0.0) -> Point:
    """
    A metric with its error.

    Args:
        value: The metric.
        pulls: Shape (n,), the influence of each row on it; see `flows.detection.performance.pulls`.
        ordered: Whether rows are in time order; then neighbours may resemble each other.
        freed, noise: As of `flows.detection.performance.pulls.Pulled`.
    """
    found = spread(pulls, ordered=ordered)
    thinner = pulls.size / found.effective if found.effective > 0 else 1.0
    return Point(value, found.error, pulls.size, found.effective, max(noise * math.sqrt(thinner) - freed, 0.0))


def interval(scale: Scale, now: Point, confidence: float) -> tuple[float, float]:
    """
    Two-sided interval of a metric.

    Source:
        share: Wilson (1927) with the effective number of rows; others: Student's t on the scale,
        by the delta method.
    """
    quantile = _quantile(now, confidence)
    if scale == "share":
        return _wilson(now.value, _rows_behind(now), quantile)
    used = scale if _inside(scale, now.value) else "plain"
    half = quantile * now.error * _slope(used, now.value)
    middle = _forth(used, now.value)
    ends = _back(used, middle - half) - now.slack, _back(used, middle + half)
    return _within(scale, min(ends)), _within(scale, max(ends))


def change(scale: Scale, now: Point, baseline: Point, confidence: float) -> Change:
    """
    How far *now* is from *baseline*, both with their errors.

    Source:
        share: score test with the pooled share; others: t test on the scale.
    """
    used = scale if _inside(scale, now.value) and _inside(scale, baseline.value) else "plain"
    gap = _forth(used, now.value) - _forth(used, baseline.value)
    error = _pooled(now, baseline) if used == "share" else _joint(used, now, baseline)
    start, half = _forth(used, baseline.value), _quantile(now, confidence) * error
    ends = _back(used, start + gap - half) - now.slack, _back(used, start + gap + half)
    below, above = _tail(gap, error, _freedom(now)), _tail(now.slack - gap, error, _freedom(now))
    return Change(min(ends), max(ends), *((above, below) if used == "rest" else (below, above)))


def _tail(gap: float, error: float, freedom: float) -> float:
    """P(T <= gap / error)."""
    if error == 0 or not math.isfinite(gap):
        return 0.5 if gap == 0 else float(gap > 0)
    return float(special.stdtr(freedom, gap / error))


def _joint(scale: Scale, now: Point, baseline: Point) -> float:
    return math.hypot(now.error * _slope(scale, now.value), baseline.error * _slope(scale, baseline.value))


def _pooled(now: Point, baseline: Point) -> float:
    ours, theirs = _rows_behind(now), _rows_behind(baseline)
    if baseline.error == 0:
        return math.sqrt(max(baseline.value * (1 - baseline.value), 0.25 / ours) / ours)
    rate = (ours * now.value + theirs * baseline.value) / (ours + theirs)
    return math.sqrt(max(rate * (1 - rate), 0.0) * (1 / ours + 1 / theirs))


def _rows_behind(now: Point) -> float:
    """Independent rows of a share with such an error."""
    noise = now.value * (1 - now.value)
    return noise / now.error**2 if noise > 0 and 0 < now.error < math.inf else max(now.effective, 1.0)


def _wilson(rate: float, n: float, z: float) -> tuple[float, float]:
    middle, half = rate + z * z / (2 * n), z * math.sqrt(max(rate * (1 - rate), 0) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def _freedom(now: Point) -> float:
    return max(now.effective - 1, 2.0)


def _quantile(now: Point, confidence: float) -> float:
    return float(special.stdtrit(_freedom(now), (1 + confidence) / 2))


def _inside(scale: Scale, value: float) -> bool:
    if scale == "logit":
        return 0 < value < 1
    if scale == "log":
        return value > 0
    return value < 1 if scale == "rest" else True


def _forth(scale: Scale, value: float) -> float:
    if scale == "logit":
        return math.log(value / (1 - value))
    if scale == "log":
        return math.log(value)
    return math.log1p(-value) if scale == "rest" else value


def _back(scale: Scale, value: float) -> float:
    if scale == "logit":
        return float(special.expit(value))
    with np.errstate(over="ignore"):
        if scale == "log":
            return float(np.exp(value))
        return float(-np.expm1(value)) if scale == "rest" else value


def _slope(scale: Scale, value: float) -> float:
    if scale == "logit":
        return 1 / (value * (1 - value))
    if scale == "log":
        return 1 / value
    return 1 / (1 - value) if scale == "rest" else 1.0


def _within(scale: Scale, value: float) -> float:
    """No end of an interval where no metric can be."""
    if scale in ("share", "logit"):
        return min(max(value, 0.0), 1.0)
    return max(value, 0.0) if scale == "log" else value


def presumed(scale: Scale, value: float, rows: int | None, now: Point) -> Point:
    """
    A stored metric with the error that it would have if its rows were as those of now.

    Args:
        value: As stored.
        rows: Rows that it was measured on; None or 0 makes it exact.
        now: The same metric on other rows.
    """
    if not rows or now.n == 0 or not math.isfinite(now.error):
        return Point(value, 0.0, rows or 0, float(rows or 0))
    behind = max(rows * now.effective / now.n, 1.0)
    used = scale if _inside(scale, now.value) and _inside(scale, value) else "plain"
    if used == "share":
        noise = max(value * (1 - value), 1 / (4 * rows))
        return Point(value, math.sqrt(noise * now.n / _rows_behind(now) / rows), rows, behind)
    error = now.error * _slope(used, now.value) / _slope(used, value) * math.sqrt(now.n / rows)
    return Point(value, error, rows, behind)
