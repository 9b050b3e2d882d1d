"""Metrics of labelled rows, and how much each row pulls at them."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import special

from flows.detection.performance.scales import Scale
from flows.detection.performance.spread import Floats
from registry.records.version import Task

BINS = 10
THRESHOLD = 0.5
_LEAST_PROBABILITY = 1e-15


class Pulled(NamedTuple):
    """
    A metric and the influence of each row: it averages to 0, and its spread is the metric's error.

    Attributes:
        value: The metric.
        pulls: Shape (n,).
        freed: What was taken off the value for noise; noise: the most that independent rows can have added.
    """

    value: float
    pulls: Floats
    freed: float = 0.0
    noise: float = 0.0


class Kind(NamedTuple):
    """
    How a metric behaves.

    Attributes:
        higher: Whether more is better.
        relative: Whether changes are counted relative to the baseline.
    """

    measure: Callable[[Floats, Floats], Pulled | None]
    scale: Scale
    higher: bool
    relative: bool = True


def accuracy(labels: Floats, scores: Floats) -> Pulled:
    """Share of right classes, at a threshold of one half."""
    return _mean(((scores >= THRESHOLD) == (labels == 1)).astype(np.float64))


def hits(labels: Floats, _: Floats) -> Pulled:
    """Share of rows where the class said, of several, is right."""
    return _mean(labels)


def brier(labels: Floats, scores: Floats) -> Pulled:
    """Mean squared error of the probability."""
    return _mean((scores - labels) ** 2)


def log_loss(labels: Floats, scores: Floats) -> Pulled:
    """Mean negative log-likelihood; probabilities nearer than 1e-15 to 0 or 1 count as that near."""
    right = np.clip(np.where(labels == 1, scores, 1 - scores), _LEAST_PROBABILITY, 1.0)
    return _mean(-np.log(right))


def auc(labels: Floats, scores: Floats) -> Pulled | None:
    """
    Area under the ROC curve; None if a class is missing.

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845.
    """
    if not 0 < labels.sum() < labels.size:
        return None
    from flows.stats.paired.area_rows import area_pulls  # brings scipy.stats, which takes long to import

    return Pulled(*area_pulls(labels, scores))


def pr_auc(labels: Floats, scores: Floats) -> Pulled | None:
    """
    Average precision; None without a positive row.

    Source:
        As `sklearn.metrics.average_precision_score`; pulls by differentiating it (tests hold them
        against the bootstrap).
    """
    positives = float(labels.sum())
    if not positives:
        return None
    n, order = labels.size, np.argsort(-scores, kind="stable")
    ranked, y = scores[order], labels[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), n - 1)  # last row of each group of equal scores
    group = np.searchsorted(ends, np.arange(n))
    seen = (ends + 1).astype(np.float64)
    hits = np.cumsum(y)[ends]
    precision, found = hits / seen, np.diff(hits, prepend=0.0)
    value = float(found @ precision) / positives
    later = np.cumsum((found / seen)[::-1])[::-1]
    later_right = np.cumsum((found * precision / seen)[::-1])[::-1]
    pull = y * (precision[group] - value) + y * later[group] - later_right[group]
    pulls = np.empty(n)
    pulls[order] = pull * n / positives
    return Pulled(value, pulls)


def f1(labels: Floats, scores: Floats) -> Pulled | None:
    """Harmonic mean of precision and recall; None where neither a label nor a prediction is positive."""
    said = (scores >= THRESHOLD).astype(np.float64)
    base = float((labels + said).mean())
    if not base:
        return None
    twice = 2 * labels * said
    value = float(twice.mean()) / base
    return Pulled(value, (twice - value * (labels + said)) / base)


def calibration(labels: Floats, scores: Floats) -> Pulled:
    """
    Expected calibration error over ten bins of equal width, less what noise alone adds to it.

    Where the model is calibrated the error has no derivative, and noise adds more than is taken off; so
    intervals begin lower by the rest.

    Source:
        Kumar, Liang, Ma (2019), NeurIPS 32: the plug-in error less its bias, here in closed form by
        the mean of a folded normal distribution.
    """
    bins = np.minimum((np.clip(scores, 0.0, 1.0) * BINS).astype(np.intp), BINS - 1)
    rows = np.bincount(bins, minlength=BINS).astype(np.float64)
    gaps, safe = scores - labels, np.maximum(rows, 1.0)
    middle = np.bincount(bins, weights=gaps, minlength=BINS) / safe
    square = np.bincount(bins, weights=gaps**2, minlength=BINS) / safe
    error = np.sqrt(np.maximum(square - middle**2, 0.0) / safe)
    plain = float(rows @ np.abs(middle)) / labels.size
    bias = float(rows @ (_folded(middle, error) - np.abs(middle))) / labels.size
    pulls = np.sign(middle)[bins] * gaps
    most = float(rows @ error) / labels.size * math.sqrt(2 / math.pi)
    return Pulled(max(plain - bias, 0.0), pulls - pulls.mean(), bias, most)


def mae(labels: Floats, scores: Floats) -> Pulled:
    """Mean absolute error."""
    return _mean(np.abs(scores - labels))


def rmse(labels: Floats, scores: Floats) -> Pulled:
    """Root of the mean squared error."""
    squares = (scores - labels) ** 2
    value = math.sqrt(float(squares.mean()))
    return Pulled(value, (squares - squares.mean()) / (2 * value) if value else np.zeros(labels.size))


def r2(labels: Floats, scores: Floats) -> Pulled | None:
    """Share of the labels' variance that is explained; None for constant labels."""
    squares, around = (scores - labels) ** 2, (labels - labels.mean()) ** 2
    error, variance = float(squares.mean()), float(around.mean())
    if labels.size < 1 or np.ptp(labels) == 0 or variance <= 0:
        return None
    rest = error / variance
    return Pulled(1 - rest, -(squares - rest * around) / variance)


def mean(_: Floats, values: Floats) -> Pulled | None:
    """Mean of a KPI; None without a value."""
    return _mean(values) if values.size else None


KPI = Kind(mean, "plain", higher=True)
"""Of a KPI, such as revenue."""

KINDS: Mapping[Task, Mapping[str, Kind]] = {
    "binary": {
        "accuracy": Kind(accuracy, "share", higher=True),
        "auc": Kind(auc, "logit", higher=True),
        "pr_auc": Kind(pr_auc, "logit", higher=True),
        "f1": Kind(f1, "share", higher=True),
        "brier": Kind(brier, "log", higher=False),
        "log_loss": Kind(log_loss, "log", higher=False),
        "calibration": Kind(calibration, "plain", higher=False, relative=False),
    },
    "multiclass": {
        "accuracy": Kind(hits, "share", higher=True),
        "calibration": Kind(calibration, "plain", higher=False, relative=False),
    },
    "regression": {
        "mae": Kind(mae, "log", higher=False),
        "rmse": Kind(rmse, "log", higher=False),
        "r2": Kind(r2, "rest", higher=True),
    },
}


def _mean(rows: Floats) -> Pulled:
    value = float(rows.mean())
    return Pulled(value, rows - value)


def _folded(middle: Floats, error: Floats) -> Floats:
    """Mean of the absolute value of a normal variable."""
    ratio = np.divide(middle, error, out=np.full_like(middle, np.inf), where=error > 0)
    spread = error * math.sqrt(2 / math.pi) * np.exp(-np.minimum(ratio**2, 1e4) / 2)
    return np.asarray(spread + middle * special.erf(np.where(error > 0, ratio, np.sign(middle)) / math.sqrt(2)))
