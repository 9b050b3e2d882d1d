"""What a metric is expected to be, when of each row only the probability of a positive label is known."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from flows.detection.performance.pulls import THRESHOLD
from flows.detection.performance.spread import Floats

_LEAST = 1e-15


class Expected(NamedTuple):
    """
    An expected metric.

    Attributes:
        value: The metric; its true value if all probabilities are 0 or 1.
        gradient: Shape (n,), how it changes with each probability.
    """

    value: float
    gradient: Floats


def accuracy(chances: Floats, scores: Floats) -> Expected:
    """Expected share of right classes."""
    said = scores >= THRESHOLD
    return Expected(float(np.where(said, chances, 1 - chances).mean()), np.where(said, 1.0, -1.0) / scores.size)


def hits(chances: Floats, scores: Floats) -> Expected:
    """Expected share of rows where the class said, of several, is right."""
    return Expected(float(chances.mean()), np.full(scores.size, 1.0 / scores.size))


def brier(chances: Floats, scores: Floats) -> Expected:
    """Expected squared error of the probability that the model gave."""
    value = float((chances * (1 - scores) ** 2 + (1 - chances) * scores**2).mean())
    return Expected(value, (1 - 2 * scores) / scores.size)


def log_loss(chances: Floats, scores: Floats) -> Expected:
    """Expected negative log-likelihood."""
    yes, no = (-np.log(np.clip(one, _LEAST, 1.0)) for one in (scores, 1 - scores))
    return Expected(float((chances * yes + (1 - chances) * no).mean()), (yes - no) / scores.size)


def f1(chances: Floats, scores: Floats) -> Expected | None:
    """Ratio of the expectations above and below the line of F1."""
    said = (scores >= THRESHOLD).astype(np.float64)
    base = float(chances.sum() + said.sum())
    if base <= 0:
        return None
    value = 2 * float(said @ chances) / base
    return Expected(value, (2 * said - value) / base)


def auc(chances: Floats, scores: Floats) -> Expected | None:
    """
    Expected number of pairs in the right order over the expected number of pairs.

    Equal scores count one half; no row makes a pair with itself. None where no pair is to be
    expected. NannyML counts each row as half a pair with itself: it differs by about 1 / n.
    """
    order = np.argsort(scores, kind="stable")
    ranked, p = scores[order], chances[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-np.inf))
    group = np.cumsum(np.diff(ranked, prepend=ranked[:1]) > 0)
    ones, zeros = np.add.reduceat(p, starts), np.add.reduceat(1 - p, starts)
    zeros_below = (np.cumsum(zeros) - zeros / 2)[group] - (1 - p) / 2
    ones_above = (ones.sum() - np.cumsum(ones) + ones / 2)[group] - p / 2
    both = float(p @ (1 - p))
    pairs = float(p.sum()) * float((1 - p).sum()) - both
    if pairs <= 1e-9 * scores.size:
        return None
    value = float(p @ zeros_below) / pairs
    pairs_gradient = float((1 - p).sum()) - float(p.sum()) - (1 - 2 * p)
    gradient = np.empty(scores.size)
    gradient[order] = (zeros_below - ones_above - value * pairs_gradient) / pairs
    return Expected(min(max(value, 0.0), 1.0), gradient)


Metric = Callable[[Floats, Floats], Expected | None]
Metrics = Mapping[str, Metric]
EXPECTED: Metrics = {
    "accuracy": accuracy,
    "auc": auc,
    "f1": f1,
    "brier": brier,
    "log_loss": log_loss,
}
HITS: Metrics = {"accuracy": hits}
"""Of several classes: chances are those that the class said is right."""
