"""
How far two sorted samples of numbers are apart: Kolmogorov-Smirnov and Wasserstein, exactly.

Sources:
    Kolmogorov (1933), Smirnov (1939): the largest gap of two distribution functions.
    Vallender (1974), Theory Probab. Appl. 18:784-786: in one dimension the Wasserstein distance is the area between
    the quantile functions.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flows.detection.univariate.kolmogorov import two_sided_p

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
_SHORT = 10_000  # values of both samples that are all looked at
_GRID = 4  # times the root of the size: order statistics of each sample that are looked at first
_FIRST = 64  # cells between them that are searched before the others
_QUARTILES = 1.3489795003921634  # between the quartiles of a normal distribution, in standard deviations
_FENCE = 10.0


def ks(reference: Floats, current: Floats) -> tuple[float, float]:
    """
    Compare two samples.

    Args:
        reference: Sorted, shape (n,), n > 0.
        current: Sorted, shape (m,), m > 0.

    Returns:
        D and its asymptotic two-sided p-value, as `scipy.stats.ks_2samp(..., method="asymp")`. With ties the p-value
        is too large, never too small.

    Example:
        >>> ours, theirs = np.arange(100.0), np.arange(100.0) + 30
        >>> d, p = ks(ours, theirs)
        >>> f"{d:.2f} {p:.6f}"
        '0.30 0.000174'
    """
    n, m = reference.size, current.size
    d = ks_distance(reference, current)
    return d, two_sided_p(d, effective(n, m))


def effective(n: int, m: int) -> int:
    """Values of one sample that are worth as much as n and m of two; 0 of one and one."""
    return round(n * m / (n + m))


def ks_distance(reference: Floats, current: Floats) -> float:
    """
    Largest gap between two empirical distribution functions, exactly.

    Long samples are compared at a few order statistics; the points between two of them are looked at only if
    the gap there could be larger than the largest found.
    """
    n, m = reference.size, current.size
    if n + m <= _SHORT:
        return max(0.0, _ahead(reference, np.arange(n), current), _ahead(current, np.arange(m), reference))
    grid = np.concatenate([_thinned(reference), _thinned(current)])
    grid.sort()
    ours, theirs = reference.searchsorted(grid, "right"), current.searchsorted(grid, "right")
    best = float(np.abs(ours / n - theirs / m).max())
    before = (ours[:-1], theirs[:-1])
    until = reference.searchsorted(grid[1:], "left"), current.searchsorted(grid[1:], "left")
    bound = np.maximum(until[0] / n - before[1] / m, until[1] / m - before[0] / n)
    for chosen in _in_turn(bound, best):
        cells = chosen[bound[chosen] > best]
        inside = [_between(start[cells], stop[cells]) for start, stop in zip(before, until, strict=True)]
        best = max(best, _ahead(reference, inside[0], current), _ahead(current, inside[1], reference))
    return best


def wasserstein(reference: Floats, current: Floats, *, aside: float = 0.0) -> tuple[float, float]:
    """
    First Wasserstein distance, exactly, as `scipy.stats.wasserstein_distance`; and without the tails.

    Args:
        reference: Sorted, shape (n,), n > 0.
        current: Sorted, shape (m,), m > 0; m may differ from n.
        aside: Share of either sample to leave out at either end for the second figure, less than a half.

    Returns:
        Both in units of the values.
    """
    n, m = reference.size, current.size
    with np.errstate(over="ignore"):
        if n == m:
            apart = np.abs(reference - current)
            left = int(aside * n)
            return float(apart.mean()), float(apart[left : n - left].mean())
        ours, theirs, ends = _pieces(n, m)
        apart = np.abs(reference[ours] - current[theirs])
        lengths = np.diff(ends, prepend=0.0)
        inner = np.diff(np.clip(ends, aside, 1 - aside), prepend=aside) / (1 - 2 * aside)
        return float(np.dot(apart, lengths)), float(np.dot(apart, inner))


def spread(values: Floats) -> float:
    """
    Robust standard deviation of sorted values: that of the normal distribution with the same quartiles.

    Where the quartiles are equal, the 5th and 95th percentile, then the 0.5th and 99.5th take their place; then the
    mean distance from the median, which alone is moved by single values. 0 for a constant.
    """
    for low, high, width in ((0.25, 0.75, _QUARTILES), (0.05, 0.95, 3.289707253902945), (0.005, 0.995, 5.151658607)):
        between = float(quantile(values, high) / width - quantile(values, low) / width)
        if between > 0:
            return between
    return 1.2533141373155 * float(np.abs(values - quantile(values, 0.5)).mean())


def fences(values: Floats) -> tuple[float, float]:
    """Quartiles less and plus 10 robust spreads: what lies beyond is clipped wherever a single value could decide."""
    room = _FENCE * spread(values)
    return float(quantile(values, 0.25)) - room, float(quantile(values, 0.75)) + room


def held_sd(values: Floats, share: float) -> float:
    """Standard deviation of sorted values, that *share* of them at either end held at the next one."""
    left = int(share * values.size)
    inner = values[left : values.size - left]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(inner.sum() + left * (inner[0] + inner[-1])) / values.size
        apart = inner - mean
        squares = float(np.dot(apart, apart) + left * (apart[0] ** 2 + apart[-1] ** 2))
    return float(np.sqrt(squares / values.size)) if inner[0] < inner[-1] else 0.0


def clipped(values: Floats, low: float, high: float) -> Floats:
    """Sorted values within the fences; itself, not a copy, if all are."""
    return values if values[0] >= low and values[-1] <= high else np.clip(values, low, high)


def quantile(values: Floats, share: float) -> float:
    """The least value with at least *share* of the sorted values at or below it; one of the values."""
    return float(values[max(0, min(values.size - 1, int(np.ceil(share * values.size - 1e-9)) - 1))])


def order_statistics(values: Floats, count: int) -> Floats:
    """
    Sorted values at *count* equal steps from the least to the greatest.

    Never between two values, so that ties and gaps stay what they are; in whole numbers, so that no rounding picks a
    neighbour.

    Args:
        values: Sorted, at least one.
        count: At least two.
    """
    ranks = -(np.arange(count) * -values.size // (count - 1)) - 1
    return values[np.maximum(ranks, 0)]


def _ahead(values: Floats, ranks: Counts, others: Floats) -> float:
    """
    Most that the distribution function of *values* is above that of *others* at the values of some ranks, from 0.

    It is so at one of its own steps; of equal values the last counts, and has the largest rank.
    """
    if ranks.size == 0:
        return 0.0
    return float(((ranks + 1) / values.size - others.searchsorted(values[ranks], "right") / others.size).max())


def _thinned(values: Floats) -> Floats:
    step = max(1, int(values.size**0.5 / _GRID))
    return np.append(values[::step], values[-1])


def _in_turn(bound: Floats, best: float) -> list[Counts]:
    """Cells that may hold a wider gap: the most promising first, then the others."""
    cells = np.flatnonzero(bound > best)
    if cells.size <= _FIRST:
        return [cells]
    order = cells[np.argpartition(-bound[cells], _FIRST)]
    return [order[:_FIRST], np.sort(order[_FIRST:])]


def _between(starts: Counts, stops: Counts) -> Counts:
    """All indices of many ranges, one after the other."""
    sizes = np.maximum(stops - starts, 0)
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if ends.size else 0
    found: Counts = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
    return found


@lru_cache(maxsize=2)
def _pieces(n: int, m: int) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """
    Cut 0 to 1 at all multiples of 1/n and 1/m.

    Returns:
        For each piece the index of the value of either sample that reigns there, and where it ends. Pieces of no
        length stand where both are cut.
    """
    i, j = np.arange(1, n + 1, dtype=np.int64), np.arange(1, m + 1, dtype=np.int64)
    at_i, at_j = i - 1 + (i * m - 1) // n, j - 1 + j * n // m
    ends = np.empty(n + m, dtype=np.int64)
    ends[at_i], ends[at_j] = i * m, j * n
    ours, theirs = np.zeros(n + m, dtype=np.int32), np.zeros(n + m, dtype=np.int32)
    ours[at_i], theirs[at_j] = 1, 1
    return _reigning(ours, n), _reigning(theirs, m), ends / (float(n) * m)


def _reigning(cuts: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    before: NDArray[np.int32] = np.cumsum(cuts, dtype=np.int32) - cuts
    return np.minimum(before, np.int32(size - 1))
