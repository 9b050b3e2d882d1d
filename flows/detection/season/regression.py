"""
Shares as functions of time: weighted least squares, and how far days lie from the curve.

Sources:
    Weights are rows, so that without day effects a residual's variance is p(1 - p)/rows.
    What the residuals show beyond that is the spread from day to day (method of moments;
    Williams 1982, Appl. Stat. 31:144-148: overdispersed proportions).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SINGULAR = 1e-9
_LEAST_VARIANCE = 0.25  # of that of all rows: no share is so sure at some time that a trifle would count


@dataclass(frozen=True, slots=True)
class Fit:
    """
    Curves of several shares.

    Attributes:
        coefficients: Shape (shares, p); curves: fitted values, shape (slots, shares).
        inverse: Of the cross-products, shape (p, p).
    """

    coefficients: Floats
    curves: Floats
    inverse: Floats


def fit(columns: Floats, rows: Floats, shares: Floats) -> Fit:
    """
    Fit all shares at once.

    Args:
        columns: Design, shape (slots, p).
        rows: Behind each slot, shape (slots,).
        shares: Shape (slots, s).
    """
    weighted = columns * rows[:, None]
    inverse = np.linalg.pinv(columns.T @ weighted, rcond=_SINGULAR, hermitian=True).astype(np.float64)
    coefficients = (inverse @ (weighted.T @ shares)).T
    return Fit(coefficients, columns @ coefficients.T, inverse)


def excess(residuals: Floats, rows: Floats, variance: Floats, degrees: int) -> Floats:
    """
    Variance of the shares between groups beyond that of drawing rows, in units of p(1 - p).

    Args:
        residuals: Of the groups' shares, shape (groups, s).
        rows: Behind each, shape (groups,).
        variance: p(1 - p) of each, shape (groups, s).
        degrees: Groups less what was fitted.

    Returns:
        Shape (s,); at least 0, and 0 where nothing can be said.
    """
    if degrees < 1:
        return np.zeros(residuals.shape[1])
    seen = (rows[:, None] * residuals**2 / variance).sum(axis=0)
    beyond: Floats = np.maximum(0.0, (seen - degrees) / rows.sum() * (rows.size / degrees))
    return beyond


def grouped(values: Floats, rows: Floats, group: Ints) -> tuple[Floats, Floats]:
    """Means of slots by group, weighted by rows, shape (groups, s); and the rows of each."""
    names, index = np.unique(group, return_inverse=True)
    total: Floats = np.bincount(index, weights=rows, minlength=names.size).astype(np.float64)
    sums = np.zeros((names.size, values.shape[1]))
    np.add.at(sums, index, values * rows[:, None])
    return sums / np.maximum(total, 1.0)[:, None], total


def rank(columns: Floats) -> int:
    """
    Columns of a design that say something of their own.

    By the squares of the singular values, which are fine enough for so coarse a bound, and
    take a fiftieth of the time where there are thousands of slots.
    """
    squares = np.linalg.eigvalsh(columns.T @ columns)
    return int((squares > (1e-6 * max(columns.shape)) ** 2).sum())


def variances(shares: Floats, usual: Floats) -> Floats:
    """
    Variance p(1 - p) of one row, never below a quarter of the usual one.

    Args:
        shares: Shape (..., s).
        usual: Mean shares over time, shape (s,).
    """
    held = np.clip(shares, 0.0, 1.0)
    return np.maximum(np.maximum(held * (1 - held), _LEAST_VARIANCE * usual * (1 - usual)), 1e-6)
