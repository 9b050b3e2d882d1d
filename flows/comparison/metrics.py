"""Metrics of one model on labelled rows, and the per-row gains that tests are made of."""

import math

import numpy as np
from numpy.typing import NDArray

from flows.comparison import classes
from flows.comparison.classes import class_gains, several, top_label
from flows.stats.paired.ranking import auc
from flows.stats.paired.sums import calibration_of, calibration_rows
from registry.records.policy import direction_of
from registry.records.version import Task

Floats = NDArray[np.float64]
DEFAULT_METRIC: dict[Task, str] = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}
METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("auc", "accuracy", "brier", "log_loss", "calibration"),
    "multiclass": classes.METRICS,
    "regression": ("mae", "rmse", "r2"),
}
OFFLINE = frozenset({*METRICS["binary"], *METRICS["regression"], "pr_auc", "f1", "precision", "recall", "mape"})
"""Metrics of labelled rows: one that a holdout does not show is shown nowhere."""


def metrics_of(task: Task, labels: Floats, scores: Floats) -> dict[str, float]:
    """
    All metrics that a decision may rest on.

    Args:
        labels: Shape (n,), 0/1, numbers of classes or values.
        scores: Shape (n,), probabilities or values; shape (n, k) of several classes.

    Returns:
        Among them "loss", the unit of monitoring: squared error of the probability,
        absolute error, or the share of wrong classes of several. AUC is left out when a class is missing.
    """
    if task == "multiclass":
        values = {name: value_of(task, name, labels, scores) for name in METRICS[task]}
        known = {name: value for name, value in values.items() if value is not None}
        return known | ({"loss": 1 - known["accuracy"]} if "accuracy" in known else {})
    if task == "binary":
        found = {
            "accuracy": float(np.mean((scores >= 0.5) == labels)),
            "brier": float(np.mean((scores - labels) ** 2)),
            "log_loss": float(-np.mean(gains("log_loss", labels, scores))),
            "calibration": calibration_error(labels, scores),
        }
        found["loss"] = found["brier"]
        both = {"auc": auc(labels, scores)} if 0 < np.mean(labels) < 1 else {}
        return both | {name: value for name, value in found.items() if np.isfinite(value)}
    error = scores - labels
    spread = float(np.sum((labels - labels.mean()) ** 2))
    mae = float(np.mean(np.abs(error)))
    found = {"mae": mae, "rmse": float(np.sqrt(np.mean(error**2))), "loss": mae}
    return found | ({"r2": 1 - float(np.sum(error**2)) / spread} if spread > 0 else {})


def value_of(task: Task, metric: str, labels: Floats, scores: Floats) -> float | None:
    """One metric of `metrics_of`, without the cost of the others; None if it is not defined."""
    if metric not in METRICS[task] or (task == "multiclass" and not labels.size):
        return None
    if metric == "auc":
        found = auc(labels, scores)
    elif metric == "calibration":
        found = calibration_error(labels, scores)
    elif metric in ("rmse", "r2"):
        return metrics_of(task, labels, scores).get(metric)
    else:
        mean = float(np.mean(gains(metric, labels, scores)))
        found = mean if metric == "accuracy" else -mean
    return found if math.isfinite(found) else None


def gains(metric: str, labels: Floats, scores: Floats) -> Floats:
    """Per-row value of a metric that is a mean over rows; more is better."""
    if several(scores):
        return class_gains(metric, labels, scores)
    if metric == "accuracy":
        return np.asarray((scores >= 0.5) == labels, dtype=np.float64)
    if metric in ("brier", "rmse", "r2", "auc"):
        return np.asarray(-((scores - labels) ** 2))
    if metric == "log_loss":
        clipped = np.clip(scores, 1e-15, 1 - 1e-15)
        return np.asarray(labels * np.log(clipped) + (1 - labels) * np.log(1 - clipped))
    return np.asarray(-np.abs(scores - labels))


def calibration_error(labels: Floats, scores: Floats) -> float:
    """
    Expected calibration error over ten bins of equal width; scores beyond 0 and 1 count as these.

    Of several classes: of the most probable one.
    """
    if several(scores):
        return calibration_error(*top_label(labels, scores))
    return -float(calibration_of(calibration_rows(labels, np.clip(scores, 0.0, 1.0)).sum(axis=0)))


def improvement(metric: str, champion: float, challenger: float) -> float:
    """Relative improvement, positive is better; 0 when the champion's value is 0."""
    if champion == 0:
        return 0.0
    change = (challenger - champion) / abs(champion)
    return change if direction_of(metric) == "higher" else -change


def loss_scale(metric: str, value: float) -> float:
    """The loss behind a metric's value: what a relative margin of non-inferiority is a share of."""
    if metric in ("auc", "accuracy", "r2"):
        return max(0.0, 1 - value)
    return abs(value)


def in_units(metric: str, gain: float, champion: float, spread: float) -> float:
    """
    A gain in mean squared error, in units of the metric it belongs to; others as they are.

    Args:
        gain: Champion's mean squared error minus challenger's; may be infinite.
        champion: The champion's RMSE.
        spread: Variance of the labels, for R2.
    """
    if metric == "r2":
        return gain / spread if spread > 0 else gain
    if metric != "rmse":
        return gain
    return champion - math.sqrt(max(champion**2 - gain, 0.0)) if math.isfinite(gain) else gain
