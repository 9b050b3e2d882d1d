"""
Two samples counted in the same bins, and how different the counts are.

Sources:
    Population stability index: Siddiqi (2006), Credit Risk Scorecards; without drift it is about
    (1/n + 1/m) chi2(k - 1) (Yurdakul 2018), so any fixed threshold is passed by chance if k is large or n or m small.
    Lin (1991), IEEE Trans. Inf. Theory 37:145-151: the Jensen-Shannon divergence.
"""

import math
from typing import Literal

import numpy as np

from flows.detection.univariate.ranks import Floats, fences, order_statistics

Binning = Literal["quantile", "width"]
_EMPTY = 0.5  # rows that an empty bin counts as, so that its logarithm exists


def edges(reference: Floats, binning: Binning = "quantile", count: int = 10) -> Floats:
    """
    Upper edges of all bins but the last, which belong to the bin below; the first and the last bin are open.

    Args:
        reference: Sorted sample, or quantiles.
        binning: "quantile": equally full, edges that coincide are one, and values below a least value that is an edge
            by itself get a bin of their own. "width": equally wide, from the least to the greatest value, single
            values far out (`fences`) left aside.
        count: Bins asked for, at least two.
    """
    if binning == "width":
        low, high = fences(reference)
        return np.unique(np.linspace(max(low, reference[0]), min(high, reference[-1]), count + 1)[1:-1])
    cuts = np.unique(order_statistics(reference, count + 1)[1:-1])
    if cuts[0] == reference[0]:
        with np.errstate(over="ignore"):
            cuts = np.append(np.nextafter(cuts[0], -math.inf), cuts)
    return cuts


def counted(values: Floats, cuts: Floats) -> Floats:
    """Values in each bin, shape (k + 1,), of sorted values and k edges."""
    return np.diff(values.searchsorted(cuts, "right"), prepend=0, append=values.size).astype(np.float64)


def psi(reference: Floats, current: Floats) -> float:
    """
    Population stability index of two vectors of counts.

    Args:
        reference: Shape (k,).
        current: Shape (k,).

    Returns:
        The index. A bin that is empty on one side counts as half a row there; one that is empty on both is left out.
        0 where either side is empty or all values are in one bin.

    Example:
        >>> f"{psi(np.array([500.0, 500.0]), np.array([70.0, 30.0])):.4f}"
        '0.1695'
    """
    seen = reference + current > 0
    n, m = float(reference.sum()), float(current.sum())
    if n == 0 or m == 0 or seen.sum() < 2:
        return 0.0
    p, q = np.maximum(reference[seen], _EMPTY) / n, np.maximum(current[seen], _EMPTY) / m
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon(reference: Floats, current: Floats) -> float:
    """
    Jensen-Shannon distance of two vectors of counts: the root of the divergence, base 2, 0 to 1.

    As `scipy.spatial.distance.jensenshannon(..., base=2)`; bins may be empty. 0 where either side is empty.
    """
    n, m = float(reference.sum()), float(current.sum())
    if n == 0 or m == 0:
        return 0.0
    p, q = reference / n, current / m
    divergence = (_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2) / math.log(2)
    return math.sqrt(min(1.0, max(0.0, divergence)))


def _entropy(shares: Floats) -> float:
    there = shares[shares > 0]
    return -float(np.sum(there * np.log(there)))
