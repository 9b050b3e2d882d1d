"""How good predictions were, in the words of the task: pure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from registry.records.version import Task

Numbers = NDArray[np.float64]


def quality(task: Task, labels: Numbers, predictions: Numbers, scores: Numbers) -> Mapping[str, float]:
    """
    Measure predictions against the truth.

    Args:
        task: Binary: accuracy, auc and brier; regression: mae and rmse.
        labels: Shape (n,), no NaN.
        predictions: Shape (n,): the class (binary) or the value.
        scores: Shape (n,): the probability (binary) or the value.

    Returns:
        By name; nan where it is not defined, e.g. the AUC of a single class.
    """
    if not len(labels):
        names = ("accuracy", "auc", "brier") if task == "binary" else ("mae", "rmse")
        return dict.fromkeys(names, float("nan"))
    error = labels - scores
    if task == "regression":
        return {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    return {
        "accuracy": float((labels == predictions).mean()),
        "auc": auc(labels, scores),
        "brier": float((error**2).mean()),
    }


def auc(labels: Numbers, scores: Numbers) -> float:
    """
    Chance that a positive is scored above a negative; ties count half.

    Source:
        Mann and Whitney (1947): rank sum of the positives.

    Example:
        >>> auc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
        0.75
    """
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def better(metric: str, a: float, b: float) -> bool:
    """Whether *a* is better than *b*; more is better but for errors."""
    return a < b if metric in ("mae", "rmse", "brier") else a > b


def primary(task: Task) -> str:
    """Name the metric of the curve."""
    return "accuracy" if task == "binary" else "mae"
