"""
Means of outcomes that are known to lie between two bounds: no asymptotics, any look.

`betting_sequence` is the narrower one and needs all values; `BernsteinStream` needs a few numbers only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import finite, same_length, share
from flows.stats.results import AlwaysValid, probability

_CUT = 0.5


class Bets(NamedTuple):
    """
    Outcomes on the unit interval in order of time, with the stakes set before each.

    Attributes:
        values, stakes: Shape (n,).
    """

    values: NDArray[np.float64]
    stakes: NDArray[np.float64]


@dataclass(slots=True)
class BernsteinStream:
    """
    Empirical-Bernstein confidence sequence, in constant time and memory per value.

    Attributes:
        low, high: Known bounds of the values.
        alpha: Error rate over all looks together.

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, theorem 2 (predictable plug-in).

    Example:
        >>> stream = BernsteinStream()
        >>> for value in (0.2, 0.9, 0.4, 0.6) * 100:
        ...     stream.update(value)
        >>> "[{:.5f}, {:.5f}]".format(*stream.interval())
        '[0.47973, 0.56986]'
    """

    low: float = 0.0
    high: float = 1.0
    alpha: float = 0.05
    n: int = 0
    _sum: float = field(default=0.0, repr=False)
    _squares: float = field(default=0.25, repr=False)
    _stakes: float = field(default=0.0, repr=False)
    _staked: float = field(default=0.0, repr=False)
    _paid: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        share("alpha", self.alpha)
        _bounds(self.low, self.high)

    def update(self, value: float) -> None:
        """Take the next value; raises ValueError when it lies outside of the bounds."""
        if not self.low <= value <= self.high:
            raise ValueError(f"value is {value}, outside of [{self.low}, {self.high}]; give the true bounds")
        x = (value - self.low) / (self.high - self.low)
        before = (0.5 + self._sum) / (self.n + 1)
        variance = self._squares / (self.n + 1)
        self.n += 1
        stake = min(_CUT, math.sqrt(2 * math.log(2 / self.alpha) / (variance * self.n * math.log(self.n + 1))))
        self._stakes += stake
        self._staked += stake * x
        self._paid += (x - before) ** 2 * (-math.log1p(-stake) - stake)
        self._sum += x
        self._squares += (x - (0.5 + self._sum) / (self.n + 1)) ** 2

    def interval(self) -> tuple[float, float]:
        """Confidence sequence now, within the bounds."""
        if not self.n:
            return self.low, self.high
        middle = self._staked / self._stakes
        margin = (math.log(2 / self.alpha) + self._paid) / self._stakes
        width = self.high - self.low
        return self.low + width * max(0.0, middle - margin), self.low + width * min(1.0, middle + margin)


def betting_sequence(
    values: ArrayLike, *, low: float = 0.0, high: float = 1.0, against: float | None = None, alpha: float = 0.05
) -> AlwaysValid:
    """
    Mean of bounded values by hedged betting.

    Args:
        values: Shape (n,), in order of time, each between *low* and *high*.
        low, high: Bounds known before the data.
        against: Mean that the p-value speaks against; the middle of the bounds if not given.
        alpha: Error rate over all looks together.

    Returns:
        The mean with an exact confidence sequence; the bounds themselves before any value.

    Raises:
        ValueError: If a value is not a number or lies outside of the bounds.

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, theorem 3 (hedged capital, truncation 1/2).

    Example:
        >>> seen = betting_sequence([0.2, 0.9, 0.4, 0.6] * 100)
        >>> f"{seen.estimate:.3f} [{seen.low:.4f}, {seen.high:.4f}]"
        '0.525 [0.4844, 0.5665]'
    """
    share("alpha", alpha)
    _bounds(low, high)
    array = finite("values", values)
    width, target = high - low, (low + high) / 2 if against is None else against
    if not low < target < high:
        raise ValueError(f"against is {target}; it must lie strictly between {low} and {high}")
    bets = stakes(unit_scale("values", array, low, high), alpha)
    ends = [low + width * end for end in _ends(bets, alpha)]
    place = (target - low) / width
    log_e = max(log_capital(bets, place, 1), log_capital(bets, place, -1)) - math.log(2)
    estimate = float(array.mean()) if array.size else (low + high) / 2
    return AlwaysValid(
        method="betting confidence sequence (hedged capital)",
        estimate=estimate,
        low=min(ends[0], estimate),
        high=max(ends[1], estimate),
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        n=array.size,
        note="" if array.size else "no values yet",
    )


def paired_betting_sequence(
    champion: ArrayLike, challenger: ArrayLike, *, low: float = 0.0, high: float = 1.0, alpha: float = 0.05
) -> AlwaysValid:
    """
    Mean difference of bounded values on the same requests, challenger minus champion.

    Args:
        champion, challenger: Shape (n,), in order of time, each between *low* and *high*; more is better.
        low, high: Bounds known before the data; 0 and 1 for a Brier score.
        alpha: Error rate over all looks together.

    Returns:
        The difference with an exact confidence sequence and the e-value against equality.

    Raises:
        ValueError: If lengths differ or a value lies outside of the bounds.

    Source:
        As `betting_sequence`, of the differences, which lie within plus or minus the width of the bounds.

    Example:
        >>> seen = paired_betting_sequence([0.2, 0.5, 0.4, 0.6] * 100, [0.3, 0.7, 0.4, 0.6] * 100)
        >>> seen.low > 0, seen.p_value < 0.001
        (True, True)
    """
    ours, theirs = finite("champion", champion), finite("challenger", challenger)
    same_length(champion=ours, challenger=theirs)
    _bounds(low, high)
    for name, array in (("champion", ours), ("challenger", theirs)):
        unit_scale(name, array, low, high)
    width = high - low
    difference = np.clip(theirs - ours, -width, width)
    return betting_sequence(difference, low=-width, high=width, against=0.0, alpha=alpha)


def stakes(values: NDArray[np.float64], alpha: float) -> Bets:
    """
    Predictable stakes for values on the unit interval.

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, the predictable plug-in of theorems 2 and 3.
    """
    n = np.arange(1, values.size + 1)
    means = (0.5 + np.cumsum(values)) / (n + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (n + 1)
    before = np.concatenate(([0.25], variances[:-1]))[: values.size]
    return Bets(values, np.sqrt(2 * math.log(2 / alpha) / (before * n * np.log(n + 1))))


def log_capital(bets: Bets, mean: float, side: int) -> float:
    """
    Log wealth of a gambler against one mean.

    Args:
        bets: Values and stakes.
        mean: Strictly between 0 and 1.
        side: 1 bets that the true mean is greater: falls as *mean* grows. -1 that it is smaller.
    """
    if side > 0:
        return float(np.sum(np.log1p(np.minimum(bets.stakes, _CUT / mean) * (bets.values - mean))))
    return float(np.sum(np.log1p(np.minimum(bets.stakes, _CUT / (1 - mean)) * (mean - bets.values))))


def unit_scale(name: str, values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Values from [low, high] to [0, 1]; refuses those outside."""
    outside = int(np.count_nonzero((values < low) | (values > high)))
    if outside:
        raise ValueError(
            f"{name} has {outside} of {values.size} values outside of [{low}, {high}]; give the true bounds"
        )
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def _ends(bets: Bets, alpha: float) -> tuple[float, float]:
    threshold = math.log(2 / alpha)
    if not bets.values.size:
        return 0.0, 1.0
    low = _root(lambda mean: log_capital(bets, mean, 1) - threshold, 1)
    return low, _root(lambda mean: log_capital(bets, mean, -1) - threshold, -1)


def _root(beyond: Callable[[float], float], side: int) -> float:
    """Where monotone wealth reaches the threshold; the bound itself where it does not."""
    from scipy.optimize import brentq

    first, last = (1e-12, 1 - 1e-12) if side > 0 else (1 - 1e-12, 1e-12)
    if beyond(first) < 0:
        return 0.0 if side > 0 else 1.0
    return float(brentq(beyond, first, last, xtol=1e-13, rtol=1e-12)) if beyond(last) < 0 else last


def _bounds(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"bounds are {low} and {high}; give finite ones, the lower first")
