"""How good predictions were, in the words of the task: pure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flows.stats.paired.ranking import auc
from registry.records.version import Task

Numbers = NDArray[np.float64]
METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "auc", "brier"),
    "multiclass": ("accuracy",),
    "regression": ("mae", "rmse"),
}


def quality(task: Task, labels: Numbers, predictions: Numbers, scores: Numbers) -> Mapping[str, float]:
    """
    Measure predictions against the truth.

    Args:
        task: Binary: accuracy, auc and brier; multiclass: accuracy; regression: mae and rmse.
        labels: Shape (n,), no NaN.
        predictions: Shape (n,): the class (of several its number) or the value.
        scores: Shape (n,): the probability (of several classes: of the one predicted) or the value.

    Returns:
        By name; nan where it is not defined, e.g. the AUC of a single class.
    """
    if not len(labels):
        return dict.fromkeys(METRICS[task], float("nan"))
    if task == "multiclass":
        return {"accuracy": float((labels == predictions).mean())}
    error = labels - scores
    if task == "regression":
        return {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    return {
        "accuracy": float((labels == predictions).mean()),
        "auc": auc(labels, scores) if 0 < labels.mean() < 1 else float("nan"),
        "brier": float((error**2).mean()),
    }


def better(metric: str, a: float, b: float) -> bool:
    """Whether *a* is better than *b*; more is better but for errors."""
    return a < b if metric in ("mae", "rmse", "brier") else a > b


def primary(task: Task, wanted: str | None) -> str:
    """Name the metric of the curve: that of the promotion policy where it is measured."""
    names = METRICS[task]
    return wanted if wanted and wanted in names else names[0]
