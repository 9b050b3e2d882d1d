"""How many rows tell as much as one independent row, when errors come in clusters."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
_SURE = 2.0  # standard errors beyond which dependence is believed
_BLOCKS = 8  # fewest blocks from which a variance is taken
_CLOSEST = 0.999


def dependence(values: Floats, widths: Whole) -> Floats:
    """
    Variance of a mean of so many rows, over that of as many independent rows.

    The larger of two answers: of a first-order model (short samples tell it well), and of the means of
    blocks up to that width (slow waves, of which the next row alone shows nothing). Both are 1 until
    they are significantly more, so that independent errors cost nothing.

    Args:
        values: Shape (n,), finite, in time order; without a change of level.
        widths: Shape (k,), rows.

    Returns:
        Shape (k,), at least 1, rising with the width.

    Source:
        (1 + r) / (1 - r), r corrected for bias by Kendall (1954), Biometrika 41:403-404; overlapping
        batch means of Meketon, Schmeiser (1984), with their variance 4 b / 3 n.

    Example:
        >>> dependence(np.tile([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 50), np.array([1, 3])).round(1).tolist()
        [2.3, 2.3]
    """
    centred = values - values.mean() if values.size else values
    variance = float(centred @ centred) / max(values.size, 1)
    if values.size < _BLOCKS or not variance > 0:
        return np.ones(len(widths))
    blocks, ratios = _of_blocks(centred / math.sqrt(variance))
    place = np.searchsorted(blocks, widths, side="right") - 1
    return np.maximum(_first_order(centred, variance), np.maximum.accumulate(ratios)[np.maximum(place, 0)])


def row_dependence(values: Floats) -> float:
    """
    Rows that tell as much as one independent row; 1 if nothing speaks for dependence.

    Args:
        values: Shape (n,), finite, in time order.
    """
    return float(dependence(values, np.array([max(values.size, 1)]))[0])


def _first_order(centred: Floats, variance: float) -> float:
    n = centred.size
    found = float(centred[1:] @ centred[:-1]) / (n * variance)
    near = found + (1 + 4 * found) / n
    if near <= _SURE / math.sqrt(n):
        return 1.0
    near = min(near + math.sqrt(max(1 - near * near, 0.0) / n), _CLOSEST)
    return (1 + near) / (1 - near)


def _of_blocks(standard: Floats) -> tuple[Whole, Floats]:
    n = standard.size
    sums = np.concatenate([[0.0], np.cumsum(standard)])
    blocks = 2 ** np.arange(max(int(math.log2(n / _BLOCKS)), 0) + 1)
    ratios = np.ones(blocks.size)
    for place, size in enumerate(blocks.tolist()):
        ends = np.arange(size, n + 1, max(1, size // 4))
        parts = sums[ends] - sums[ends - size]
        ratio = float(parts @ parts) / (parts.size * size * (1 - size / n))
        if ratio > 1 + _SURE * math.sqrt(4 * size / (3 * n)):
            ratios[place] = ratio
    return blocks, ratios
