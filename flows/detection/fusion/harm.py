"""
How much harm is done, and how sure that is.

Every signal that speaks of loss is a noisy reading of one number: by how many percent of the baseline loss a
refit would be better now. Readings are added up by their precision; between kinds that disagree, the more
direct one counts more, because its own error is smaller.
"""

import math
from collections.abc import Sequence
from typing import Literal

from flows.detection.fusion.calibration import BASE_RATE, CONFIDENCE, DIRECTNESS, METHODS, PRIOR, SILENT
from flows.detection.fusion.signals import Evidence, Signal, usable
from registry.records.base import Record

Basis = Literal["labels", "unlabelled", "silent", "nothing"]
_FAR = 8.0  # standard deviations beyond which nothing grows surer
_INTERVAL = 1.96
_LARGEST = 1e6
_HALF_SURE = 1.64  # deviations in an estimate whose doubt nobody said


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
        harm: Rise of the loss over that of a refit, in shares of the baseline loss; 0 where nothing speaks of harm.
        low, high: Its central 95 % interval.
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
        Analysis, section 2.5; logistic recalibration: Platt (1999).
    """
    readings = [reading for signal in evidence.signals if (reading := reading_of(signal)) is not None]
    if not readings:
        return _silent(looked, base_rate)
    value, precision = fused(readings)
    spread = 1 / math.sqrt(precision)
    basis: Basis = "labels" if {r.kind for r in readings} & {"concept", "performance"} else "unlabelled"
    far = (value - math.log1p(worth)) / spread
    harm, low, high = (_shares(value + shift * _INTERVAL * spread) for shift in (0, -1, 1))
    confidence = _confidence(basis, far, base_rate)
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


def fused(readings: Sequence[Reading]) -> tuple[float, float]:
    """
    The largest posterior mean that one reading of each kind gives, kinds taken in by directness.

    Taking the largest over "only the most direct kind", "the two most direct", and so on, is what
    keeps a further signal from ever lowering it.

    Returns:
        Posterior mean of log(1 + harm), and its precision.
    """
    kinds = [[r for r in readings if r.kind == kind] for kind in DIRECTNESS]
    present = [kind for kind in kinds if kind]
    found = [_largest(present[: count + 1]) for count in range(len(present))]
    return max(found)


def _largest(kinds: list[list[Reading]]) -> tuple[float, float]:
    """Choose one reading of each kind so that the mean is largest (Dinkelbach 1967: a ratio of two sums)."""
    mean, precision = -math.inf, PRIOR**-2
    chosen = [kind[0] for kind in kinds]
    while True:
        precision = PRIOR**-2 + sum(one.precision for one in chosen)
        better = sum(one.precision * one.value for one in chosen) / precision
        if better <= mean + 1e-12:
            return max(mean, better), precision
        mean = better
        chosen = [max(kind, key=lambda one: one.precision * (one.value - better)) for kind in kinds]


def _confidence(basis: Basis, far: float, base_rate: float) -> float:
    intercept, slope = CONFIDENCE[basis]
    return _at_rate(intercept + slope * min(max(far, -_FAR), _FAR), base_rate)


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
