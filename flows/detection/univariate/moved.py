"""
How far the bulk of a sample moved, in standard deviations: the size of a drift, whatever the units and the tails.

Source:
    The Wasserstein distance is the mean gap between two quantile functions (Vallender 1974); here from the 1 % to the
    99 % quantile (trimmed: Munk and Czado 1998, J. R. Stat. Soc. B 60:223-241), and at 197 levels rather than at all.
"""

import math

import numpy as np

from flows.detection.univariate.ranks import Floats

_LEVELS = np.linspace(0.01, 0.99, 197)


def moved(reference: Floats, current: Floats) -> float:
    """
    Trimmed Wasserstein distance over the standard deviation of the reference, trimmed alike.

    A shift of a tenth of a standard deviation is 0.1, whatever the distribution. Values that are fewer than 1 % of a
    sample change nothing, however large.

    Args:
        reference: Sorted sample, or equally spaced quantiles; not empty.
        current: Likewise.

    Returns:
        Infinity where the reference is constant between its quantiles, and the window is not or is another.

    Example:
        >>> values = np.arange(1000.0)
        >>> f"{moved(values, values + 0.1 * values.std()):.3f}"
        '0.102'
    """
    ours, theirs = _quantiles(reference), _quantiles(current)
    scale = max(float(np.abs(ours).max()), float(np.abs(theirs).max())) or 1.0
    ours, theirs = ours / scale, theirs / scale
    gap, spread = float(np.abs(ours - theirs).mean()), float(ours.std()) if ours[0] != ours[-1] else 0.0
    if spread == 0:
        return math.inf if gap else 0.0
    return gap / spread


def _quantiles(values: Floats) -> Floats:
    return values[np.minimum((_LEVELS * values.size).astype(np.int64), values.size - 1)]
