"""Numbers behind the pictures of a model's quality; pure, and small whatever the number of rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.reports.evidence import Floats

MOST_POINTS = 160


class Curve(NamedTuple):
    """Points of a curve."""

    x: Floats
    y: Floats


class Bins(NamedTuple):
    """
    One point per group of rows.

    Attributes:
        x: Mean of what the rows were grouped by.
        y: Mean or median of the other.
        low, high: Its interval, or the middle 80 % of the rows.
        n: Rows per group.
    """

    x: Floats
    y: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]


def roc(labels: Floats, scores: Floats) -> Curve:
    """
    False-positive and true-positive rate at every cut-off, thinned.

    Example:
        >>> curve = roc(np.array([0, 0, 1, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
        >>> curve.x.tolist(), curve.y.tolist()
        ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    hits, misses = _picked(labels, scores)
    x, y = np.r_[0.0, misses / misses[-1]], np.r_[0.0, hits / hits[-1]]
    return _thinned(x, y)


def precision_recall(labels: Floats, scores: Floats) -> Curve:
    """
    Recall and precision at every cut-off, thinned; the rarest picks first.

    Example:
        >>> curve = precision_recall(np.array([0, 0, 1, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
        >>> curve.x.tolist(), [round(p, 3) for p in curve.y.tolist()]
        ([0.5, 0.5, 1.0, 1.0], [1.0, 0.5, 0.667, 0.5])
    """
    hits, misses = _picked(labels, scores)
    return _thinned(hits / hits[-1], hits / (hits + misses))


def average_precision(labels: Floats, scores: Floats) -> float:
    """Area under the precision-recall steps."""
    hits, misses = _picked(labels, scores)
    return float(np.sum(np.diff(hits, prepend=0.0) * hits / (hits + misses)) / hits[-1])


def reliability(labels: Floats, scores: Floats, groups: int = 10) -> Bins:
    """
    Stated probability against what happened, in groups of equal size.

    The interval of each group is Wilson's at 95 %.
    """
    parts = _equal_parts(scores, groups)
    n = np.array([part.size for part in parts])
    stated = np.array([scores[part].mean() for part in parts])
    share = np.array([labels[part].mean() for part in parts])
    z2 = 1.959964**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return Bins(stated, share, middle - half, middle + half, n)


def by_prediction(labels: Floats, scores: Floats, groups: int = 12) -> Bins:
    """Median true value, and the middle 80 %, of rows with about the same prediction."""
    return _middles(scores, labels, _equal_parts(scores, groups))


def over_time(times: Floats, residuals: Floats, groups: int = 30) -> Bins:
    """Median residual, and the middle 80 %, in groups of equal size in the order of time."""
    return _middles(times, residuals, _equal_parts(times, max(1, min(groups, times.size // 20))))


def density(values: Floats, edges: Floats) -> Floats:
    """Share of the values in each bin; what lies outside counts in the last bin of its side."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return np.asarray(counts / max(values.size, 1), dtype=np.float64)


def _middles(by: Floats, values: Floats, parts: list[NDArray[np.int64]]) -> Bins:
    x = np.array([by[part].mean() for part in parts])
    low, y, high = np.array([np.quantile(values[part], (0.1, 0.5, 0.9)) for part in parts]).T
    return Bins(x, y, low, high, np.array([part.size for part in parts]))


def _equal_parts(values: Floats, groups: int) -> list[NDArray[np.int64]]:
    """Groups of equal size; equal values stay in one group."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    wanted = np.linspace(0, values.size, min(groups, values.size) + 1)[1:-1].astype(np.int64)
    cuts = np.unique(np.searchsorted(ordered, ordered[wanted], side="left"))
    return [part for part in np.split(order, cuts) if part.size]


def _picked(labels: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Positives and negatives above each cut-off, the highest first; ties are picked together."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.r_[np.flatnonzero(np.diff(ordered)), ordered.size - 1]
    hits = np.cumsum(labels[order])[last]
    return hits, 1.0 + last - hits


def _thinned(x: Floats, y: Floats) -> Curve:
    if x.size <= 2 * MOST_POINTS:
        return Curve(x, y)
    # Half of the points evenly by rank, half evenly along x, so that no steep part is lost.
    by_rank = np.linspace(0, x.size - 1, MOST_POINTS).astype(np.int64)
    along = np.searchsorted(x, np.linspace(x[0], x[-1], MOST_POINTS)).clip(0, x.size - 1)
    chosen = np.unique(np.r_[by_rank, along])
    return Curve(x[chosen], y[chosen])
