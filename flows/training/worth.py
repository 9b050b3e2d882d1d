"""What decisions are worth, and from which score on it pays to predict 1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.config.training import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """
    Value of each kind of decision, in any currency.

    Attributes:
        hit, alarm: Of predicting 1 where the truth is 1, or 0.
        miss, quiet: Of predicting 0 where the truth is 1, or 0.
    """

    hit: float
    alarm: float
    miss: float
    quiet: float

    @classmethod
    def of(cls, value: Value) -> "Worth":
        """Take over what is configured."""
        return cls(
            hit=value.true_positive, alarm=value.false_positive, miss=value.false_negative, quiet=value.true_negative
        )

    def per_row(self, labels: Floats, scores: Floats, threshold: float) -> float:
        """
        Mean value of the decisions at *threshold*.

        Args:
            labels: Shape (n,), 0 or 1.
            scores: Shape (n,).
        """
        said, true = scores >= threshold, labels == 1
        values = np.where(said, np.where(true, self.hit, self.alarm), np.where(true, self.miss, self.quiet))
        return float(values.mean())


def best_threshold(labels: Floats, scores: Floats, worth: Worth) -> float:
    """
    Choose the threshold at which decisions on these rows are worth most.

    Halfway between two scores, so that a rounding error decides nothing; of equally good
    ones the one that is closest to .5. Rows of one score are decided alike.

    Args:
        labels: Shape (n,), 0 or 1; n at least 1.
        scores: Shape (n,), probabilities.

    Returns:
        From 0 (all are 1) to 1.

    Example:
        >>> worth = Worth(hit=10.0, alarm=-1.0, miss=0.0, quiet=0.0)
        >>> best_threshold(np.array([0.0, 0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.8]), worth)
        0.25
    """
    order = np.argsort(-scores, kind="stable")
    true, falling = labels[order] == 1, scores[order]
    gains = np.where(true, worth.hit - worth.miss, worth.alarm - worth.quiet)
    totals = np.concatenate([[0.0], np.cumsum(gains)])  # of predicting 1 for the first 0, 1, ... rows
    cuts = np.concatenate([[1.0], (falling[:-1] + falling[1:]) / 2, [0.0]])
    possible = np.concatenate([[falling[0] < 1.0], falling[:-1] > falling[1:], [True]])
    best = totals[possible].max()
    ties = cuts[possible & np.isclose(totals, best, rtol=1e-12, atol=1e-12)]
    return float(ties[np.argmin(np.abs(ties - 0.5))])
