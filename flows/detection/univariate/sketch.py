"""
A sample against equally spaced quantiles of another: what a stored profile allows to say.

The distribution function of the reference is known at its quantiles, and between two of them to one step, 1/1000.
"""

from typing import NamedTuple

import numpy as np

from flows.detection.univariate.kolmogorov import two_sided_p
from flows.detection.univariate.ranks import Floats, clipped, effective, fences, held_sd, spread

_SLACK = 0.05  # of a step: by so much quantiles were rounded
_PER_STEP = 8  # points of the window's quantile function per step


class Apart(NamedTuple):
    """Wasserstein distance in units of the values, scaled, and moved, as in `ColumnStatistics`."""

    wasserstein: float
    scaled: float | None
    moved: float | None


def sketched_ks(quantiles: Floats, current: Floats, n: int) -> tuple[float, float]:
    """
    Kolmogorov-Smirnov of *n* values of which only quantiles are known.

    Args:
        quantiles: Sorted, shape (q,), at equal steps of rank; runs of equal ones are ties.
        current: Sorted, shape (m,).
        n: Values behind the quantiles.

    Returns:
        D at the quantiles, at most 1.1 / (q - 1) smaller and .1 / (q - 1) + 1 / n larger than that of the whole
        sample; and the p-value of the least D that is possible, so never too small.
    """
    steps, m = quantiles.size - 1, current.size
    first, last = quantiles.searchsorted(quantiles, "left"), quantiles.searchsorted(quantiles, "right") - 1
    ahead = last / steps - current.searchsorted(quantiles, "right") / m
    behind = current.searchsorted(quantiles, "left") / m - first / steps
    d = max(0.0, float(ahead.max()), float(behind.max()))
    sure = max(0.0, d - _SLACK / steps - 1 / n)
    return d, two_sided_p(sure, effective(n, m))


def sketched_counts(quantiles: Floats, cuts: Floats, n: int) -> Floats:
    """
    Count the values of the reference in bins.

    Args:
        quantiles: As above.
        cuts: Upper edges of all bins but the last.
        n: Values behind the quantiles.
    """
    steps = quantiles.size - 1
    last = quantiles.searchsorted(cuts, "right") - 1
    tied = quantiles[np.maximum(last, 0)] == quantiles[np.maximum(last - 1, 0)]
    below = np.clip(last + 0.5 * tied, 0, steps) / steps
    below[last == steps] = 1.0
    shares: Floats = np.diff(below, prepend=0.0, append=1.0)
    return shares * n


def sketched_area(quantiles: Floats, current: Floats, aside: float) -> Apart:
    """
    Wasserstein distance to a reference whose quantile function is straight between its quantiles.

    Args:
        quantiles: As above.
        current: Sorted, shape (m,).
        aside: Share of either sample that `moved` leaves out at either end.
    """
    points = _PER_STEP * (quantiles.size - 1)
    levels = (np.arange(points) + 0.5) / points
    ours = np.interp(levels, np.linspace(0, 1, quantiles.size), quantiles)
    theirs = current[(levels * current.size).astype(np.int64)]
    apart, left = np.abs(ours - theirs), int(aside * points)
    limits, unit, held = fences(quantiles), spread(quantiles), held_sd(quantiles, aside)
    near = np.abs(clipped(ours, *limits) - clipped(theirs, *limits))
    return Apart(
        wasserstein=float(apart.mean()),
        scaled=float(near.mean()) / unit if unit else None,
        moved=float(apart[left : points - left].mean()) / held if held else None,
    )
