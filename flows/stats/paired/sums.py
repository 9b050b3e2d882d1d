"""
Metrics that are made of sums over rows: what resampling can do fast.

A metric is a pair: rows of shape (n, columns), one for each model, and a function that
turns sums of those columns, shape (..., columns), into values of shape (...).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import binary, counts, finite, same_length
from flows.stats.checks import probabilities as in_range

Rows = NDArray[np.float64]
OfSums = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def mean_rows(values: ArrayLike) -> Rows:
    """
    Rows for `mean_of`: the value itself and a one.

    Args:
        values: Shape (n,), e.g. the business value, the recall of a query, minus a loss.

    Example:
        >>> float(mean_of(mean_rows([1.0, 2.0, 6.0]).sum(axis=0)))
        3.0
    """
    given = finite("values", values)
    return np.stack([given, np.ones_like(given)], axis=1)


def mean_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """First sum over second: a mean, or any ratio of two sums."""
    return _ratio(sums[..., 0], sums[..., 1])


def percentage_error_rows(actual: ArrayLike, predicted: ArrayLike) -> Rows:
    """
    Rows for `mean_of`: minus the absolute percentage error (MAPE), so that more is better.

    Args:
        actual: Shape (n,), none 0.
        predicted: Shape (n,).

    Example:
        >>> float(mean_of(percentage_error_rows([100.0, 50.0], [90.0, 60.0]).sum(axis=0)))
        -0.15000000000000002
    """
    y, p = finite("actual", actual), finite("predicted", predicted)
    same_length(actual=y, predicted=p)
    nothing = int(np.count_nonzero(y == 0))
    if nothing:
        raise ValueError(f"actual has {nothing} of {y.size} zeros; a percentage of 0 is undefined, use another metric")
    return mean_rows(-np.abs((p - y) / y))


def confusion_rows(labels: ArrayLike, predicted: ArrayLike) -> Rows:
    """
    Rows for `f1_of`, `precision_of` and `recall_of`: true positive, false positive, false negative.

    Args:
        labels, predicted: Shape (n,), 0 and 1.

    Example:
        >>> sums = confusion_rows([1, 1, 0, 1], [1, 0, 1, 1]).sum(axis=0)
        >>> f"{f1_of(sums):.4f} {precision_of(sums):.4f} {recall_of(sums):.4f}"
        '0.6667 0.6667 0.6667'
    """
    y, p = binary("labels", labels), binary("predicted", predicted)
    same_length(labels=y, predicted=p)
    return np.stack([y * p, (1 - y) * p, y * (1 - p)], axis=1)


def f1_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1, the harmonic mean of precision and recall; NaN when there is nothing to find and nothing found."""
    found, wrong, missed = np.moveaxis(sums, -1, 0)
    return _ratio(2 * found, 2 * found + wrong + missed)


def precision_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision; NaN when nothing is found."""
    return _ratio(sums[..., 0], sums[..., 0] + sums[..., 1])


def recall_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recall; NaN when there is nothing to find."""
    return _ratio(sums[..., 0], sums[..., 0] + sums[..., 2])


def calibration_rows(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 10) -> Rows:
    """
    Rows for `calibration_of`: probability minus label in the column of its bin, and a one.

    Args:
        labels: Shape (n,), 0 and 1.
        probabilities: Shape (n,), from 0 to 1.
        bins: Of equal width.

    Source:
        Naeini, Cooper, Hauskrecht (2015), AAAI-15:2901-2907 (expected calibration error).

    Example:
        >>> float(calibration_of(calibration_rows([0, 1, 1, 1], [0.15, 0.15, 0.95, 0.95]).sum(axis=0)))
        -0.2
    """
    y, p = binary("labels", labels), in_range("probabilities", probabilities)
    n = same_length(labels=y, probabilities=p)
    counts(bins=bins)
    if not bins:
        raise ValueError("bins is 0; give at least 1")
    bins = int(bins)
    rows = np.zeros((n, bins + 1))
    rows[np.arange(n), np.clip((p * bins).astype(int), 0, bins - 1)] = p - y
    rows[:, bins] = 1.0
    return rows


def calibration_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the expected calibration error, so that more is better."""
    return np.negative(_ratio(np.abs(sums[..., :-1]).sum(axis=-1), sums[..., -1]))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0))
