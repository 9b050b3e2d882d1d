"""Gradual decline: does a series rise, and by how much a step?"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats.checks import finite, share
from registry.records.base import Record

Floats = NDArray[np.float64]
_EXACT = 33  # values up to which all orders are counted
_CLOSEST = 0.98


class Trend(Record, frozen=True, kw_only=True):
    """
    A monotone trend.

    Attributes:
        n: Values.
        tau: Kendall's tau-b of values and time, from -1 to 1; 0 of a constant series.
        p_rise: One-sided p-value of a rise.
        slope, low, high: Sen's slope per step, and its interval.
        dependence: Variance over that of independent values, at least 1.
    """

    n: int
    tau: float
    p_rise: float
    slope: float
    low: float
    high: float
    dependence: float


def mann_kendall(values: Floats, *, confidence: float = 0.95) -> Trend:
    """
    Mann-Kendall test of a rise with Sen's slope, corrected for dependence between values.

    Exact up to 33 values without ties and without signs of dependence; else by a normal
    distribution with correction for ties and continuity.

    Args:
        values: Shape (n,), n at least 3, finite, in time order and at even steps.
        confidence: Of the interval of the slope, strictly between 0 and 1.

    Raises:
        ValueError: If there are fewer than three values, or one is not finite.

    Source:
        Mann (1945), Econometrica 13:245-259; Sen (1968), JASA 63:1379-1389; Hamed, Rao (1998),
        J. Hydrol. 204:182-196, with lags of a first-order model, bias corrected as by Kendall (1954).

    Example:
        >>> found = mann_kendall(np.array([1.0, 2.0, 4.0, 3.0, 5.0]))
        >>> f"{found.tau:.1f} {found.slope:.1f} {found.p_rise:.4f}"
        '0.8 1.0 0.0417'
    """
    finite("values", values), share("confidence", confidence)
    n = values.size
    if n < 3:
        raise ValueError(f"values has {n} entries; a trend needs three or more")
    slopes = _slopes(values)
    score = float(np.sign(slopes).sum())
    slope = float(np.median(slopes))
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    variance = (n * (n - 1) * (2 * n + 5) - float(np.sum(ties * (ties - 1) * (2 * ties + 5)))) / 18
    deflate = _between(values - slope * np.arange(n))
    low, high = _interval(slopes, math.sqrt(variance * deflate), confidence)
    return Trend(
        n=n,
        tau=_tau(score, n, ties),
        p_rise=_p_rise(score, variance * deflate, n if ties.size == n and deflate == 1 else None),
        slope=slope,
        low=low,
        high=high,
        dependence=deflate,
    )


def _slopes(values: Floats) -> Floats:
    """Of all pairs, the earlier value first."""
    first, second = np.triu_indices(values.size, 1)
    return np.asarray((values[second] - values[first]) / (second - first))


def _tau(score: float, n: int, ties: Floats) -> float:
    pairs = n * (n - 1) / 2
    untied = pairs - float(np.sum(ties * (ties - 1))) / 2
    return score / math.sqrt(pairs * untied) if untied else 0.0


def _p_rise(score: float, variance: float, exact: int | None) -> float:
    if exact is not None and exact <= _EXACT:
        return _exact_p(score, exact)
    if not variance > 0:
        return 1.0
    return float(special.ndtr(-(score - 1) / math.sqrt(variance)))


def _exact_p(score: float, n: int) -> float:
    """Share of all orders of n values with that score or a higher one: orders by their inversions."""
    orders = np.ones(1)
    for size in range(2, n + 1):
        orders = np.convolve(orders, np.full(size, 1 / size))
    inversions = round((n * (n - 1) / 2 - score) / 2)
    return min(1.0, float(orders[: inversions + 1].sum()))


def _between(detrended: Floats) -> float:
    """
    Hamed and Rao's n / n*, of the ranks of what the slope leaves.

    Their single lags miss weak dependence in short series (of 30 normal values with correlation .3 one in ten
    has p < .05), so the lags are those of a first-order model, one standard error on the safe side.
    """
    n = detrended.size
    ordered = np.sort(detrended)
    ranks = np.searchsorted(ordered, detrended, side="left") + np.searchsorted(ordered, detrended, side="right")
    centred = ranks - ranks.mean()
    total = float(centred @ centred)
    if not total > 0:
        return 1.0
    found = float(centred[1:] @ centred[:-1]) / total
    near = found + (1 + 4 * found) / n
    if near <= 1 / math.sqrt(n):
        return 1.0
    near = min(near + math.sqrt(max(1 - near * near, 0.0) / n), _CLOSEST)
    lags = np.arange(1, n - 2)
    weights = (n - lags) * (n - lags - 1) * (n - lags - 2)
    return 1 + 2 / (n * (n - 1) * (n - 2)) * float(weights @ near**lags)


def _interval(slopes: Floats, spread: float, confidence: float) -> tuple[float, float]:
    """Order statistics of the slopes, Sen (1968)."""
    half = float(special.ndtri((1 + confidence) / 2)) * spread
    ordered = np.sort(slopes)
    lower, upper = (slopes.size - half) / 2, (slopes.size + half) / 2
    last = slopes.size - 1
    return float(ordered[max(0, math.floor(lower))]), float(ordered[min(last, math.ceil(upper))])
