"""What is behind a decision, in words and by rank."""

from flows.config.detection.settings import Rule
from flows.detection.fusion.harm import Assessment
from flows.detection.fusion.mapping import ranked
from flows.detection.fusion.signals import Evidence, Signal, usable
from registry.records.retraining import DriftType

_SURE = 0.05
_FEATURES = 5
_ASKED = ("manual", "emergency")


def causes(rule: Rule | None, evidence: Evidence, assessment: Assessment) -> tuple[str, ...]:
    """The wish of a person, the rule, the estimated harm, the signals by weight, the features by weight."""
    asked = [one.words for one in evidence.signals if one.kind in _ASKED]
    fired = [f"rule {rule.name!r} fired: {rule.condition}"] if rule else []
    harm = [assessment.said] if assessment.harm > 0 else []
    signals = sorted(filter(speaks, evidence.signals), key=_weight)
    features = ranked(evidence.drifted, evidence.importance)[:_FEATURES]
    return (
        *(asked + fired + harm),
        *(one.words or one.name for one in signals if one.kind not in _ASKED),
        *(f"{one.name}: {one.words}" if one.words else one.name for one in features),
    )


def affected_features(evidence: Evidence) -> tuple[str, ...]:
    """Drifted features by drift times importance, then those behind errors that a refit would mend."""
    drifted = [one.name for one in ranked(evidence.drifted, evidence.importance)]
    signals = sorted((one for one in evidence.signals if one.measured and speaks(one)), key=_weight)
    mended = [name for one in signals for name in one.features]
    return tuple(dict.fromkeys([*drifted, *mended]))


def drift_type(evidence: Evidence, worth: float) -> DriftType:
    """
    Data: inputs drifted. Concept: the errors did, and a refit would mend it as far as is known.

    Args:
        evidence: Its signals and drifted features.
        worth: Smallest harm that counts.
    """
    data = bool(evidence.drifted) or any(one.kind == "data" and speaks(one) for one in evidence.signals)
    told = [one for one in evidence.signals if one.measured]
    mendable = [one for one in told if one.kind == "concept" and one.harm is not None]
    concept = any(speaks(one) and (one.harm is None or one.harm >= worth / 2) for one in mendable or told)
    return "both" if concept and data else "concept" if concept else "data" if data else "none"


def speaks(signal: Signal) -> bool:
    """Whether it says, beyond reasonable doubt, that something is the matter."""
    harm, doubt = usable(signal.harm), usable(signal.doubt)
    if signal.harm is not None and (harm is None or harm <= 0):
        return False
    if signal.doubt is None:
        return signal.strength > 0
    return doubt is not None and doubt < _SURE


def _weight(signal: Signal) -> tuple[bool, float, str]:
    """From labels first, then the stronger and surer."""
    doubt = usable(signal.doubt)
    return not signal.measured, -signal.strength * (1 - (0.5 if doubt is None else doubt)), signal.name
