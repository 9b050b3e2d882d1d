"""All signals into one decision that says which rule fired, and why."""

import re
from collections.abc import Mapping

from flows.config.detection.settings import Rule
from flows.config.model import ModelConfig
from flows.detection.columns import FeatureDrift
from flows.detection.drift import DriftReport
from flows.detection.fusion.rules import fires
from registry.records.base import Record
from registry.records.retraining import DriftType, Severity

RECOMMENDATIONS: dict[Severity, str] = {
    "LOW": "monitor",
    "MEDIUM": "investigate",
    "HIGH": "plan retraining",
    "CRITICAL": "retrain now",
}
_VERY_STRONG = 0.50


class RetrainDecision(Record, frozen=True, kw_only=True):
    """
    Whether to retrain.

    Attributes:
        triggered: A rule with a retraining action fired.
        rule: Name of the rule that fired first; None if none did.
        trigger: Its trigger.
        confidence: 0 to 1, from the p-values behind the strongest signal; not calibrated.
        causes: Signals, strongest first, in words.
        affected_features: Drifted features, most drifted first.
        undecided: Rules that could not be decided for want of data.
        evidence: Every metric the rules could see.
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


def decide(config: ModelConfig, metrics: Mapping[str, float | None], report: DriftReport) -> RetrainDecision:
    """
    Ask every rule, then weigh what was seen.

    Args:
        config: Its detection rules, in order.
        metrics: Values of `flows.config.conditions.METRICS`; None for what is not known.
        report: The data drift behind some of them.
    """
    answers = [(rule, fires(rule, metrics)) for rule in config.detection.rules]
    fired = [rule for rule, answer in answers if answer]
    retraining = [rule for rule in fired if rule.action != "investigate"]
    strong = config.detection.error_increase
    concept, data = _concept(metrics, strong), bool(report.drifted)
    severity = _severity(metrics, report, fired, strong)
    chosen = next(iter(retraining or fired), None)
    return RetrainDecision(
        triggered=bool(retraining),
        investigate=any("investigate" in rule.action for rule in fired),
        severity=severity,
        confidence=_confidence(chosen, metrics, report),
        drift_type="both" if concept and data else "concept" if concept else "data" if data else "none",
        rule=chosen.name if chosen else None,
        trigger=chosen.trigger if chosen else None,
        causes=tuple(_causes(chosen, metrics, report)),
        affected_features=tuple(feature.name for feature in report.drifted),
        recommendation=RECOMMENDATIONS[severity],
        undecided=tuple(rule.name for rule, answer in answers if answer is None),
        evidence=dict(metrics),
    )


def _concept(metrics: Mapping[str, float | None], strong: float) -> bool:
    increase, p = metrics.get("error_increase"), metrics.get("error_p")
    return increase is not None and p is not None and increase > strong and p < 0.05


def _degraded(metrics: Mapping[str, float | None], strong: float) -> bool:
    increase, p = metrics.get("baseline_increase"), metrics.get("baseline_p")
    return increase is not None and p is not None and increase > strong and p < 0.01


def _severity(metrics: Mapping[str, float | None], report: DriftReport, fired: list[Rule], strong: float) -> Severity:
    increase = metrics.get("error_increase") or 0.0
    concept = _concept(metrics, strong)
    if concept and increase > max(_VERY_STRONG, strong):
        return "CRITICAL"
    signals = concept + _degraded(metrics, strong) + (len(report.drifted) > 5)
    if signals >= 2:
        return "HIGH"
    mild = len(fired) + bool(report.drifted)
    return "MEDIUM" if signals or mild >= 3 else "LOW"


def _confidence(rule: Rule | None, metrics: Mapping[str, float | None], report: DriftReport) -> float:
    if rule is None:
        return 0.0
    if rule.trigger in ("age", "volume", "schedule"):
        return 1.0
    tests = {"error_p": "error", "baseline_p": "baseline"}
    named = [name for name, word in tests.items() if re.search(rf"\b{word}", rule.condition)]
    doubts = [p for name in named if (p := metrics.get(name)) is not None]
    doubts += [feature.doubt for feature in report.drifted]
    return round(1 - min(doubts), 4) if doubts else 0.5


def _causes(rule: Rule | None, metrics: Mapping[str, float | None], report: DriftReport) -> list[str]:
    causes = [f"rule {rule.name!r} fired: {rule.condition}"] if rule else []
    increase, p = metrics.get("error_increase"), metrics.get("error_p")
    if increase is not None and p is not None and p < 0.05:
        causes.append(f"the error rose by {increase:.1%} (p = {p:.2g})")
    increase, p = metrics.get("baseline_increase"), metrics.get("baseline_p")
    if increase is not None and p is not None and increase > 0 and p < 0.05:
        causes.append(f"the champion's error is {increase:.1%} above that of its holdout (p = {p:.2g})")
    return causes + [f"{feature.name}: {'; '.join(_seen(feature))}" for feature in report.drifted[:5]]


def _seen(feature: FeatureDrift) -> list[str]:
    name = "D" if feature.kind == "numeric" else "V"
    measured = [f"{name} = {feature.statistic:.3f}, PSI = {feature.psi:.2f}"] if feature.enough else []
    return [*measured, *feature.findings]
