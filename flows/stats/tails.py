"""Logarithms of tail probabilities, where the probability itself would underflow."""

import math
import sys

import numpy as np
from numpy.typing import NDArray
from scipy import special

_TERMS = 20_000
_FRACTIONS = 500
_LARGEST = sys.float_info.max


def log_two_sided_t(t: float, freedom: float) -> float:
    """
    Log of the two-sided p-value of Student's t.

    Source:
        As `log_two_sided_t_array`.

    Example:
        >>> f"{log_two_sided_t(2.0, 10.0):.6f} {log_two_sided_t(1e30, 50.0):.2f}"
        '-2.611994 -3358.26'
    """
    return float(log_two_sided_t_array(np.array([t]), np.array([freedom]))[0])


def log_two_sided_t_array(t: NDArray[np.float64], freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Log of the two-sided p-values of Student's t, elementwise; normal where *freedom* is infinite.

    Where the tail underflows, the continued fraction of the incomplete beta function is
    worked out in logarithms; `scipy.stats.t.logsf` gives -inf there.

    Source:
        NIST Digital Library of Mathematical Functions, 8.17.22; figures from mpmath.

    Example:
        >>> log_two_sided_t_array(np.array([40.0, 40.0]), np.array([1e6, 1e8])).round(6).tolist()
        [-803.275178, -803.908887]
    """
    size = np.abs(t)
    plain = np.minimum(2 * special.stdtr(freedom, -size), 1.0)
    normal = np.isinf(freedom)
    deep = ~(plain > 1e-290) & ~normal
    found = np.log(np.where(deep | normal, 1.0, plain))
    if normal.any():
        found[normal] = np.minimum(0.0, math.log(2) + special.log_ndtr(-size[normal]))
    if deep.any():
        found[deep] = _log_deep_t(np.minimum(size[deep], _LARGEST), freedom[deep])
    return np.asarray(found)


def _log_deep_t(t: NDArray[np.float64], freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = freedom / 2, 0.5
    log_odds = 2 * np.log(t) - np.log(freedom)
    log_x, log_rest = -np.logaddexp(0.0, log_odds), -np.logaddexp(0.0, -log_odds)
    front = a * log_x + b * log_rest - np.log(a) - special.betaln(a, b)
    return np.asarray(front + np.log(_beta_fraction(a, b, np.exp(log_x))))


def _beta_fraction(a: NDArray[np.float64], b: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Continued fraction by Lentz's method; quick where x < (a + 1) / (a + b + 2)."""
    c, d = np.ones_like(x), 1 / (1 - (a + b) * x / (a + 1))
    found = d.copy()
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = np.ones_like(x)
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            change = d * c
            found = found * change
        if np.all(np.abs(change - 1) < 1e-12):
            break
    return found


def log_two_sided_z(z: float) -> float:
    """
    Log of the two-sided p-value of a standard normal.

    Example:
        >>> f"{log_two_sided_z(1.959964):.4f} {log_two_sided_z(60.0):.1f}"
        '-2.9957 -1804.3'
    """
    return min(0.0, math.log(2) + float(special.log_ndtr(-abs(z))))


def log_binomial_tail(few: int, n: int) -> float:
    """
    Log of P(X <= few), X binomial with n trials of probability 1/2.

    Example:
        >>> f"{log_binomial_tail(2, 10):.6f} {log_binomial_tail(0, 2000):.2f}"
        '-2.906120 -1386.29'
    """
    plain = float(special.bdtr(few, n, 0.5))
    if plain > 1e-290:
        return math.log(plain)
    from scipy import stats

    # Terms fall at least as fast as those of a geometric series, so the last thousands are enough.
    return float(special.logsumexp(stats.binom.logpmf(np.arange(max(0, few - _TERMS), few + 1), n, 0.5)))


def log_chi2(statistic: float, freedom: float) -> float:
    """
    Log of P(X > statistic), X chi-square.

    Where the tail underflows, the incomplete gamma function's continued fraction is
    used; `scipy.stats.chi2.logsf` gives -inf there.

    Source:
        NIST Digital Library of Mathematical Functions, 8.9.2.

    Example:
        >>> f"{log_chi2(3.841459, 1):.4f} {log_chi2(3600.0, 1):.1f} {log_two_sided_z(60.0):.1f}"
        '-2.9957 -1804.3 -1804.3'
    """
    plain = float(special.chdtrc(freedom, statistic))
    if plain > 1e-290:
        return math.log(plain)
    a, x = freedom / 2, statistic / 2
    fraction = 0.0
    for k in range(_FRACTIONS, 0, -1):
        fraction = k * (k - a) / (x + 2 * k + 1 - a - fraction)
    return a * math.log(x) - x - float(special.gammaln(a)) - math.log(x + 1 - a - fraction)
