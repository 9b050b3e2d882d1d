"""
What chance alone would show; counts in, probabilities out.

Sources:
    Population stability index: without drift it is about (1/n + 1/m) chi2(k - 1)
    (Yurdakul 2018), so any fixed threshold is passed by chance if k is large or n or m small.
    With e rows expected in a bin its mean and variance are greater by .6/e and 2/e, from the exact
    moments for Poisson counts at e = 6 to 50; fewer than 5 rows add no more.
    Chi-square with Yates's correction for two shares; where few cases are expected, the
    binomial tail given their total, which is never below that of Fisher's exact test.
    Levels on one side only: if both samples come from one distribution, the rows of a level
    are dealt to them like cards, and all of its s rows fall to one of them with a
    probability of at most (its share of all rows)^s.
"""

import math

from scipy import special

NULL_QUANTILE = 0.999
_EXPECTED = 5.0  # cases below which chi-square is no good approximation


def psi_by_chance(n: int, m: int, bins: int, quantile: float = NULL_QUANTILE) -> float:
    """
    Quantile of the index between two samples of one distribution.

    Args:
        n: Values of the reference.
        m: Values of the window.
        bins: Bins or levels.
        quantile: Strictly between 0 and 1.

    Example:
        >>> f"{psi_by_chance(5000, 1000, 10):.3f} {psi_by_chance(1000, 1000, 200):.3f}"
        '0.034 0.606'
    """
    if n == 0 or m == 0 or bins < 2:
        return 0.0
    expected = max(_EXPECTED, min(n, m) / bins)
    mean, variance = (bins - 1) * (1 + 0.6 / expected), 2 * (bins - 1) * (1 + 2 / expected)
    return (1 / n + 1 / m) * float(special.gammaincinv(mean**2 / variance, quantile)) * variance / mean


def free_of_chance(statistic: float, n: int, m: int, bins: int) -> float:
    """
    Cramer's V less what chance adds to it: root of V squared minus its mean without drift.

    Args:
        statistic: V as it would be if both samples were equally large.
        n: Values of the reference.
        m: Values of the window.
        bins: Levels.

    Source:
        V squared is a quarter of the chi-square distance of the shares, whose mean without
        drift is (k - 1)(1/n + 1/m); as Bergsma (2013), J. Korean Stat. Soc. 42:323-328.

    Example:
        >>> f"{free_of_chance(0.32, 1000, 1000, 200):.3f}"
        '0.054'
    """
    if n == 0 or m == 0:
        return 0.0
    return math.sqrt(max(0.0, statistic**2 - (bins - 1) * (1 / n + 1 / m) / 4))


def share_change(reference: tuple[int, int], current: tuple[int, int]) -> tuple[float, float]:
    """
    Compare two shares.

    Args:
        reference: Cases, and rows.
        current: Cases, and rows.

    Returns:
        Current minus reference share, and its two-sided p-value; 1 where there is no case,
        or nothing but cases.

    Example:
        >>> change, p = share_change((0, 5000), (3, 1000))
        >>> f"{change:.3f} {p:.4f}"
        '0.003 0.0093'
    """
    (a, n), (b, m) = reference, current
    if n == 0 or m == 0 or a + b in (0, n + m):
        return 0.0, 1.0
    fewer = min(a + b, n + m - a - b)
    few = fewer * min(n, m) / (n + m) < _EXPECTED
    if not few:
        return b / m - a / n, _yates(a, n, b, m)
    case, total = (b, a + b) if a + b == fewer else (m - b, n + m - a - b)
    return b / m - a / n, _binomial(case, total, m / (n + m))


def one_sided(seen: int, here: int, there: int) -> float:
    """
    Bound the chance that all of *seen* rows are among *here* rows and none is among *there* others.

    Example:
        >>> one_sided(5, 1000, 1000)
        0.03125
    """
    return float((here / (here + there)) ** seen) if here + there else 1.0


def outside_by_chance(outside: int, n: int, m: int) -> float:
    """
    Bound the chance that so many of m values lie beyond the least and the greatest of n others.

    Example:
        >>> f"{outside_by_chance(8, 1000, 1000):.3f}"
        '0.035'
    """
    return min(1.0, (outside + 1) * one_sided(outside, m, n))


def _yates(a: int, n: int, b: int, m: int) -> float:
    rows, cases = n + m, a + b
    off = max(0.0, abs(a * m - b * n) - rows / 2)
    scale = float(n) * m * cases * (rows - cases)
    return float(special.chdtrc(1, rows * off**2 / scale))


def _binomial(case: int, total: int, share: float) -> float:
    least = float(special.bdtr(case, total, share))
    most = float(special.bdtrc(case - 1, total, share)) if case else 1.0
    return min(1.0, 2 * min(least, most))
