"""Logarithms of tail probabilities, where the probability itself would underflow."""

import math

import numpy as np
from scipy import special, stats

_TERMS = 20_000


def log_two_sided_t(t: float, freedom: float) -> float:
    """
    Log of the two-sided p-value of Student's t.

    Where the tail underflows, the incomplete beta function's power series is summed in
    logarithms; `scipy.stats.t.logsf` gives -inf there.

    Source:
        NIST Digital Library of Mathematical Functions, 8.17.8 and 15.2.1.

    Example:
        >>> f"{log_two_sided_t(2.0, 10.0):.6f} {log_two_sided_t(1e30, 50.0):.2f}"
        '-2.611961 -3343.06'
    """
    plain = 2 * float(special.stdtr(freedom, -abs(t)))
    if plain > 1e-290:
        return min(0.0, math.log(plain))
    if not math.isfinite(freedom):
        return math.log(2) + float(stats.norm.logsf(abs(t)))
    a, b = freedom / 2, 0.5
    x = 1 / (1 + t * t / freedom)
    log_x = -math.log1p(t * t / freedom)
    ratios = (a + b + np.arange(_TERMS)) / (a + 1 + np.arange(_TERMS)) * x
    series = 1 + float(np.sum(np.cumprod(ratios)))
    return a * log_x + b * math.log1p(-x) - math.log(a) - float(special.betaln(a, b)) + math.log(series)


def log_two_sided_z(z: float) -> float:
    """
    Log of the two-sided p-value of a standard normal.

    Example:
        >>> f"{log_two_sided_z(1.959964):.4f} {log_two_sided_z(60.0):.1f}"
        '-2.9957 -1804.3'
    """
    return min(0.0, math.log(2) + float(stats.norm.logsf(abs(z))))


def log_binomial_tail(few: int, n: int) -> float:
    """
    Log of P(X <= few), X binomial with n trials of probability 1/2.

    Example:
        >>> f"{log_binomial_tail(2, 10):.6f} {log_binomial_tail(0, 2000):.2f}"
        '-2.906296 -1386.29'
    """
    plain = float(special.bdtr(few, n, 0.5))
    if plain > 1e-290:
        return math.log(plain)
    # Terms fall at least as fast as those of a geometric series, so the last thousands are enough.
    return float(special.logsumexp(stats.binom.logpmf(np.arange(max(0, few - _TERMS), few + 1), n, 0.5)))
