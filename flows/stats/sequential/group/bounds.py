"""Bounds that spend an error rate over looks, at any times, equal or not."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from flows.stats.checks import finite, number, share
from flows.stats.sequential.group.spending import Spending
from flows.stats.sequential.group.walk import OPEN, Floats, Layer, Region, bound_above, enter, log_above, log_below

MAX_BOUND = 100.0
MIN_GAIN = 1e-5
_KEPT = 16


class Walked(NamedTuple):
    """
    Bounds at each look, with what is needed to integrate between them.

    Attributes:
        times: Information, in any unit.
        high, low: Bounds of z; low is -inf where only one side is tested.
        layers: Before each look, and so None for the first.
        log_spent: Log of the error rate of one side that is used up, look by look.
    """

    times: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    layers: tuple[Layer | None, ...]
    log_spent: tuple[float, ...]

    def until(self, last: int) -> "Walked":
        """Up to the look at index *last*."""
        kept = slice(last + 1)
        return Walked(self.times[kept], self.high[kept], self.low[kept], self.layers[kept], self.log_spent[kept])


def efficacy_bounds(
    times: ArrayLike,
    *,
    spending: Spending,
    alpha: float = 0.05,
    sided: int = 2,
    spent_at: ArrayLike | None = None,
) -> Floats:
    """
    Bounds that |z| (two-sided) or z (one-sided) must reach to stop at each look.

    Exact to about 1e-13, however small the error rate that a look may spend. No bound is above
    `MAX_BOUND`: it stands where a look may spend less than the tail beyond it (1e-2174), and
    where nothing is left to spend.

    Args:
        times: Shape (k,). Information at each look, increasing, as a fraction of the horizon;
            looks closer than a relative `MIN_GAIN` are refused, since they are one look.
        spending: Used on each side with alpha / sided.
        alpha: Error rate over all looks together, of both sides together.
        sided: 1 or 2.
        spent_at: Shape (k,). Fractions at which the spending function is read, when they are not
            *times*: a last look that came early spends at 1.

    Returns:
        Shape (k,), of z.

    Raises:
        ValueError: If times do not increase, or alpha or sided is out of range.

    Source:
        Lan and DeMets (1983), Biometrika 70:659-663; Jennison and Turnbull (2000), Group
        Sequential Methods, ch. 7.2 and 19. Agrees with R ldbounds, gsDesign and rpact.

    Example:
        The first example of R ldbounds (4.8769, 3.3570, 2.6803, 2.2898, 2.0310):

        >>> from flows.stats.sequential.group.spending import obrien_fleming
        >>> [f"{z:.4f}" for z in efficacy_bounds([0.2, 0.4, 0.6, 0.8, 1.0], spending=obrien_fleming())]
        ['4.8769', '3.3570', '2.6803', '2.2898', '2.0310']
    """
    when = increasing("times", times)
    spent = when if spent_at is None else increasing("spent_at", np.minimum(spent_at, 1.0), strictly=False)
    log_level = math.log(share("alpha", alpha)) - math.log(sides(sided))
    return np.array(walked(when, spent, log_level, sided, spending).high)


@lru_cache(maxsize=_KEPT)
def walked(
    times: tuple[float, ...], spent_at: tuple[float, ...], log_level: float, sided: int, spending: Spending
) -> Walked:
    """As `walk_bounds`, remembered."""
    return walk_bounds(times, spent_at, log_level, sided, spending)


def walk_bounds(
    times: tuple[float, ...], spent_at: tuple[float, ...], log_level: float, sided: int, spending: Spending
) -> Walked:
    """As `efficacy_bounds`, with everything that was found on the way; log_level is of one side."""
    planned = spending.log_spent(spent_at, log_level)
    layer: Layer | None = None
    spent = -math.inf
    high: list[float] = []
    layers: list[Layer | None] = []
    used: list[float] = []
    for k, time in enumerate(times):
        bound = _capped(layer, time, log_difference(float(planned[k]), spent))
        spent = float(np.logaddexp(spent, log_above(layer, time, bound * math.sqrt(time))))
        layers.append(layer)
        high.append(bound)
        used.append(spent)
        if k + 1 < len(times):
            layer = enter(layer, region(time, -bound if sided == 2 else -math.inf, bound), times[k + 1])
    low = tuple(-bound if sided == 2 else -math.inf for bound in high)
    return Walked(times, tuple(high), low, tuple(layers), tuple(used))


def fixed_bounds(times: ArrayLike, low: ArrayLike, high: ArrayLike) -> Walked:
    """
    Bounds that someone else has chosen, ready to be integrated between.

    Args:
        times: Shape (k,). Information at each look, increasing.
        low, high: Shape (k,). Bounds of z, low not above high; low may be -inf at every look.

    Raises:
        ValueError: If times do not increase, or bounds are missing, no numbers, or swapped.

    Example:
        Pocock's constant 2.413 for five looks (Jennison and Turnbull, table 2.1):

        >>> looks = fixed_bounds([0.2, 0.4, 0.6, 0.8, 1.0], [-2.413] * 5, [2.413] * 5)
        >>> f"{sum(2 * up for up, _ in exits(looks)):.4f}"
        '0.0500'
    """
    when = increasing("times", times)
    lower, upper = _paired_bounds(len(when), np.asarray(low, dtype=np.float64), finite("high", high))
    layers = layers_between(when, lower, upper)
    spent = np.logaddexp.accumulate(
        [log_above(a, t, z * math.sqrt(t)) for a, t, z in zip(layers, when, upper, strict=True)]
    )
    return Walked(when, upper, lower, layers, tuple(map(float, spent)))


def _paired_bounds(looks: int, low: Floats, high: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not low.shape == high.shape == (looks,):
        raise ValueError(f"{looks} looks have {low.size} low and {high.size} high bounds; give one of each per look")
    bad = int(np.count_nonzero(~(low <= high)))
    if bad:
        raise ValueError(f"low is above high, or no number, at {bad} of {looks} looks; swap or fill them")
    return tuple(map(float, low)), tuple(map(float, high))


def layers_between(
    times: tuple[float, ...], low: tuple[float, ...], high: tuple[float, ...], *, reach: float = OPEN
) -> tuple[Layer | None, ...]:
    """Quadratures before each look; *reach* as of `enter`."""
    layers: list[Layer | None] = [None]
    for k in range(len(times) - 1):
        layers.append(enter(layers[k], region(times[k], low[k], high[k]), times[k + 1], reach=reach))
    return tuple(layers)


def exits(looks: Walked, drift: float = 0.0) -> list[tuple[float, float]]:
    """
    Chance of first leaving above, and below, at each look.

    Args:
        drift: Mean of z per square root of information.
    """
    found = []
    for layer, time, low, high in zip(looks.layers, looks.times, looks.low, looks.high, strict=True):
        root = math.sqrt(time)
        up = math.exp(log_above(layer, time, high * root, drift))
        down = 0.0 if math.isinf(low) else math.exp(log_below(layer, time, low * root, drift))
        found.append((up, down))
    return found


def region(time: float, low: float, high: float) -> Region:
    """From z to the scale of the walk."""
    return Region(time, low * math.sqrt(time), high * math.sqrt(time))


def log_difference(larger: float, smaller: float) -> float:
    """Log of exp(larger) - exp(smaller); -inf when that is not above 0."""
    return larger + math.log(-math.expm1(smaller - larger)) if smaller < larger else -math.inf


def increasing(name: str, values: ArrayLike, *, strictly: bool = True) -> tuple[float, ...]:
    """Times above 0 that grow from look to look."""
    array = finite(name, values)
    gains = np.diff(array, prepend=0.0)
    bad = int(np.count_nonzero(gains <= MIN_GAIN * array if strictly else gains < 0))
    if bad or not array.size or array[0] <= 0:
        raise ValueError(
            f"{name}: {bad} of {array.size} looks do not add to the information before them; "
            f"give at least one, above 0, each more than {MIN_GAIN:g} of itself above the last"
        )
    return tuple(map(float, array))


def sides(sided: int) -> int:
    """One or two."""
    if sided not in (1, 2):
        raise ValueError(f"sided is {sided}; give 1 or 2")
    return sided


def constant_shape(times: Sequence[float], *, shape: float, alpha: float = 0.05, sided: int = 2) -> Floats:
    """
    Bounds of Wang and Tsiatis, c * t^(shape - 1/2): 0 is O'Brien-Fleming's, 1/2 is Pocock's.

    For comparison with printed tables; they hold only for the looks they were made for.

    Args:
        times: Fractions of the horizon, ending at 1.
        shape: Delta of Wang and Tsiatis.

    Source:
        Wang and Tsiatis (1987), Biometrics 43:193-199; Jennison and Turnbull (2000), ch. 2.

    Example:
        Table 2.3 of Jennison and Turnbull has 2.040 for five looks:

        >>> f"{constant_shape([0.2, 0.4, 0.6, 0.8, 1.0], shape=0.0)[-1]:.3f}"
        '2.040'
    """
    from scipy.optimize import brentq

    form = np.array(increasing("times", times)) ** (number("shape", shape) - 0.5)
    log_level = math.log(share("alpha", alpha)) - math.log(sides(sided))

    def excess(constant: float) -> float:
        high = constant * form
        low = -high if sided == 2 else np.full(form.size, -math.inf)
        return fixed_bounds(times, low, high).log_spent[-1] - log_level

    single = -float(special.ndtri_exp(log_level))
    most = -float(special.ndtri_exp(log_level - math.log(form.size)))
    ends = 0.999 * single / float(form.max()), 1.001 * most / float(form.min())
    constant: float = brentq(excess, *ends, xtol=1e-12, rtol=1e-14)
    return constant * form


def last_bound(times: Sequence[float], earlier: Sequence[float], *, alpha: float = 0.05, sided: int = 2) -> float:
    """
    Bound of the last look that uses up alpha after earlier bounds chosen freely (Haybittle and Peto).

    Args:
        times: Shape (k,). Information at each look.
        earlier: Shape (k - 1,). Bounds of z before the last.

    Raises:
        ValueError: If the earlier bounds have used up alpha.

    Source:
        Haybittle (1971), Br. J. Radiol. 44:793-797; Peto et al. (1976), Br. J. Cancer 34:585-612.

    Example:
        rpact, typeOfDesign = "HP", has 1.9827514:

        >>> f"{last_bound([0.25, 0.5, 0.75, 1.0], [3.0, 3.0, 3.0], alpha=0.025, sided=1):.6f}"
        '1.982751'
    """
    high = np.append(np.asarray(earlier, dtype=np.float64), MAX_BOUND)
    looks = fixed_bounds(times, -high if sides(sided) == 2 else np.full(high.size, -np.inf), high)
    spent = looks.log_spent[-2] if high.size > 1 else -math.inf
    left = log_difference(math.log(share("alpha", alpha)) - math.log(sided), spent)
    if left == -math.inf:
        raise ValueError(f"earlier bounds use up alpha {alpha}; give higher ones")
    return bound_above(looks.layers[-1], looks.times[-1], left) / math.sqrt(looks.times[-1])


def _capped(layer: Layer | None, time: float, log_target: float) -> float:
    if log_target <= float(special.log_ndtr(-MAX_BOUND)):
        return MAX_BOUND
    return min(MAX_BOUND, bound_above(layer, time, log_target) / math.sqrt(time))
