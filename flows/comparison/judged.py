"""What a measured metric is held against: zero, a margin, or nothing."""

from flows.comparison.findings import About, finding
from flows.comparison.metrics import loss_scale
from flows.comparison.paired_tests import Measured
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Finding, Role


def held_to_policy(policy: PromotionPolicy, metric: str, role: Role, measured: Measured) -> Finding:
    """A goal, or a metric that is only reported."""
    threshold = 0.0
    if role == "primary" and policy.rule == "non_inferiority":
        threshold = -policy.margin * loss_scale(metric, measured.champion)
    about = About(metric, role, measured.champion, measured.challenger, None if role == "context" else threshold)
    return finding(about, measured.effect)


def held_to_margin(guard: Guardrail, measured: Measured) -> Finding:
    """A guardrail: its margin, as a share of the champion's value or in units, and its slack."""
    margin = guard.margin * (abs(measured.champion) if guard.relative else 1.0) + guard.slack
    about = About(guard.metric, "guardrail", measured.champion, measured.challenger, -margin)
    return finding(about, measured.effect)
