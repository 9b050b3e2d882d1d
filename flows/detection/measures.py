"""
How different two samples of one column are, and how sure that is; arrays in, numbers out.

Sources:
    Kolmogorov (1933), Smirnov (1939), two samples; the p-value as scipy's "asymp".
    Chi-square test of homogeneity, both samples random.
    Population stability index: without drift it is about (1/n + 1/m) chi2(k - 1)
    (Yurdakul 2018), so any fixed threshold is passed by chance if k is large or n or m small.
    Fisher's exact test where a level is too rare for chi-square.
    Benjamini and Hochberg (1995).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
NULL_QUANTILE = 0.999
EXPECTED = 5.0  # counts below which chi-square is no good approximation
_SIGMAS = 4.0  # how sure it is that a level of some size is among those that a profile keeps


def ks(reference: Floats, current: Floats, *, n: int | None = None) -> tuple[float, float]:
    """
    Compare two samples of numbers.

    Args:
        reference: Sorted. A whole sample, or equally spaced quantiles of *n* values.
        current: Sorted, shape (m,).
        n: Values behind the reference, if it is not all of them.

    Returns:
        Kolmogorov-Smirnov D and its two-sided p-value. From a whole sample both are those
        of `scipy.stats.ks_2samp(..., method="asymp")`. From q quantiles D is off by at most
        1/(q - 1), and the p-value is that of a D lowered by as much, so never too small.
        With ties the p-value is too large, never too small.

    Example:
        >>> ours, theirs = np.arange(100.0), np.arange(100.0) + 30
        >>> d, p = ks(ours, theirs)
        >>> f"{d:.2f} {p:.6f}"
        '0.30 0.000174'
    """
    size, m = reference.size, current.size
    ahead = np.arange(1, size + 1) / size - np.searchsorted(current, reference, side="right") / m
    behind = np.arange(1, m + 1) / m - np.searchsorted(reference, current, side="right") / size
    d = float(max(ahead.max(), behind.max(), 0.0))
    whole = n is None or n <= size
    sure = d if whole else max(0.0, d - 1 / (size - 1))
    behind_it = size if n is None or whole else n
    return d, float(stats.kstwo.sf(sure, max(1, round(behind_it * m / (behind_it + m)))))


def psi(reference: Floats, current: Floats) -> tuple[float, float]:
    """
    Population stability index of two vectors of counts.

    Args:
        reference: Shape (k,).
        current: Shape (k,).

    Returns:
        The index, a bin that is empty on one side counted as half a value, and the
        index's 99.9 % quantile without drift; zeros where either side is empty or all
        values are in one bin.

    Example:
        >>> index, by_chance = psi(np.array([500.0, 500.0]), np.array([70.0, 30.0]))
        >>> f"{index:.4f} {by_chance:.4f}"
        '0.1695 0.1191'
    """
    seen = reference + current > 0
    reference, current = reference[seen], current[seen]
    n, m, k = float(reference.sum()), float(current.sum()), reference.size
    if n == 0 or m == 0 or k < 2:
        return 0.0, 0.0
    p, q = np.maximum(reference, 0.5) / n, np.maximum(current, 0.5) / m
    by_chance = (1 / n + 1 / m) * float(stats.chi2.ppf(NULL_QUANTILE, k - 1))
    return float(np.sum((p - q) * np.log(p / q))), by_chance


def decile_counts(reference: Floats, current: Floats, n: int) -> tuple[Floats, Floats]:
    """
    Count both samples in the reference's deciles.

    Deciles that coincide are one bin; values below a least value that is a decile by
    itself get a bin of their own.

    Args:
        reference: Sorted sample or quantiles of *n* values.
        current: Sorted.
        n: Values behind the reference.
    """
    edges = np.unique(order_statistics(reference, 11)[1:-1])
    if edges[0] == reference[0]:
        with np.errstate(over="ignore"):
            edges = np.append(np.nextafter(edges[0], -math.inf), edges)
    return _counts(reference, edges) * (n / reference.size), _counts(current, edges)


def order_statistics(values: Floats, count: int) -> Floats:
    """
    Sorted values at *count* equal steps from the least to the greatest.

    Never between two values, so that ties and gaps stay what they are; in whole numbers,
    so that no rounding picks a neighbour.

    Args:
        values: Sorted, at least one.
        count: At least two.
    """
    ranks = -(np.arange(count) * -values.size // (count - 1)) - 1
    return values[np.maximum(ranks, 0)]


def homogeneity(reference: Floats, current: Floats) -> tuple[float, float]:
    """
    Compare two vectors of counts over the same levels.

    Args:
        reference: Shape (k,).
        current: Shape (k,); no level empty in both.

    Returns:
        Cramer's V as it would be if both samples were equally large, 0 to 1, and the
        p-value of the chi-square test of homogeneity. Cramer's V proper falls with the
        ratio of the sample sizes, and could never pass a gate beside a long reference.

        Levels of which fewer than 5 rows are expected on a side are too rare for
        chi-square: together they are tested against all others by Fisher's exact test,
        and p is the smaller of the two p-values, doubled; 1 if all levels are that rare.

    Example:
        >>> v, p = homogeneity(np.array([50.0, 50.0]), np.array([70.0, 30.0]))
        >>> f"{v:.4f} {p:.5f}"
        '0.2041 0.00389'
    """
    n, m = float(reference.sum()), float(current.sum())
    if reference.size < 2 or n == 0 or m == 0:
        return 0.0, 1.0
    p, q = reference / n, current / m
    v = math.sqrt(float(np.sum((p - q) ** 2 / (p + q))) / 2)
    rare = (reference + current) * (min(n, m) / (n + m)) < EXPECTED
    tests = [_chi_square(reference[~rare], current[~rare])] if (~rare).sum() > 1 else []
    if 0 < rare.sum() < rare.size:
        ours, theirs = float(reference[rare].sum()), float(current[rare].sum())
        tests.append(_fisher((ours, n), (theirs, m)))
    return v, min(1.0, len(tests) * min(tests)) if tests else 1.0


def share_change(reference: tuple[int, int], current: tuple[int, int]) -> tuple[float, float]:
    """
    Compare two shares.

    Args:
        reference: Cases, and rows.
        current: Cases, and rows.

    Returns:
        Current minus reference share, and its two-sided p-value (chi-square with Yates's
        correction); 1 where there is no case, or nothing but cases.
    """
    (a, n), (b, m) = reference, current
    if n == 0 or m == 0 or a + b in (0, n + m):
        return 0.0, 1.0
    _, p_value, _, _ = stats.chi2_contingency(np.array([[a, n - a], [b, m - b]]), correction=True)
    return b / m - a / n, float(p_value)


def pooled(reference: Mapping[str, int], current: Mapping[str, int], rest: int = 0) -> tuple[Floats, Floats]:
    """
    Count per level; the levels too rare for a chi-square are one bin.

    Which levels stand alone depends on both samples together, never on one of them: the
    most frequent levels of one sample are always less frequent in the next.

    Args:
        reference: Rows per level.
        current: Rows per level, of all levels.
        rest: Rows of the reference in levels that were not kept, all of them rarer than
            those that were; then every level that the reference does not name belongs
            to that bin.
    """
    n, m = sum(reference.values()) + rest, sum(current.values())
    least = EXPECTED * (n + m) / max(1, min(n, m))
    if rest and reference and m:
        least = max(least, _surely_kept(min(reference.values()), n / (n + m)))
    together = {level: (reference.get(level, 0), current.get(level, 0)) for level in {**reference, **current}}
    kept = [pair for level, pair in together.items() if sum(pair) >= least and (level in reference or not rest)]
    ours, theirs = [float(a) for a, _ in kept], [float(b) for _, b in kept]
    if n > sum(ours) or m > sum(theirs):
        ours.append(n - sum(ours))
        theirs.append(m - sum(theirs))
    return np.array(ours), np.array(theirs)


def by_chance_absent(seen: int, here: int, there: int) -> float:
    """Bound the chance that a level seen *seen* times in a sample of *here* rows is in none of *there* others."""
    return float((here / (here + there)) ** seen) if here + there else 1.0


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values, in the same order."""
    return [float(p) for p in stats.false_discovery_control(p_values)] if p_values else []


def _counts(values: Floats, edges: Floats) -> Floats:
    cuts = np.searchsorted(values, edges, side="right")
    return np.diff(np.concatenate([[0], cuts, [values.size]])).astype(np.float64)


def _surely_kept(rarest: int, share: float) -> float:
    """Rows in both samples of a level that without drift has surely more than *rarest* in the reference."""
    spread = _SIGMAS * math.sqrt(share * (1 - share))
    return ((spread + math.sqrt(spread**2 + 4 * share * rarest)) / (2 * share)) ** 2


def _chi_square(reference: Floats, current: Floats) -> float:
    return float(stats.chi2_contingency(np.vstack([reference, current]), correction=False).pvalue)


def _fisher(reference: tuple[float, float], current: tuple[float, float]) -> float:
    (a, n), (b, m) = reference, current
    return float(stats.fisher_exact(np.array([[round(a), round(n - a)], [round(b), round(m - b)]])).pvalue)
