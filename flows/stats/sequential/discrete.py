"""
Exact confidence sequence for the mean of outcomes with few distinct values, from their counts.

Against a mean m, a gambler who stakes the share lambda multiplies her money by 1 + lambda (x - m)
at every outcome x. That is a martingale if m is right. Here the stakes are mixed over a Beta
prior: no stake has to be tuned, the order of outcomes does not matter, the counts are enough.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DROP = 45.0
_EDGE = 60.0
_NODES = 240


class Tally(NamedTuple):
    """
    How often each value was seen.

    Attributes:
        places: Values on a scale where 0 is the least and 1 the greatest possible.
        counts: How often; of the length of *places*.
    """

    places: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean place; 0.5 of nothing."""
        total = sum(self.counts)
        return sum(t * n for t, n in zip(self.places, self.counts, strict=True)) / total if total else 0.5


def log_wealth(tally: Tally, mean: float, concentration: float, side: int = 0) -> float:
    """
    Log e-value against one mean.

    Args:
        tally: What was seen.
        mean: Hypothesised mean on the scale of *places*, strictly between 0 and 1.
        concentration: Prior sample size of the Beta(concentration * mean, concentration * (1 - mean)).
        side: 0 bets on both directions, 1 on greater means only, -1 on smaller ones only.

    Returns:
        Log of the mixture of wealths; exceeds log(1 / alpha) at any time with probability
        at most alpha when the mean is right (for 1: or smaller, for -1: or greater).

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, sec. 4 (testing by betting); the prior is that of
        Robbins (1970) for 0/1 outcomes, to which it then is equal.

    Example:
        >>> from scipy import special
        >>> closed = special.betaln(41, 11) - special.betaln(1, 1) + 50 * math.log(2)
        >>> f"{log_wealth(Tally((0.0, 1.0), (10, 40)), 0.5, 2.0):.9f} {closed:.9f}"
        '7.672818731 7.672818731'
    """
    from scipy import special

    a, b = concentration * mean, concentration * (1 - mean)
    none = _logit(mean)
    below, above = none if side > 0 else min(none, 0) - _EDGE, none if side < 0 else max(none, 0) + _EDGE
    log_density = _log_density(tally, mean, a, b)
    low, high = _window(log_density, below, above)
    nodes, weights = _gauss(_NODES)
    u = np.concatenate((low + (high - low) * (nodes + 1) / 2, (low, high)))
    # Beyond the window the density falls exponentially, at the rates of its least and greatest place.
    falls = (a + _count(tally, 1.0), b + _count(tally, 0.0))
    tails = [0.0 if side == closed else 1 / fall for closed, fall in zip((1, -1), falls, strict=True)]
    found = log_density(u)
    peak = float(found.max())
    total = peak + math.log(float(np.exp(found - peak) @ np.concatenate((weights * (high - low) / 2, tails))))
    share = special.betainc(b, a, 1 - mean) if side > 0 else special.betainc(a, b, mean) if side < 0 else 1.0
    return total - float(special.betaln(a, b)) - math.log(float(share))


def interval(
    tally: Tally, concentration: float, alpha: float, side: int = 0, pivot: float | None = None
) -> tuple[float, float]:
    """
    All means that are not rejected, on the scale of *places*.

    Args:
        tally, concentration, side: As in `log_wealth`.
        alpha: Error rate over all looks together.
        pivot: A mean whose place inside or outside must agree exactly with `log_wealth`.

    Returns:
        Lower and upper end; 0 or 1 where nothing bounds it.
    """
    middle = tally.mean
    threshold = -math.log(alpha)

    def beyond(mean: float) -> float:
        return log_wealth(tally, mean, concentration, side) - threshold

    low, high = 0.0, 1.0
    if side >= 0 and middle > 0:
        low = _crossing(beyond, middle, 0.0, pivot)
    if side <= 0 and middle < 1:
        high = _crossing(beyond, middle, 1.0, pivot)
    return low, high


def _crossing(beyond: Callable[[float], float], middle: float, edge: float, pivot: float | None) -> float:
    """Where the wealth reaches the threshold between the mean seen and an edge."""
    from scipy.optimize import brentq

    near, far = middle + (edge - middle) * 1e-12, edge + (middle - edge) * 1e-9
    if middle in (0.0, 1.0):
        near = middle + (edge - middle) * 1e-9
    if pivot is not None and min(middle, edge) < pivot < max(middle, edge):
        if beyond(pivot) >= 0:
            far = pivot
        else:
            near = pivot
    if beyond(near) >= 0:
        return near
    return edge if beyond(far) < 0 else float(brentq(beyond, near, far, xtol=1e-11, rtol=1e-10))


def _log_density(tally: Tally, mean: float, a: float, b: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Prior times wealth as a function of the logit of the stake's place."""
    top, bottom = _count(tally, 1.0), _count(tally, 0.0)
    between = [(t, n) for t, n in zip(tally.places, tally.counts, strict=True) if n and 0 < t < 1]
    log_mean, log_rest = math.log(mean), math.log1p(-mean)
    known = -top * log_mean - bottom * log_rest

    def density(u: NDArray[np.float64]) -> NDArray[np.float64]:
        log_s, log_r = -np.logaddexp(0, -u), -np.logaddexp(0, u)
        total = (a + top) * log_s + (b + bottom) * log_r + known
        for place, count in between:
            up, down = math.log(place) - log_mean, math.log1p(-place) - log_rest
            total += count * np.logaddexp(up + log_s, down + log_r)
        return np.asarray(total, dtype=np.float64)

    return density


def _window(
    log_density: Callable[[NDArray[np.float64]], NDArray[np.float64]], below: float, above: float
) -> tuple[float, float]:
    """Where a function with one peak is within e^-45 of the peak; narrowed step by step."""
    low, high = below, above
    for _ in range(12):
        grid = np.linspace(low, high, 65)
        near = np.flatnonzero((found := log_density(grid)) >= found.max() - _DROP)
        first, last = max(int(near[0]) - 1, 0), min(int(near[-1]) + 1, 64)
        low, high = float(grid[first]), float(grid[last])
        if last - first > 24:
            break
    return low, high


@cache
def _gauss(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre places and weights on [-1, 1]."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    return places, weights


def _count(tally: Tally, place: float) -> int:
    return sum(n for t, n in zip(tally.places, tally.counts, strict=True) if t == place)


def _logit(x: float) -> float:
    return math.log(x) - math.log1p(-x)
