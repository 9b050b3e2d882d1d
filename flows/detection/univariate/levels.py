"""
How different two samples of one categorical column are; counts per level in, numbers out.

Sources:
    Pearson (1900): chi-square; here of homogeneity, both samples random.
    Cramer (1946), Mathematical Methods of Statistics: V.
    Cochran (1954), Biometrics 10:417-451: at least 5 rows expected.
    Fisher (1935): the exact test where a level is too rare for chi-square.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.detection.univariate.ranks import Floats

EXPECTED = 5.0  # counts below which chi-square is no good approximation
_TIE = 1 + 1e-7  # probabilities this close are equal
_SIGMAS = 4.0  # how sure it is that a level of some size is among those that a profile keeps


def chi_square(reference: Floats, current: Floats) -> tuple[float, float]:
    """
    Chi-square and its p-value, as `scipy.stats.chi2_contingency(..., correction=False)`.

    Args:
        reference: Rows per level, shape (k,).
        current: Rows per level, shape (k,); levels that are empty on both sides are left out.

    Returns:
        0 and 1 where either side is empty or there is but one level.

    Example:
        >>> x, p = chi_square(np.array([50.0, 50.0]), np.array([70.0, 30.0]))
        >>> f"{x:.4f} {p:.5f}"
        '8.3333 0.00389'
    """
    total = reference + current
    n, m, k = float(reference.sum()), float(current.sum()), int((total > 0).sum())
    if n == 0 or m == 0 or k < 2:
        return 0.0, 1.0
    total = np.where(total > 0, total, 1.0)
    ours, theirs = total * (n / (n + m)), total * (m / (n + m))
    apart = (reference - ours) ** 2 / ours + (current - theirs) ** 2 / theirs
    x = float(apart[reference + current > 0].sum())
    return x, float(special.chdtrc(k - 1, x))


def cramers_v(chi2: float, rows: float) -> float:
    """Cramer's V proper, 0 to 1, of a table of two samples. It falls with the ratio of their sizes."""
    return math.sqrt(chi2 / rows) if rows else 0.0


def even_v(reference: Floats, current: Floats) -> float:
    """
    Cramer's V as it would be if both samples were equally large, 0 to 1: a gate that a long reference cannot close.

    Example:
        >>> f"{even_v(np.array([50.0, 50.0]), np.array([70.0, 30.0])):.4f}"
        '0.2041'
    """
    n, m = float(reference.sum()), float(current.sum())
    if n == 0 or m == 0:
        return 0.0
    p, q = reference / n, current / m
    both = np.where(p + q > 0, p + q, 1.0)
    return math.sqrt(min(1.0, float(np.sum((p - q) ** 2 / both)) / 2))


def homogeneity(reference: Floats, current: Floats) -> float:
    """
    P-value of the chi-square test of homogeneity where it is valid, with Fisher's exact test where it is not.

    Levels of which fewer than 5 rows are expected on a side are too rare for chi-square: together they are tested
    against all others by Fisher's exact test, and p is the smaller of the two p-values, doubled; 1 if all are that
    rare.
    """
    n, m = float(reference.sum()), float(current.sum())
    if reference.size < 2 or n == 0 or m == 0:
        return 1.0
    rare = (reference + current) * (min(n, m) / (n + m)) < EXPECTED
    tests = [chi_square(reference[~rare], current[~rare])[1]] if (~rare).sum() > 1 else []
    if 0 < rare.sum() < rare.size:
        tests.append(fisher((float(reference[rare].sum()), n), (float(current[rare].sum()), m)))
    return min(1.0, len(tests) * min(tests)) if tests else 1.0


def fisher(reference: tuple[float, float], current: tuple[float, float]) -> float:
    """
    Two-sided p-value of Fisher's exact test, as `scipy.stats.fisher_exact`.

    Args:
        reference: Cases, and rows.
        current: Cases, and rows.
    """
    (a, n), (b, m) = reference, current
    cases = round(a + b)
    possible = np.arange(max(0, cases - round(m)), min(cases, round(n)) + 1, dtype=np.float64)
    log = _log_choose(n, possible) + _log_choose(m, cases - possible)
    chances = np.exp(log - special.logsumexp(log))
    seen = chances[int(round(a) - possible[0])]
    return min(1.0, float(chances[chances <= seen * _TIE].sum()))


def pooled(
    reference: Floats, current: Floats, *, known: NDArray[np.bool_] | None = None, rest: float = 0.0
) -> tuple[Floats, Floats]:
    """
    Make the levels too rare for a chi-square one bin, the last.

    Which levels stand alone depends on both samples together, never on one of them: the most frequent levels of one
    sample are always less frequent in the next.

    Args:
        reference: Rows per level, shape (k,).
        current: Rows per level, shape (k,).
        known: Levels that the reference names, all by default.
        rest: Rows of the reference in levels that were not kept, all of them rarer than those that were; then every
            level that the reference does not name belongs to that bin.
    """
    n, m = float(reference.sum()) + rest, float(current.sum())
    least = EXPECTED * (n + m) / max(1.0, min(n, m))
    named = np.ones(reference.size, dtype=np.bool_) if known is None or not rest else known
    if rest and m and named.any():
        least = max(least, _surely_kept(float(reference[named].min()), n / (n + m)))
    alone = named & (reference + current >= least)
    ours, theirs = reference[alone], current[alone]
    if n > ours.sum() or m > theirs.sum():
        ours, theirs = np.append(ours, n - ours.sum()), np.append(theirs, m - theirs.sum())
    return ours, theirs


def _surely_kept(rarest: float, share: float) -> float:
    """Rows in both samples of a level that without drift has surely more than *rarest* in the reference."""
    noise = _SIGMAS * math.sqrt(share * (1 - share))
    return ((noise + math.sqrt(noise**2 + 4 * share * rarest)) / (2 * share)) ** 2


def _log_choose(n: float, k: Floats) -> Floats:
    chosen: Floats = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return chosen
