"""
How likely chance alone gives a Kolmogorov-Smirnov distance of some size.

The same algorithm for the same arguments as `scipy.stats.kstwo.sf`, without importing all of `scipy.stats`,
and without its slow sum of n terms.

Sources:
    Simard and L'Ecuyer (2011), J. Stat. Softw. 39(11): which formula where.
    Marsaglia, Tsang and Wang (2003), J. Stat. Softw. 8(18): powers of Durbin's matrix.
    Pelz and Good (1976), J. R. Stat. Soc. B 38:152-156: the series in 1/sqrt(n).
    Birnbaum and Tingey (1951), Ann. Math. Stat. 22:592-596: the one-sided sum.
    Loader (2000), Fast and accurate computation of binomial probabilities.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

_SMALL = 140  # up to here the matrix is exact and quick
_TERMS = 4096  # of the one-sided sum that are enough for 15 digits
_LONG = 1_000_000  # beyond, scipy's Smirnov is Feller's quick limit, 2e-8 off
_UNIT = 2.0**128


def two_sided_p(distance: float, n: int) -> float:
    """
    Chance that n values are as far from their distribution as *distance*, or farther.

    Args:
        distance: Kolmogorov-Smirnov D, 0 to 1.
        n: Values; of two samples round(n m / (n + m)).

    Example:
        >>> f"{two_sided_p(0.3, 50):.6f}"
        '0.000174'
    """
    t, scaled = n * distance, n * distance * distance
    if t <= 0.5:  # always so without values
        return 1.0
    if distance >= 1:
        return 0.0
    if t <= 1:
        return 1 - math.exp(_log_factorial_share(n) + n * math.log(2 * t - 1))
    if t >= n - 1:
        return float(2 * (1 - distance) ** n)
    if distance >= 0.5 or scaled >= (4.0 if n <= _SMALL else 2.2):
        return 0.0 if scaled >= 370 and n > _SMALL else min(1.0, 2 * one_sided_p(distance, n))
    exact = n <= _SMALL or (n <= 100_000 and n * distance**1.5 <= 1.4)
    return min(1.0, max(0.0, 1 - (_durbin(n, distance) if exact else _pelz_good(n, distance))))


def one_sided_p(distance: float, n: int) -> float:
    """
    Chance that the empirical distribution function of n values runs ahead by *distance* or more.

    Every term of the sum is positive and smooth in its number, and vanishes at both ends; so a long sum is that of
    evenly spaced terms times their spacing, to all digits.
    """
    last = math.floor(n * (1 - distance))
    if n <= _TERMS or n > _LONG or distance >= 0.5:
        return float(special.smirnov(n, distance))
    step = max(1, last // _TERMS)
    j = np.arange(step, min(last, n - 1) + 1, step, dtype=np.float64)
    gap = n * distance
    left = n - j
    kept = left > gap
    j, left = j[kept], left[kept]
    exponent = _below(gap / j) * j + _below(-gap / left) * left
    chance = np.exp(exponent + _stirling(n) - _stirling(j) - _stirling(left)) * np.sqrt(n / (2 * math.pi * j * left))
    return float(step * distance * np.sum(chance / (distance + j / n)) + math.exp(n * math.log1p(-distance)))


def _below(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find log(1 + x) - x, also for small x."""
    direct = np.log1p(x) - x
    small = np.abs(x) < 0.01
    if not small.any():
        return direct
    y = x[small]
    powers = np.polyval([(-1) ** (k + 1) / k for k in range(9, 1, -1)], y)
    direct[small] = powers * y * y
    return direct


def _stirling(n: "NDArray[np.float64] | int") -> "NDArray[np.float64] | float":
    """What log n! is more than Stirling's n log n - n + log(2 pi n) / 2."""
    inverse = 1.0 / n
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))


def _log_factorial_share(n: int) -> float:
    """Find log(n! / n**n) without the large terms that cancel."""
    if n < 20:
        return math.log(math.factorial(n)) - n * math.log(n)
    return math.log(2 * math.pi * n) / 2 - n + float(_stirling(n))


def _durbin(n: int, distance: float) -> float:
    """Distribution function: the middle of the n-th power of a matrix, times n! / n**n."""
    k = math.ceil(n * distance)
    h, size = k - n * distance, 2 * k - 1
    power, exponent = _matrix_power(_durbin_matrix(h, size), n, k - 1)
    value = power[k - 1, k - 1]
    return float(math.exp(math.log(value) + exponent * math.log(_UNIT) + _log_factorial_share(n))) if value > 0 else 0.0


def _durbin_matrix(h: float, size: int) -> NDArray[np.float64]:
    order = np.arange(1, size + 1)
    inverse = np.exp(-special.gammaln(order + 1.0))
    steps = order[:, None] - order[None, :] + 1
    matrix = np.where(steps >= 0, np.exp(-special.gammaln(np.maximum(steps, 0) + 1.0)), 0.0)
    edge = (1 - h**order) * inverse
    edge[-1] = (1 - 2 * h**size + max(2 * h - 1, 0.0) ** size) * inverse[-1]
    matrix[:, 0] = edge
    matrix[-1, :] = edge[::-1]
    return matrix


def _matrix_power(matrix: NDArray[np.float64], n: int, middle: int) -> tuple[NDArray[np.float64], int]:
    """The power, and how often it was divided by 2**128."""
    power, exponent, own = np.eye(matrix.shape[0]), 0, 0
    while n:
        if n % 2:
            power, exponent = power @ matrix, exponent + own
            power, exponent = _rescaled(power, exponent, middle)
        matrix, own = _rescaled(matrix @ matrix, 2 * own, middle)
        n //= 2
    return power, exponent


def _rescaled(matrix: NDArray[np.float64], exponent: int, middle: int) -> tuple[NDArray[np.float64], int]:
    return (matrix / _UNIT, exponent + 1) if matrix[middle, middle] > _UNIT else (matrix, exponent)


def _pelz_good(n: int, distance: float) -> float:
    """Distribution function, K0 + K1 / n**.5 + K2 / n + K3 / n**1.5."""
    z = math.sqrt(n) * distance
    if math.pi**2 / 8 / z**2 > 708:
        return 0.0
    a, b, c = z**2, math.pi**2, math.pi**4
    odd = np.arange(1, 2 * math.ceil(16 * z / math.pi), 2, dtype=np.float64) ** 2
    even = np.arange(1, math.ceil(16 * z / math.pi) + 1, dtype=np.float64) ** 2
    first, second = np.exp(-b * odd / (8 * a)), np.exp(-b * even / (2 * a))
    root = math.sqrt(2 * math.pi)
    k0 = root / z * first.sum()
    k1 = root / (6 * z**4) * np.sum(first * (-a + b / 4 * odd))
    k2 = root / (72 * z**7) * np.sum(
        first * (6 * a**3 + 2 * a**2 + (2 * a**2 - 5 * a) * b / 4 * odd + c * (1 - 2 * a) / 16 * odd**2)
    ) - root * b / (36 * z**3) * np.sum(even * second)
    k3 = root / (6480 * z**10) * np.sum(
        first
        * (
            -30 * a**3
            - 90 * a**4
            + b * (135 * a**2 - 96 * a**3) / 4 * odd
            + c * (212 * a**2 - 60 * a) / 16 * odd**2
            + b * c * (5 - 30 * a) / 64 * odd**3
        )
    ) + root * b / (216 * z**6) * np.sum((3 * a - b * even) * even * second)
    return float(k0 + k1 / n**0.5 + k2 / n + k3 / n**1.5)
