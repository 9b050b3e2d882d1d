"""How good scores are, in the units that people and the monitoring use."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flows.comparison.metrics import metrics_of
from flows.stats.paired.ranking import auc
from flows.training.worth import Worth
from registry.records.version import Task

Floats = NDArray[np.float64]
THRESHOLD = 0.5
QUANTILES = (0.1, 0.5, 0.9)


def measure(
    task: Task, labels: Floats, scores: Floats, *, threshold: float = THRESHOLD, worth: Worth | None = None
) -> dict[str, float]:
    """
    Measure scores against the truth; what is undefined (e.g. AUC of one class) is left out.

    Args:
        task: Chooses the metrics.
        labels: Shape (n,). 0 or 1 (binary), the number of the class, or the value.
        scores: Shape (n,). P(1) (binary), or the predicted value; of several classes, shape (n, classes).
        threshold: A binary score at or above it predicts 1.
        worth: What each kind of decision is worth, if anybody has said so.

    Returns:
        auc, pr_auc, accuracy, brier, log_loss, calibration, precision, recall, f1 and, with *worth*,
        value_per_row (binary); accuracy, brier, log_loss, calibration, auc (each class against the
        rest) and the means over the classes of precision, recall and f1 (multiclass); or mae, rmse,
        r2, mape and the pinball losses of the quantiles .1, .5 and .9 (regression). And "loss", as
        the monitoring counts it: mean squared error of the probability (binary), share of wrong
        classes (multiclass), or mean absolute error (regression).
    """
    found = metrics_of(task, labels, scores)
    if task == "binary":
        found |= _decisions(labels, scores, threshold) | _ranking(labels, scores)
        found |= {"value_per_row": worth.per_row(labels, scores, threshold)} if worth else {}
    elif task == "multiclass":
        found |= _classes(labels, scores)
    else:
        found |= _values(labels, scores)
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


def kpis_per_row(labels: Floats, scores: Floats, threshold: float, kpis: Mapping[str, Floats]) -> dict[str, float]:
    """
    How much of each business KPI lies in the rows that the model picks, over all rows.

    Args:
        labels: Shape (n,), for its length alone.
        scores: Shape (n,). P(1).
        threshold: A row is picked at or above it.
        kpis: Name of each and its values, shape (n,); what is missing counts nothing.

    Example:
        >>> kpis_per_row(np.zeros(2), np.array([0.9, 0.1]), 0.5, {"revenue": np.array([10.0, 50.0])})
        {'revenue_per_row': 5.0}
    """
    picked = scores >= threshold
    rows = max(1, len(labels))
    return {f"{name}_per_row": float(np.nansum(values[picked])) / rows for name, values in kpis.items()}


def pinball(labels: Floats, scores: Floats, quantile: float) -> float:
    """
    Mean loss of a guess at a *quantile*: what is above it counts by that share, what is below by the rest.

    Source:
        Koenker and Bassett (1978), Econometrica 46:33-50.

    Example:
        >>> pinball(np.array([10.0, 20.0]), np.array([12.0, 15.0]), 0.9)
        2.35
    """
    gap = labels - scores
    return float(np.mean(np.maximum(quantile * gap, (quantile - 1) * gap)))


def average_precision(labels: Floats, scores: Floats) -> float:
    """
    Area under the curve of precision over recall, by steps; not a number without a positive row.

    Source:
        Manning et al. (2008), Introduction to Information Retrieval, 8.4; as in scikit-learn.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores are one step
    hits = np.cumsum(labels[order] == 1)[last]
    taken = np.flatnonzero(last) + 1
    if not len(hits) or hits[-1] == 0:
        return math.nan
    return float(np.sum(np.diff(hits, prepend=0) * hits / taken) / hits[-1])


def _decisions(labels: Floats, scores: Floats, threshold: float) -> dict[str, float]:
    said, true = scores >= threshold, labels == 1
    hits = float((said & true).sum())
    precision, recall = _share(hits, said.sum()), _share(hits, true.sum())
    f1 = _share(2 * precision * recall, precision + recall)
    return {"accuracy": float(np.mean(said == true)), "precision": precision, "recall": recall, "f1": f1}


def _ranking(labels: Floats, scores: Floats) -> dict[str, float]:
    return {"pr_auc": average_precision(labels, scores)} if 0 < np.mean(labels) < 1 else {}


def _classes(labels: Floats, scores: Floats) -> dict[str, float]:
    said = scores.argmax(axis=1)
    seen = sorted({*labels.astype(int).tolist(), *said.tolist()})
    each = [_decisions((labels == k).astype(float), (said == k).astype(float), THRESHOLD) for k in seen]
    found = {name: float(np.mean([one[name] for one in each])) for name in ("precision", "recall", "f1")}
    areas = [
        auc((labels == k).astype(float), scores[:, k]) for k in range(scores.shape[1]) if 0 < (labels == k).mean() < 1
    ]
    return found | ({"auc": float(np.mean(areas))} if areas else {})


def _values(labels: Floats, scores: Floats) -> dict[str, float]:
    nonzero = labels != 0
    found = {f"pinball_{round(100 * q):02}": pinball(labels, scores, q) for q in QUANTILES}
    if nonzero.any():
        found["mape"] = float(np.mean(np.abs(scores[nonzero] / labels[nonzero] - 1)))
    return found


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
