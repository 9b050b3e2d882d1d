"""
Wald's sequential probability ratio test for an error budget.

Is the rate of errors as allowed (p0), or has it risen to what must not be (p1)? It decides as soon
as can be, with both error rates set beforehand.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.stats.checks import counts, share

Budget = Literal["kept", "broken", "continue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """
    A test of two error rates.

    Attributes:
        allowed: Rate p0 at which the budget is kept.
        broken: Rate p1 > p0 at which it must be noticed.
        alpha: Chance of "broken" at the allowed rate; at most alpha / (1 - beta).
        beta: Chance of "kept" at the broken rate; at most beta / (1 - alpha), and both together at most alpha + beta.

    Source:
        Wald (1947), Sequential Analysis, ch. 3 and 5.

    Example:
        >>> test = ErrorBudget(allowed=0.1, broken=0.3, alpha=0.02, beta=0.03)
        >>> f"{test.lower:.4f} {test.upper:.4f} {test.log_ratio(3, 10):.4f}"
        '-3.4864 3.8816 1.5366'
    """

    allowed: float
    broken: float
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        for name in ("allowed", "broken", "alpha", "beta"):
            share(name, getattr(self, name))
        if self.broken <= self.allowed or self.alpha + self.beta >= 1:
            raise ValueError(
                f"allowed is {self.allowed}, broken {self.broken}, alpha + beta {self.alpha + self.beta}; "
                "broken must exceed allowed, and alpha + beta stay below 1"
            )

    @property
    def upper(self) -> float:
        """Log-likelihood ratio from which on the budget is broken."""
        return math.log((1 - self.beta) / self.alpha)

    @property
    def lower(self) -> float:
        """Log-likelihood ratio down to which the budget is kept."""
        return math.log(self.beta / (1 - self.alpha))

    @property
    def steps(self) -> tuple[float, float]:
        """Log-likelihood ratios of one success and one error."""
        fine = math.log1p(-self.broken) - math.log1p(-self.allowed)
        return fine, math.log(self.broken) - math.log(self.allowed)

    def log_ratio(self, errors: int, n: int) -> float:
        """Log-likelihood ratio of the broken to the allowed rate; its exponential is an e-value."""
        counts(errors=errors, n=n)
        if errors > n:
            raise ValueError(f"{errors} errors among {n} requests; there cannot be more than requests")
        fine, failed = self.steps
        return errors * failed + (n - errors) * fine

    def judge(self, errors: int, n: int) -> Budget:
        """Where the test stands; once decided it is over."""
        found = self.log_ratio(errors, n)
        return "broken" if found >= self.upper else "kept" if found <= self.lower else "continue"


class Characteristics(NamedTuple):
    """
    What a sequential test does at one true rate.

    Attributes:
        broken: Probability of ending with "broken".
        expected: Mean number of requests until the decision.
        undecided: Probability of no decision by the horizon.
    """

    broken: float
    expected: float
    undecided: float = 0.0


def wald_characteristics(test: ErrorBudget, rate: float) -> Characteristics:
    """
    Operating characteristic and mean sample size as if the boundaries were hit exactly.

    Args:
        test: The test.
        rate: True error rate, strictly between 0 and 1.

    Source:
        Wald (1947), Sequential Analysis, ch. 3 and 5 (overshoot neglected).

    Example:
        >>> test = ErrorBudget(allowed=0.1, broken=0.3, alpha=0.02, beta=0.03)
        >>> seen = [wald_characteristics(test, rate) for rate in (0.1, 0.3)]
        >>> [f"{x.broken:.3f} {x.expected:.1f}" for x in seen]
        ['0.020 28.7', '0.970 23.8']
    """
    fine, failed = test.steps
    drift = share("rate", rate) * failed + (1 - rate) * fine
    h = _conjugate(rate, fine, failed)
    if abs(h) < 1e-9:
        spread = rate * failed**2 + (1 - rate) * fine**2
        return Characteristics(-test.lower / (test.upper - test.lower), -test.upper * test.lower / spread)
    below, above = math.exp(h * test.lower), math.exp(h * test.upper)
    broken = (1 - below) / (above - below)
    return Characteristics(broken, (broken * test.upper + (1 - broken) * test.lower) / drift)


def exact_characteristics(test: ErrorBudget, rate: float, horizon: int) -> Characteristics:
    """
    The same, summed over all paths up to a horizon; boundaries are overshot, so fewer errors are made.

    Args:
        test: The test.
        rate: True error rate, strictly between 0 and 1.
        horizon: Most requests that are followed; those still undecided are reported.

    Returns:
        Probabilities; `expected` counts the horizon for undecided paths.

    Source:
        Aroian (1968), Technometrics 10:125-132 (direct method).

    Example:
        >>> test = ErrorBudget(allowed=0.1, broken=0.3, alpha=0.02, beta=0.03)
        >>> exact_characteristics(test, 0.1, 500).broken < 0.02
        True
    """
    share("rate", rate)
    counts(horizon=horizon)
    fine, failed = test.steps
    chances: NDArray[np.float64] = np.array([1.0])
    broken = expected = 0.0
    errors = np.array([0])
    for n in range(1, int(horizon) + 1):
        expected += float(chances.sum())
        chances = np.append(chances * (1 - rate), 0.0) + np.append(0.0, chances * rate)
        errors = np.append(errors, errors[-1] + 1)
        score = errors * failed + (n - errors) * fine
        over, under = score >= test.upper, score <= test.lower
        broken += float(chances[over].sum())
        going = ~(over | under)
        if not going.any():
            return Characteristics(broken, expected)
        first, last = np.flatnonzero(going)[[0, -1]]
        chances, errors = chances[first : last + 1], errors[first : last + 1]
    return Characteristics(broken, expected, float(chances.sum()))


def _conjugate(rate: float, fine: float, failed: float) -> float:
    """The h other than 0 with E exp(h step) = 1; 0 where the steps have no drift."""
    from scipy.optimize import brentq

    drift = rate * failed + (1 - rate) * fine
    if abs(drift) < 1e-12:
        return 0.0

    def excess(h: float) -> float:
        return float(np.logaddexp(math.log(rate) + h * failed, math.log1p(-rate) + h * fine))

    # The exponent is convex in h, 0 at 0 and least between its two roots.
    least = (math.log1p(-rate) + math.log(-fine) - math.log(rate) - math.log(failed)) / (failed - fine)
    far = 2 * least
    while excess(far) < 0:
        far *= 2
    return float(brentq(excess, least, far, xtol=1e-14))
