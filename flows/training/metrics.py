"""How good scores are, in the units that people and the monitoring use."""

import math

import numpy as np
from numpy.typing import NDArray

from flows.comparison.metrics import metrics_of
from registry.records.version import Task

Floats = NDArray[np.float64]
THRESHOLD = 0.5


def measure(task: Task, labels: Floats, scores: Floats) -> dict[str, float]:
    """
    Measure scores against the truth; what is undefined (e.g. AUC of one class) is left out.

    Args:
        task: Chooses the metrics.
        labels: Shape (n,). 0 or 1 (binary), or the value.
        scores: Shape (n,). P(1) (binary), or the predicted value.

    Returns:
        auc, accuracy, brier, log_loss, calibration, precision, recall, f1 (binary), or mae, rmse, r2,
        mape (regression); and "loss", the mean squared error of the probability (binary)
        or the mean absolute error (regression), as the monitoring counts it.
    """
    extra = _decisions(labels, scores) if task == "binary" else _relative(labels, scores)
    found = metrics_of(task, labels, scores) | extra
    return {name: value for name, value in found.items() if math.isfinite(value)}


def badness(metric: str, task: Task, labels: Floats, scores: Floats) -> float:
    """Turn *metric* so that less is better; a proper loss where it is undefined."""
    found = measure(task, labels, scores)
    if metric in ("auc", "accuracy", "r2") and metric in found:
        return 1.0 - found[metric]
    return found.get(metric, found["loss"])


def improvement(new: float | None, old: float | None, *, more_is_better: bool = True) -> float | None:
    """Percent by which *new* is better than *old*; None if that is undefined."""
    if new is None or old is None or old == 0:
        return None
    change = 100.0 * (new - old) / abs(old)
    return change if more_is_better else -change


def _decisions(labels: Floats, scores: Floats) -> dict[str, float]:
    said, true = scores >= THRESHOLD, labels == 1
    hits = float((said & true).sum())
    precision, recall = _share(hits, said.sum()), _share(hits, true.sum())
    return {"precision": precision, "recall": recall, "f1": _share(2 * precision * recall, precision + recall)}


def _relative(labels: Floats, scores: Floats) -> dict[str, float]:
    nonzero = labels != 0
    return {"mape": float(np.mean(np.abs(scores[nonzero] / labels[nonzero] - 1)))} if nonzero.any() else {}


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
