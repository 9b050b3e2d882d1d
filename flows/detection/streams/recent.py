"""Windows of losses: their means, and the newest against those before, also when losses depend on each other."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.detection.streams.dependence import row_dependence
from flows.stats.unpaired.means import welch
from registry.records.base import Record

Floats = NDArray[np.float64]


class Window(Record, frozen=True, kw_only=True):
    """
    Mean loss of some rows on end.

    Attributes:
        first, last: Rows, counted from 0, both included.
        mean: Of their losses; low, high: its interval.
    """

    first: int
    last: int
    mean: float
    low: float
    high: float


def windows(losses: Floats, width: int, most: int, *, confidence: float = 0.95) -> tuple[Window, ...]:
    """
    The newest windows, the oldest of them first.

    Args:
        losses: Shape (n,), finite, in time order.
        width: Rows of a window, at least 2; the last one ends at the last row.
        most: Windows at most.
        confidence: Of the intervals, strictly between 0 and 1.
    """
    count = min(most, losses.size // width)
    if not count:
        return ()
    start = losses.size - count * width
    table = losses[start:].reshape(count, width)
    effective = width / min(row_dependence((table - table.mean(axis=1, keepdims=True)).ravel()), width / 2)
    means, spreads = table.mean(axis=1), table.std(axis=1, ddof=1) / math.sqrt(effective)
    half = float(special.stdtrit(effective - 1, (1 + confidence) / 2)) * spreads
    edges = range(start, losses.size, width)
    rows = zip(edges, means.tolist(), half.tolist(), strict=True)
    return tuple(
        Window(first=at, last=at + width - 1, mean=mean, low=mean - by, high=mean + by) for at, mean, by in rows
    )


def rise_p(recent: Floats, before: Floats) -> float | None:
    """
    One-sided p-value of a rise of the mean, honest when losses come in clusters.

    Args:
        recent: Shape (n,); before: shape (m,), both in time order and finite.

    Returns:
        None where a sample is smaller than 2.

    Source:
        Welch (1947), Biometrika 34:28-35, with rows divided by their `row_dependence`.
    """
    if min(recent.size, before.size) < 2:
        return None
    deflate = row_dependence(np.concatenate([before - before.mean(), recent - recent.mean()]))
    deflate = min(deflate, min(recent.size, before.size) / 2)
    if deflate == 1:
        rise = welch(_moments(before), _moments(recent))
        return rise.p_value / 2 if rise.estimate > 0 else 1 - rise.p_value / 2
    return _deflated(recent, before, deflate)


def _deflated(recent: Floats, before: Floats, deflate: float) -> float:
    parts = [(sample.size / deflate, float(sample.var(ddof=1))) for sample in (recent, before)]
    errors = [variance / rows for rows, variance in parts]
    error = sum(errors)
    freedom = error * error / sum(one * one / (rows - 1) for one, (rows, _) in zip(errors, parts, strict=True))
    rise = float(recent.mean()) - float(before.mean())
    return float(special.stdtr(freedom, -rise / math.sqrt(error)))


def _moments(sample: Floats) -> tuple[int, float, float]:
    return sample.size, float(sample.mean()), float(sample.var() * sample.size)
