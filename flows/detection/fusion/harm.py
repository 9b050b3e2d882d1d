"""
How much harm is done, and how sure that is.

Every signal that speaks of loss is a noisy reading of one number: by how many percent of the baseline loss a
refit would be better now. Readings are added up by their precision; where kinds disagree, the more direct one
counts more, because its own error is smaller. Most looks find no harm at all, so the sum is judged against
that: a reading that noise could give is shrunk to nothing, a clear one hardly at all.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

from flows.detection.fusion.calibration import BASE_RATE, CONFIDENCE, DIRECTNESS, METHODS, SILENT
from flows.detection.fusion.shrinkage import Posterior, posterior
from flows.detection.fusion.signals import Evidence, Signal, usable
from registry.records.base import Record

Basis = Literal["labels", "unlabelled", "silent", "nothing"]
_FAR = 1e-6  # probability beyond which nothing grows surer
_MOST = 4_000  # choices of readings that are weighed
_LARGEST = 1e6
_HALF_SURE = 1.64  # deviations in an estimate whose doubt nobody said


def recoverable(harm: float) -> float:
    """
    Share of the present loss that a refit would win back.

    One that comes back to the baseline's loss takes h of 1 + h away: never more than all of it.

    Args:
        harm: Rise of the loss in shares of the baseline's; below 0 counts as none, infinite as all.

    Example:
        >>> recoverable(1.0)
        0.5
    """
    return 1.0 if math.isinf(harm) else max(harm, 0.0) / (1 + max(harm, 0.0))


class Reading(Record, frozen=True, kw_only=True):
    """One estimate of log(1 + harm), and its precision (one over its variance)."""

    kind: str
    value: float
    precision: float


class Assessment(Record, frozen=True, kw_only=True):
    """
    Estimated harm.

    Attributes:
        enough: Something was measured; without it nothing is known, which is not the same as no harm.
        basis: labels, unlabelled (inputs and estimates only), silent (inputs were looked at and nothing
            was seen), or nothing (not enough data for any look).
        harm: Rise of the loss over that of a refit, in shares of the baseline loss: the median of what is likely.
        low, high: Its central 95 % interval, given what was seen; low is 0 where there may be no harm.
        confidence: Probability that the harm is worth a retraining, calibrated.
    """

    enough: bool
    said: str
    basis: Basis
    harm: float = 0.0
    low: float = 0.0
    high: float = 0.0
    confidence: float = 0.0

    def metrics(self) -> dict[str, float | None]:
        """What rules may name."""
        known = self.enough
        return {
            "harm": self.harm if known else None,
            "harm_low": self.low if known else None,
            "confidence": self.confidence if known else None,
        }


def assess(evidence: Evidence, *, worth: float, base_rate: float = BASE_RATE, looked: bool = True) -> Assessment:
    """
    Weigh all signals that speak of loss.

    More harm in any signal, and any further signal, never lowers the harm found; except that a
    signal of a more direct kind replaces less direct ones: measured losses overrule what was
    supposed from the inputs.

    Args:
        evidence: Its signals; those without a finite harm have no part.
        worth: Harm from which on retraining pays, in shares of the baseline loss.
        base_rate: How often harm of that size is there at all.
        looked: The inputs were compared, so that no signal means that none was seen.

    Source:
        Normal readings with known error, combined by precision: Gelman et al. (2013), Bayesian Data
        Analysis, section 2.5; shrinkage: `shrinkage.posterior`; logistic recalibration: Platt (1999).
    """
    readings = [reading for signal in evidence.signals if (reading := reading_of(signal)) is not None]
    if not readings:
        return _silent(looked, base_rate)
    found = fused(readings)
    basis: Basis = "labels" if {r.kind for r in readings} & {"concept", "performance"} else "unlabelled"
    harm, low, high = (_shares(value) for value in (found.median, found.quantile(0.025), found.quantile(0.975)))
    confidence = _confidence(basis, found.above(math.log1p(worth)), base_rate)
    said = f"estimated harm {harm:.1%} of the loss, between {low:.1%} and {high:.1%} ({basis})"
    return Assessment(
        enough=True, said=said, basis=basis, harm=harm, low=low, high=high, confidence=round(confidence, 4)
    )


def reading_of(signal: Signal) -> Reading | None:
    """What a signal says of the harm; None where it says nothing."""
    harm = usable(signal.harm)
    if signal.kind not in METHODS or harm is None:
        return None
    slope, spread = METHODS[signal.kind]
    harm = min(max(harm, -0.9), _LARGEST)
    given = usable(signal.harm_error)
    error = abs(harm) / _HALF_SURE if given is None or given < 0 else min(given, _LARGEST)
    error_in_logs = slope * error / (1 + max(harm, 0.0))
    return Reading(kind=signal.kind, value=slope * math.log1p(harm), precision=1 / (spread**2 + error_in_logs**2))


def fused(readings: Sequence[Reading]) -> Posterior:
    """
    What the readings say together: the most harm that one reading of each kind gives, kinds taken in by directness.

    Taking the most over "only the most direct kind", "the two most direct", and so on, is what
    keeps a further signal from ever lowering it.

    Returns:
        Of log(1 + harm).
    """
    kinds = [[r for r in readings if r.kind == kind] for kind in DIRECTNESS]
    present = _fewer([kind for kind in kinds if kind])
    chosen = (one for count in range(1, len(present) + 1) for one in itertools.product(*present[:count]))
    return max(map(_together, chosen), key=lambda found: (found.median, found.mean))


def _fewer(kinds: list[list[Reading]]) -> list[list[Reading]]:
    """So many readings that not all choices can be weighed: the largest of each kind by themselves."""
    most = int(_MOST ** (1 / len(kinds)))
    if math.prod(map(len, kinds)) <= _MOST:
        return kinds
    return [sorted(kind, key=lambda one: -_together([one]).mean)[:most] for kind in kinds]


def _together(readings: Sequence[Reading]) -> Posterior:
    precision = sum(one.precision for one in readings)
    return posterior(sum(one.precision * one.value for one in readings) / precision, 1 / math.sqrt(precision))


def _confidence(basis: Basis, chance: float, base_rate: float) -> float:
    intercept, slope = CONFIDENCE[basis]
    inside = min(max(chance, _FAR), 1 - _FAR)
    return _at_rate(intercept + slope * math.log(inside / (1 - inside)), base_rate)


def _silent(looked: bool, base_rate: float) -> Assessment:
    if not looked:
        return Assessment(enough=False, said="not enough data to say anything of harm", basis="nothing")
    confidence = round(_at_rate(math.log(SILENT / (1 - SILENT)), base_rate), 4)
    said = "nothing was seen, and without labels nothing more can be said"
    return Assessment(enough=True, said=said, basis="silent", confidence=confidence)


def _at_rate(log_odds: float, base_rate: float) -> float:
    """Move log odds from the simulated base rate to another one (Bayes)."""
    there = math.log(base_rate / (1 - base_rate)) - math.log(BASE_RATE / (1 - BASE_RATE))
    return 1 / (1 + math.exp(-(log_odds + there)))


def _shares(value: float) -> float:
    return max(math.expm1(min(value, 20.0)), 0.0)
