"""What all sample sizes share: quantiles, and power turned around."""

import math
from collections.abc import Callable
from typing import Literal

from scipy import optimize, special

from flows.stats.checks import number, share

Sides = Literal[1, 2]
MOST = 1e12


def quantiles(alpha: float, power: float, sides: Sides) -> tuple[float, float]:
    """
    Normal quantiles of the test and of its power.

    Example:
        >>> "{:.4f} {:.4f}".format(*quantiles(0.05, 0.8, 2))
        '1.9600 0.8416'
    """
    return critical(alpha, sides), float(special.ndtri(share("power", power)))


def critical(alpha: float, sides: Sides) -> float:
    """Normal quantile beyond which a test of *alpha* rejects."""
    share("alpha", alpha)
    if sides not in (1, 2):
        raise ValueError(f"sides is {sides}; give 1 or 2")
    return float(-special.ndtri(alpha / sides))


def normal_power(shift: float, null_error: float, error: float, bound: float, sides: Sides) -> float:
    """
    Chance that a normal statistic passes its bound.

    Args:
        shift: Expected estimate, in the direction that the test should see.
        null_error, error: Standard errors under equality, and under the effect.
        bound: Normal quantile of the test.
        sides: With 2, rejecting in the wrong direction counts, too.
    """
    right = float(special.ndtr((shift - bound * null_error) / error))
    wrong = float(special.ndtr((-shift - bound * null_error) / error)) if sides == 2 else 0.0
    return right + wrong


def smallest_n(power_at: Callable[[float], float], power: float, *, least: float = 2.0) -> float:
    """
    Sample size from which a power is reached.

    Args:
        power_at: Power of a (real) sample size, increasing.
        power: Wanted.
        least: Where to start.

    Returns:
        A real number, so that it can be compared with other software; round it up.

    Raises:
        ValueError: If no sample up to 1e12 is enough.

    Example:
        >>> f"{smallest_n(lambda n: 1 - 1 / n, 0.9):.6f}"
        '10.000000'
    """
    share("power", power)
    if power_at(least) >= power:
        return least
    high = least
    while power_at(high) < power:
        high *= 4
        if high > MOST:
            raise ValueError(f"power {power} is not reached by {MOST:.0e} rows; the effect is too small, or none")
    root = optimize.brentq(
        lambda log_n: power_at(math.exp(log_n)) - power, math.log(high / 4), math.log(high), xtol=1e-13
    )
    return float(math.exp(root))


def smallest_effect(power_of: Callable[[float], float], power: float, *, largest: float) -> float:
    """
    Minimum detectable effect: the smallest one whose chance of being seen is *power*.

    Args:
        power_of: Power of an effect above 0, increasing.
        power: Wanted.
        largest: Effect beyond which there is none, e.g. 1 minus the champion's accuracy.

    Returns:
        inf when even the largest effect would be missed.

    Example:
        >>> from flows.stats.planning.proportions import two_proportions_power
        >>> f"{0.5 + smallest_effect(lambda d: two_proportions_power(50, 0.5, 0.5 + d), 0.9, largest=0.4999):.4f}"
        '0.8026'
    """
    share("power", power)
    if not largest > 0:
        raise ValueError(f"largest is {largest}; it must be above 0")
    if power_of(largest) < power:
        return math.inf
    tiny = largest * 1e-9
    if power_of(tiny) >= power:
        return tiny
    return float(optimize.brentq(lambda effect: power_of(effect) - power, tiny, largest, xtol=1e-14, rtol=1e-12))


def positive(name: str, value: float) -> float:
    """Above 0 and finite."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; it must be above 0 and finite")
    return value


def reachable(shift: float, margin: float, sides: Sides) -> None:
    """Refuse an effect that no sample would show."""
    number("the effect", shift)
    if shift == 0 or (shift < 0 and (margin > 0 or sides == 1)):
        raise ValueError(f"the effect is {shift:g} from the bound; it must lie beyond it for any n to be enough")
