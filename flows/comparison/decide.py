"""From findings to a verdict: pure, and every reason is kept."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from flows.comparison.findings import number, seen
from flows.stats.multiplicity import adjust
from registry.records.policy import PromotionPolicy, default_improvement
from registry.records.verdict import Decision, Finding, Outcome

Findings = tuple[Finding, ...]


class Amount(NamedTuple):
    """
    How much data there is, and how much the policy asks for.

    Attributes:
        of: What is counted, e.g. "labelled pairs".
    """

    n: int
    need: int
    of: str


class Ruling(NamedTuple):
    """
    A verdict before it has a name.

    Attributes:
        findings: As given, with `passed` and `repair` filled in.
        changes: What would change the verdict, one sentence each.
    """

    outcome: Outcome
    headline: str
    findings: Findings
    changes: tuple[str, ...] = ()


def decide(policy: PromotionPolicy, findings: Sequence[Finding], amount: Amount, *, proven: bool = False) -> Ruling:
    """
    Promote only on evidence, reject only on evidence, and else wait or ask people.

    A challenger is promoted if a goal is surely better (or, for non-inferiority, the primary
    metric surely not worse than its margin), no goal is surely worse, and every guardrail
    lies surely within its margin. Guardrails are tested at alpha each: all of them must
    pass, so they need power, not correction. Goals are corrected together.

    Args:
        policy: Declared before the data was seen.
        findings: One of role "primary", any number of others. Estimates are gains: above 0
            the challenger is better; `threshold` is what the interval must lie above.
        amount: Below `need` nothing is promoted; harm is acted upon at any time.
        proven: The goal was shown earlier in the same rollout; now only harm is looked for.

    Source:
        Schultzberg, Ankargren, Franberg (2024), arXiv 2402.11609: superiority of a goal,
        non-inferiority of every guardrail, no deterioration, and sound data.
    """
    judged = _judged(policy, findings)
    goals, guards = _of(judged, "primary", "goal"), _of(judged, "guardrail")
    harmed = [f for f in (*goals, *guards) if f.passed is False]
    if harmed:
        return _rejected(harmed, judged)
    unsound = [f for f in _of(judged, "integrity") if f.passed is False]
    if unsound:
        return Ruling("invalid", unsound[0].said, judged, tuple(f.repair for f in unsound if f.repair))
    if amount.n < amount.need:
        said = f"{amount.n} of at least {amount.need} {amount.of}"
        return Ruling("continue", said, judged, (f"{amount.need - amount.n} more {amount.of}",))
    doubtful = [f for f in _of(judged, "integrity") if f.passed is None and f.repair]
    if doubtful:
        return Ruling("continue", doubtful[0].said, judged, tuple(f.repair for f in doubtful))
    return _weighed(policy, judged, goals, guards, proven)


def shown(decision: Decision) -> bool:
    """Whether a verdict in favour rests on a goal that was shown, rather than on the absence of harm."""
    goals = {decision.policy.metric, *decision.policy.goals}
    asked = [f for f in decision.findings if f.passed and f.role in ("primary", "goal")]
    won = [f for f in asked if f.role == "primary" or f.metric in goals]
    return decision.outcome in ("promote", "needs_approval") and bool(won)


def _weighed(
    policy: PromotionPolicy, judged: Findings, goals: Sequence[Finding], guards: Sequence[Finding], proven: bool
) -> Ruling:
    won, open_guards = [f for f in goals if f.passed], [f for f in guards if f.passed is None]
    if not won and not proven:
        primary = goals[0]
        return Ruling("continue", f"{seen(primary)}: {_doubt(policy)}", judged, _repairs(goals, open_guards))
    best = won[0] if won else next((f for f in goals if f.estimate is not None), goals[0])
    if open_guards:
        names = ", ".join(f.name for f in open_guards)
        said = f"{seen(best)}; not yet sure that {names} stays within its margin: {seen(open_guards[0])}"
        return Ruling("continue", said, judged, _repairs((), open_guards))
    if proven:
        return Ruling("promote", f"nothing speaks against it: {seen(best)}", judged)
    if policy.rule == "non_inferiority" and best.role == "primary":
        margin = number(-(best.threshold or 0.0))
        return Ruling("promote", f"{seen(best)}: surely not worse by more than {margin}", judged)
    if any(_large(policy, f) for f in won):
        return Ruling("promote", f"{seen(best)}: significantly better", judged)
    least = _least(policy, best)
    said = f"{seen(best)}: better, but by less than the {least:.0%} for automatic promotion"
    return Ruling(
        "needs_approval", said, judged, (f"an improvement of at least {least:.0%}, or the consent of people",)
    )


def _rejected(harmed: Sequence[Finding], judged: Findings) -> Ruling:
    worst = harmed[0]
    if worst.role == "guardrail":
        said = f"guardrail {worst.name} is surely beyond its margin of {number(-(worst.threshold or 0))}: {seen(worst)}"
    else:
        said = f"surely worse: {seen(worst)}"
    return Ruling("reject", said, judged, ("another challenger: more data would not help this one",))


def _judged(policy: PromotionPolicy, findings: Sequence[Finding]) -> Findings:
    significant = _significant(policy, _of(findings, "primary", "goal"))
    return tuple(_judge(policy, f, significant) for f in findings)


def _judge(policy: PromotionPolicy, f: Finding, significant: set[str]) -> Finding:
    if f.role not in ("primary", "goal", "guardrail"):
        return f
    low, high = _or(f.low, -math.inf), _or(f.high, math.inf)
    bar, harm = f.threshold or 0.0, (f.threshold or 0.0) if f.role == "guardrail" else 0.0
    if high < harm:
        return msgspec.structs.replace(f, passed=False)
    margin_rule = f.role == "guardrail" or (f.role == "primary" and policy.rule == "non_inferiority")
    if low > bar and (margin_rule or f.name in significant):
        return msgspec.structs.replace(f, passed=True)
    return msgspec.structs.replace(f, passed=None, repair=f.repair or f"{f.name}: an interval above {number(bar)}")


def _significant(policy: PromotionPolicy, goals: Sequence[Finding]) -> set[str]:
    """
    Goals whose p-value survives the correction for all of them together.

    What was declared counts, measured or not: otherwise the correction would depend on what has
    come so far, and a goal that comes late would get an alpha of its own.
    """
    tested = {f.name: f.log_p or 0.0 for f in goals}
    absent = {f"\0{i}": 0.0 for i in range(1 + len(policy.goals) - len(tested))}
    found = adjust(tested | absent, method=policy.multiplicity, alpha=policy.alpha)
    return {name for name in tested if found[name].rejected}


def _large(policy: PromotionPolicy, f: Finding) -> bool:
    return f.lift is not None and f.lift >= _least(policy, f)


def _least(policy: PromotionPolicy, f: Finding) -> float:
    metric = f.metric or f.name
    if f.role != "primary":
        return default_improvement(metric)
    if policy.metric == "auc" and metric != "auc" and policy.min_improvement > 0:  # a share of a loss is not one of AUC
        return max(policy.min_improvement, default_improvement(metric))
    return policy.min_improvement


def _doubt(policy: PromotionPolicy) -> str:
    if policy.rule == "superiority":
        return "too little evidence that it is better"
    return f"it may be worse by more than {policy.margin:.0%} of the loss"


def _repairs(*groups: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(f.repair for group in groups for f in group if f.repair)


def _of(findings: Iterable[Finding], *roles: str) -> list[Finding]:
    return sorted((f for f in findings if f.role in roles), key=lambda f: roles.index(f.role))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
