"""Several classes: one row of probabilities per row of data, turned into what one number per row can say."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST = 1e-15
METRICS = ("accuracy", "log_loss", "brier", "calibration")


class TopLabel(NamedTuple):
    """
    The most probable class as a binary problem: is it right, and how probable was it said to be?

    Attributes:
        right: Shape (n,), 0 or 1.
        scores: Shape (n,), from 0 to 1.
    """

    right: Floats
    scores: Floats


def several(scores: Floats) -> bool:
    """Whether scores are probabilities of several classes, shape (n, k), and not one number per row."""
    return scores.ndim == 2


def top_label(labels: Floats, probabilities: Floats) -> TopLabel:
    """
    Say of each row whether the most probable class is right.

    Args:
        labels: Shape (n,), numbers of classes from 0; one beyond k is a class the model does not know.
        probabilities: Shape (n, k).

    Source:
        Gupta and Ramdas (2022), ICLR: top-label calibration.

    Example:
        >>> top_label(np.array([0.0, 2.0]), np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])).right.tolist()
        [1.0, 0.0]
    """
    right = (probabilities.argmax(axis=1) == labels) if labels.size else np.zeros(0)
    return TopLabel(np.asarray(right, dtype=np.float64), np.clip(probabilities.max(axis=1, initial=0.0), 0.0, 1.0))


def class_gains(metric: str, labels: Floats, probabilities: Floats) -> Floats:
    """
    Per-row value of a metric that is a mean over rows; more is better.

    Accuracy; minus the sum of squared errors over the classes (Brier, from -2 to 0); or the logarithm
    of the true class's probability, which is 1e-15 at least.

    Args:
        labels: Shape (n,), numbers of classes from 0; one beyond k is a class the model does not know.
        probabilities: Shape (n, k).

    Source:
        Brier (1950), Monthly Weather Review 78:1-3: the score of several classes.

    Example:
        >>> class_gains("brier", np.array([0.0, 3.0]), np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])).tolist()
        [0.0, -1.5]
    """
    if metric == "accuracy":
        return top_label(labels, probabilities).right
    true = _true(labels, probabilities)
    if metric == "brier":
        squares = (probabilities**2).sum(axis=1)
        return np.asarray(2 * true - squares - 1, dtype=np.float64)
    return np.asarray(np.log(np.clip(true, _LEAST, 1.0)), dtype=np.float64)


def one_hot(numbers: Floats, classes: int) -> Floats:
    """Probabilities of whoever is sure of a class, shape (n, k); for rows of which only the class is known."""
    table = np.zeros((numbers.size, classes))
    table[np.arange(numbers.size), numbers.astype(np.int64)] = 1.0
    return table


def _true(labels: Floats, probabilities: Floats) -> Floats:
    """Probability of the true class; 0 of one that the model does not know."""
    n, k = probabilities.shape
    place = labels.astype(np.int64)
    found = probabilities[np.arange(n), np.minimum(place, k - 1)]
    return np.where(place < k, found, 0.0)
