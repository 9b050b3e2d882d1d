"""All evidence into one decision that says which rule fired, and why."""

from collections.abc import Mapping
from datetime import timedelta
from math import isnan

from flows.config.detection.settings import Detection, Rule
from flows.config.model import ModelConfig
from flows.detection.fusion.cadence import Rhythm, pace
from flows.detection.fusion.calibration import BASE_RATE
from flows.detection.fusion.causes import affected_features, causes, drift_type
from flows.detection.fusion.harm import Assessment, Basis, assess
from flows.detection.fusion.mapping import exposure
from flows.detection.fusion.rules import fires
from flows.detection.fusion.severity import LEVELS, RECOMMENDATIONS, severity_of
from flows.detection.fusion.signals import Evidence
from registry.records.base import Record
from registry.records.retraining import DriftType, Severity


class RetrainDecision(Record, frozen=True, kw_only=True):
    """
    Whether to retrain.

    Attributes:
        triggered: A rule with a retraining action fired, or a person asked; and nothing holds it back.
        severity: Grows with the estimated harm.
        confidence: Calibrated probability that a retraining is warranted: that a refit would be better
            by `fusion.worth` of the baseline loss at least.
        harm, harm_low, harm_high: Estimated rise of the loss over that of a refit, in shares of the
            baseline loss, with its central 95 % interval; None if nothing is known.
        basis: What that rests on, see `Assessment`.
        rule: Name of the rule that fired first, or manual or emergency; None if none did.
        trigger: Its trigger.
        causes: Strongest first, in words.
        affected_features: By drift times importance.
        undecided: Rules that could not be decided for want of data.
        evidence: Every metric the rules could see.
        held_back: Why a decision that was triggered is not now.
        next_check: Time until the next look.
        cadence: How often to retrain while things are as they are.
    """

    triggered: bool
    investigate: bool
    severity: Severity
    confidence: float
    drift_type: DriftType
    rule: str | None
    trigger: str | None
    causes: tuple[str, ...]
    affected_features: tuple[str, ...]
    recommendation: str
    undecided: tuple[str, ...]
    evidence: dict[str, float | None]
    harm: float | None = None
    harm_low: float | None = None
    harm_high: float | None = None
    basis: Basis = "nothing"
    held_back: str | None = None
    next_check: timedelta = timedelta(hours=6)
    cadence: Rhythm = "weekly"


def decide(config: ModelConfig, evidence: Evidence, *, in_service: timedelta | None = None) -> RetrainDecision:
    """
    Estimate the harm, ask every rule, and say what follows.

    What is not known triggers nothing, and neither does NaN.

    Args:
        config: Its detection rules, in order.
        evidence: Of this look.
        in_service: Since the model's first version was trained; sets the default schedule.
    """
    limits = config.detection
    rate = limits.fusion.base_rate or BASE_RATE
    looked = evidence.metrics.get("drifted_features") is not None or bool(evidence.drifted)
    found = assess(evidence, worth=limits.fusion.worth, base_rate=rate, looked=looked)
    severity = severity_of(found.harm, evidence.signals, limits.fusion)
    metrics = _metrics(evidence, found, severity)
    answers = [(rule, fires(rule, metrics)) for rule in limits.rules]
    return _decided(limits, evidence, found, severity, metrics, answers, in_service)


def _decided(
    limits: Detection,
    evidence: Evidence,
    found: Assessment,
    severity: Severity,
    metrics: dict[str, float | None],
    answers: list[tuple[Rule, bool | None]],
    in_service: timedelta | None,
) -> RetrainDecision:
    fired = [rule for rule, answer in answers if answer]
    retraining = [rule for rule in fired if rule.action != "investigate"]
    chosen = next(iter(retraining or fired), None)
    wish = _wish(evidence)
    name, triggered = wish or (chosen.name if chosen else None), bool(retraining or wish)
    rhythm = pace(severity, found.confidence, in_service, limits.cadence)
    return RetrainDecision(
        triggered=triggered,
        investigate=any("investigate" in rule.action for rule in fired),
        severity=severity,
        confidence=found.confidence,
        drift_type=drift_type(evidence, limits.fusion.worth),
        rule=name,
        trigger=wish or (chosen.trigger if chosen else None),
        causes=causes(chosen, evidence, found),
        affected_features=affected_features(evidence),
        recommendation=_recommended(severity, name if triggered else None),
        undecided=tuple(rule.name for rule, answer in answers if answer is None),
        evidence=metrics,
        harm=found.harm if found.enough else None,
        harm_low=found.low if found.enough else None,
        harm_high=found.high if found.enough else None,
        basis=found.basis,
        next_check=rhythm.next_check,
        cadence=rhythm.rhythm,
    )


def _metrics(evidence: Evidence, found: Assessment, severity: Severity) -> dict[str, float | None]:
    own = {
        **found.metrics(),
        "severity": float(LEVELS.index(severity)),
        "exposure": exposure(evidence.drifted, evidence.importance) if found.enough else None,
    }
    return own | _known(evidence.metrics)


def _known(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None or isnan(value) else value for name, value in metrics.items()}


def _wish(evidence: Evidence) -> str | None:
    kinds = {one.kind for one in evidence.signals}
    return next((kind for kind in ("emergency", "manual") if kind in kinds), None)


def _recommended(severity: Severity, rule: str | None) -> str:
    """By severity; a retraining that is not urgent still says that it is asked for."""
    plain = RECOMMENDATIONS[severity]
    return plain if rule is None or severity in ("HIGH", "CRITICAL") else f"{plain}; retrain as {rule!r} asks"
