"""Whether a season shows."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.detection.season.calendar import Ints
from flows.detection.season.regression import fit, grouped, rank

Floats = NDArray[np.float64]
_LEVEL = 0.001


def shows(whole: Floats, part: Floats, shares: Floats, rows: Floats, by: Ints, tests: int) -> bool:
    """
    Test whether a design explains any share better than a part of it does.

    Args:
        whole, part: Designs, shapes (slots, p) and (slots, q).
        shares: Shape (slots, s).
        rows: Behind each slot, shape (slots,).
        by: Group of each slot, shape (slots,): what varies together is one observation.
        tests: Over how many shares the level is spread.

    Source:
        F test of nested regressions, Bonferroni.
    """
    if shares.shape[1] == 0:
        return False
    values, weights = grouped(shares, rows, by)
    large, small = (grouped(columns, rows, by)[0] for columns in (whole, part))
    more, left = rank(large) - rank(small), values.shape[0] - rank(large)
    if more < 1 or left < 1:
        return False
    full, less = (_unexplained(columns, weights, values) for columns in (large, small))
    ratio = np.maximum(0.0, less - full) / more / np.maximum(full / left, 1e-12)
    return bool((special.fdtrc(more, left, ratio) * tests < _LEVEL).any())


def _unexplained(columns: Floats, rows: Floats, values: Floats) -> Floats:
    residuals = values - fit(columns, rows, values).curves
    return np.asarray((rows[:, None] * residuals**2).sum(axis=0))
