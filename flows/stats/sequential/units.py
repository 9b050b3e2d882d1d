"""The unit of randomisation: what one key, or one value, adds to an estimate."""

import math
from typing import NamedTuple

from flows.stats.checks import Pairs, numbers, pair_numbers
from flows.stats.moments import CoMoments

_MIN_KEYS = 20


class Unit(NamedTuple):
    """
    Estimate of one arm and the variance that one unit contributes to it.

    Attributes:
        n: Units.
        mean: The estimate: a mean, or a ratio sum(y) / sum(x).
        variance: n times the estimate's squared standard error.
        note: Why there is no estimate; empty when there is one.
    """

    n: int
    mean: float
    variance: float
    note: str = ""


def unit(name: str, keys: Pairs) -> Unit:
    """
    Ratio sum(y) / sum(x) over keys, its variance linearised about the ratio.

    Args:
        name: Of the arm, for messages.
        keys: Co-moments over keys: x the denominator, y the numerator; or the two arrays.

    Raises:
        ValueError: If the co-moments are of no sample.

    Source:
        Deng, Knoblich, Lu (2018), KDD.

    Example:
        >>> found = unit("champion", CoMoments(n=40, mean_x=2.0, mean_y=1.0, m2_x=10.0, m2_y=20.0, co=5.0))
        >>> f"{found.mean} {found.variance:.9f}"
        '0.5 0.112179487'
    """
    keys = CoMoments(*keys) if len(keys) == 6 else pair_numbers(name, keys)
    n, mean_x, m2_x = numbers(f"{name}'s denominator", (keys.n, keys.mean_x, keys.m2_x))
    _, mean_y, m2_y = numbers(f"{name}'s numerator", (keys.n, keys.mean_y, keys.m2_y))
    if not math.isfinite(keys.co) or keys.co**2 > m2_x * m2_y * (1 + 1e-6) + 1e-12:
        raise ValueError(f"co of {name} is {keys.co}; it cannot exceed the root of m2_x times m2_y in size")
    ratio = mean_y / mean_x if mean_x > 0 else 0.0
    if n * mean_x**2 < _MIN_KEYS * (mean_x**2 + m2_x / n if n else 1.0) or mean_x <= 0:
        return Unit(n, ratio, 0.0, f"the {name} has fewer than {_MIN_KEYS} effective keys")
    rest = max(0.0, m2_y - 2 * ratio * keys.co + ratio**2 * m2_x)
    return Unit(n, ratio, rest / (n - 1) / mean_x**2)
