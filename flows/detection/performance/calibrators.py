"""What a score means as a probability, learned from rows with labels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.detection.performance.spread import Floats

Method = Literal["isotonic", "platt", "none"]
FLEXIBLE = 1000  # rows from which on isotonic regression has enough to learn from
_STRATA = 20
_EDGE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """
    Turns scores into probabilities.

    Attributes:
        knots, heights: Of a piecewise linear function; without any, scores are taken as they are.
        edges, rates, rows: Strata of the scores that it was learned from: upper edges, share of
            positives, and independent rows in each; what its own error follows from.
        bend: Slope and intercept on the logit scale (Platt), used instead of knots.
    """

    method: Method
    knots: Floats
    heights: Floats
    edges: Floats
    rates: Floats
    rows: Floats
    bend: tuple[float, float] = (1.0, 0.0)

    def __call__(self, scores: Floats) -> Floats:
        """Probabilities of shape (n,), within 0 and 1."""
        if self.method == "platt":
            return np.asarray(special.expit(self.bend[0] * _logit(scores) + self.bend[1]))
        if self.method == "isotonic":
            return np.asarray(np.interp(scores, self.knots, self.heights))
        return scores

    def variance(self, scores: Floats, gradient: Floats) -> float:
        """
        What the calibrator's own error adds to the variance of an estimate.

        Args:
            scores: Shape (n,).
            gradient: Shape (n,), of the estimate with respect to each probability.

        Source:
            Delta method; in each stratum the share of positives has its binomial variance, with
            one row of each class added.
        """
        if not self.rows.size:
            return 0.0
        pull = np.bincount(_stratum(self.edges, scores), weights=gradient, minlength=self.rows.size)
        rate = (self.rates * self.rows + 1) / (self.rows + 2)
        return float(pull**2 @ (rate * (1 - rate) / np.maximum(self.rows, 1.0)))


NONE = Calibrator(
    method="none",
    knots=np.empty(0),
    heights=np.empty(0),
    edges=np.empty(0),
    rates=np.empty(0),
    rows=np.empty(0),
)
"""Takes scores as they are, without an error of their own."""


def calibrator(labels: Floats, scores: Floats, *, thinner: float = 1.0) -> Calibrator:
    """
    Learn what scores mean.

    Args:
        labels: Shape (n,), 0 and 1; with one class alone scores are taken as they are.
        scores: Shape (n,), within 0 and 1.
        thinner: Rows behind one independent row.

    Source:
        Isotonic regression (Zadrozny and Elkan 2002) from 1,000 rows on, below it Platt (1999)
        with his softened targets.
    """
    if not 0 < labels.sum() < labels.size:
        return NONE
    edges, rates, rows = _strata(labels, scores)
    if labels.size < FLEXIBLE:
        return Calibrator(
            method="platt",
            knots=np.empty(0),
            heights=np.empty(0),
            edges=edges,
            rates=rates,
            rows=rows / thinner,
            bend=_platt(labels, scores),
        )
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, labels)
    return Calibrator(
        method="isotonic",
        knots=np.asarray(fitted.X_thresholds_, dtype=np.float64),
        heights=np.asarray(fitted.y_thresholds_, dtype=np.float64),
        edges=edges,
        rates=rates,
        rows=rows / thinner,
    )


def _platt(labels: Floats, scores: Floats) -> tuple[float, float]:
    """Slope and intercept by Newton's method, with steps halved until the likelihood rises."""
    ones, zeros = labels.sum(), labels.size - labels.sum()
    targets = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    design = np.column_stack([_logit(scores), np.ones(labels.size)])
    found = np.array([0.0, np.log((ones + 1) / (zeros + 1))])
    for _ in range(50):
        p = special.expit(design @ found)
        curvature = (design * np.maximum(p * (1 - p), 1e-9)[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (targets - p))
        while _unlikely(design @ (found + step), targets) > _unlikely(design @ found, targets) + 1e-12:
            step = step / 2
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])


def _unlikely(logits: Floats, targets: Floats) -> float:
    """Mean negative log-likelihood."""
    return float(np.mean(np.logaddexp(0.0, logits) - targets * logits))


def _strata(labels: Floats, scores: Floats) -> tuple[Floats, Floats, Floats]:
    edges = np.unique(np.quantile(scores, np.arange(1, _STRATA) / _STRATA))
    which = _stratum(edges, scores)
    rows = np.bincount(which, minlength=edges.size + 1).astype(np.float64)
    ones = np.bincount(which, weights=labels, minlength=edges.size + 1)
    return edges, ones / np.maximum(rows, 1.0), rows


def _stratum(edges: Floats, scores: Floats) -> NDArray[np.intp]:
    return np.searchsorted(edges, scores, side="left")


def _logit(scores: Floats) -> Floats:
    return np.asarray(special.logit(np.clip(scores, _EDGE, 1 - _EDGE)))
