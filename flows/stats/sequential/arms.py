"""
Two arms of different callers: standard error and information time that survive early looks.

Waiting for a fixed number of values is not enough at uneven splits. At 95/5, a rate of .002
and the usual (Welch) error, 61 % of A/A tests were rejected at alpha 5 %: a small arm that
has seen few events believes its variance to be tiny. Here the large arm lends it its own: the
error is not smaller than the pooled one; see the figures in the docs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EVEN, _UNEVEN = 1.25, 2.0


class Arms(NamedTuple):
    """
    What a boundary needs to know of two arms; scalars or arrays of one shape.

    Attributes:
        error: Standard error of the difference.
        time: Information time in values per arm of an evenly split experiment.
    """

    error: NDArray[np.float64]
    time: NDArray[np.float64]


def arms(
    n1: ArrayLike, unit1: ArrayLike, n2: ArrayLike, unit2: ArrayLike, pooled: ArrayLike, guard: ArrayLike = 1.0
) -> Arms:
    """
    Standard error and information time of a difference of two arms.

    Args:
        n1, n2: Values per arm.
        unit1, unit2: Variances of one value; on the log-ratio scale divided by the squared mean.
        pooled: The same under equality, from both arms together.
        guard: Share, 0 to 1, of what the pooled squared error exceeds Welch's by that is added to it.

    Returns:
        Standard error: from a split of 2 to 1, and at guard 1, the larger of Welch's and the pooled one; up to
        5 to 4 Welch's; and the time at which equally many values per arm would give that error.

    Example:
        >>> even, uneven = arms(50, 1.0, 50, 1.0, 1.0), arms(950, 1.0, 50, 0.01, 0.95)
        >>> [f"{float(x):.3f}" for x in (*even, *uneven)]
        ['0.200', '50.000', '0.141', '50.500']
    """
    n1, unit1, n2, unit2 = (np.asarray(x, dtype=np.float64) for x in (n1, unit1, n2, unit2))
    welch = unit1 / n1 + unit2 / n2
    excess = np.asarray(pooled, dtype=np.float64) * (1 / n1 + 1 / n2) - welch
    uneven = np.clip((np.maximum(n1, n2) / np.minimum(n1, n2) - _EVEN) / (_UNEVEN - _EVEN), 0.0, 1.0)
    square = welch + uneven * np.asarray(guard, dtype=np.float64) * np.maximum(excess, 0.0)
    seen = square > 0
    time = np.divide(unit1 + unit2, square, out=np.ones_like(square), where=seen)
    return Arms(np.sqrt(square), np.maximum(time, np.finfo(float).tiny))


def pooled_variance(n1: float, unit1: float, n2: float, unit2: float) -> float:
    """Variance of one value, were it the same in both arms."""
    return ((n1 - 1) * unit1 + (n2 - 1) * unit2) / (n1 + n2 - 2)


def effective_events(n: float, mean: float, unit: float) -> float:
    """
    How many equal events would leave the mean as uncertain: squared sum over sum of squares.

    For 0/1 outcomes it is the number of ones; for a sum of money in a few of many rows about the number of
    rows with money.

    Args:
        n: Values.
        mean: Their mean.
        unit: Their variance, with n - 1 in the denominator.

    Example:
        >>> f"{effective_events(1000, 0.012, 0.012 * 0.988 * 1000 / 999):.6f}"
        '12.000000'
    """
    square = mean * mean + unit * (n - 1) / n if n else 0.0
    return n * mean * mean / square if square > 0 else 0.0
