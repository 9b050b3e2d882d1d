"""Live requests: only tests that stay valid however often they are looked at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from flows.comparison.decide import Amount, Ruling, decide
from flows.comparison.findings import plain
from flows.comparison.groups import GroupRows
from flows.comparison.integrity import coverage, live_integrity, noise
from flows.comparison.live_tests import Question, shadow_question, split_question
from flows.comparison.outlook import more_needed
from flows.comparison.strata import ratio_over
from flows.errors import NotEnoughData
from registry.assignment import TOTAL
from registry.ramp import phase_name, phases_of_step
from registry.records.live import ModelMetrics, PhaseMetrics, VariantMetrics
from registry.records.plan import CHAMPION
from registry.records.rollout import Rollout
from registry.records.verdict import Decision, Finding
from registry.records.version import Task

CHALLENGER = "challenger"
TOO_LARGE = "a number that the router counted is too large to compute with"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCase:
    """
    Everything that a decision on live requests rests on.

    Attributes:
        phases: Of this rollout, newest last; the last one is judged.
        arms: Rows of the split, if its policy plans looks; an always-valid one does without.
    """

    model: str
    rollout: Rollout
    phases: tuple[PhaseMetrics, ...]
    task: Task
    decision_id: str
    at: datetime
    arms: Mapping[str, GroupRows] | None = None
    identities: Mapping[str, str] = field(default_factory=dict)


def live_case(
    *,
    model: str,
    rollout: Rollout,
    metrics: ModelMetrics,
    task: Task,
    decision_id: str,
    at: datetime,
    arms: Mapping[str, GroupRows] | None = None,
    identities: Mapping[str, str] | None = None,
) -> LiveCase:
    """
    Put together what speaks about the current step of a rollout.

    Args:
        rollout: In one of its steps.
        metrics: What the router reports.
        task: What the loss is.
        decision_id: Names the decision.
        at: On the model's clock.
        arms: Rows of a split whose policy plans its looks, as of `live_arms`.
        identities: Digests and versions of what is compared.

    Raises:
        NotEnoughData: If the step has no traffic yet.
    """
    named = [phase.phase for phase in metrics.phases]
    names = [name for step in range(rollout.step + 1) for name in phases_of_step(rollout, step, named)]
    phases = tuple(phase for phase in metrics.phases if phase.phase in names)
    if not phases or phases[-1].phase != phase_name(rollout, rollout.step, rollout.turn):
        raise NotEnoughData(
            f"{rollout.challenger} was not compared.",
            f"Step {rollout.step} of {rollout.id} has no traffic yet.",
            "Send requests and come back.",
        )
    return LiveCase(
        model=model,
        rollout=rollout,
        phases=phases,
        task=task,
        decision_id=decision_id,
        at=at,
        arms=arms,
        identities=dict(identities or {}),
    )


def compare_live(
    *, model: str, rollout: Rollout, metrics: ModelMetrics, task: Task, decision_id: str, at: datetime
) -> Decision:
    """
    Judge the challenger by the current step of its rollout.

    In shadow both models scored the same requests, so pairs are compared. In a split,
    callers differ, and keys are the unit of analysis. There the goal need not be shown
    again if the holdout or a shadow has shown it already: then the question is harm, and
    whether the guardrails that only callers can show are kept.

    Raises:
        NotEnoughData: If the step has no traffic yet.
    """
    return decide_live(
        live_case(model=model, rollout=rollout, metrics=metrics, task=task, decision_id=decision_id, at=at)
    )


def decide_live(case: LiveCase) -> Decision:
    """Judge what `live_case` put together; the same case gives the same decision, byte for byte."""
    rollout, phase = case.rollout, case.phases[-1]
    shadow = rollout.steps[rollout.step].share == 0
    question: Question | None = None
    try:
        if shadow:
            question = shadow_question(rollout, phase, case.task)
        else:
            question = split_question(rollout, phase, case.task, case.arms, _weights(case)[:-1])
        ruling = _in_shadow(case, question) if shadow else _in_split(case, question)
    except (ValueError, ArithmeticError) as refused:  # numbers that no statistic can be made of
        said = str(refused) if isinstance(refused, ValueError) else TOO_LARGE
        ruling = Ruling("invalid", said, (plain("numbers", False, said, role="integrity"),))
    where = "in shadow" if shadow else "live"
    return Decision(
        id=case.decision_id,
        model=case.model,
        champion=rollout.champion,
        challenger=rollout.challenger,
        kind="shadow" if shadow else "split",
        outcome=ruling.outcome,
        headline=f"{rollout.challenger} against {rollout.champion} {where}: {ruling.headline}",
        findings=ruling.findings,
        policy=rollout.policy,
        metrics=_means(phase, rollout.challenger),
        changes=ruling.changes,
        more_needed=more_needed(ruling, question.n, _need(rollout)) if question else None,
        flow=_flow(phase, rollout.challenger),
        identities=dict(case.identities),
        created_at=case.at,
    )


def _in_shadow(case: LiveCase, question: Question | None) -> Ruling:
    if question is None:
        said = "the shadow has seen no request yet"
        return Ruling("continue", "no copies yet", (plain("coverage", None, said, role="integrity"),))
    shadows = case.phases[-1].shadows
    seen, itself = shadows[case.rollout.challenger], shadows.get(case.rollout.champion)
    policy, findings = case.rollout.policy, [*question.findings, coverage(seen)]
    findings += [noise(itself, seen, case.task)] if itself else []
    amount = Amount(question.n, _need(case.rollout), "labelled pairs")
    if question.elsewhere:  # here only harm is looked for; it is for the split to show the goal
        return decide(policy, [*findings, *_sight(question)], amount, proven=True)
    if case.rollout.proven:  # how large the improvement is was decided already; here it must be real
        policy = msgspec.structs.replace(policy, min_improvement=0.0)
    return decide(policy, findings, amount)


def _in_split(case: LiveCase, question: Question | None) -> Ruling:
    rollout, phase = case.rollout, case.phases[-1]
    challenger = phase.variants.get(CHALLENGER)
    if challenger is None:
        said = "the challenger has answered nobody yet"
        return Ruling("continue", "no traffic yet", (plain("traffic", None, said, role="integrity"),))
    if question is None or rollout.steps[rollout.step].share == TOTAL:
        said = f"{challenger.loss.n} labelled requests; nobody is left to compare with"
        return Ruling("promote", said, (plain("labelled", True, said, challenger.loss.n),))
    watched = _sight(question) if rollout.proven else ()
    findings = [*question.findings, *_soundness(case), *watched]
    amount = Amount(question.n, _need(rollout), "labelled requests")
    return decide(rollout.policy, findings, amount, proven=rollout.proven)


def _weights(case: LiveCase) -> list[PhaseMetrics]:
    """Phases of the step under way: one, or one per weight."""
    named = phases_of_step(case.rollout, case.rollout.step, [phase.phase for phase in case.phases])
    return [phase for phase in case.phases if phase.phase in named]


def _soundness(case: LiveCase) -> list[Finding]:
    found, weights = live_integrity(case.phases), _weights(case)
    if len(weights) == 1:
        return found
    return [ratio_over(weights), *(one for one in found if one.name != "sample ratio")]


def _sight(question: Question) -> tuple[Finding, ...]:
    """Where nothing but harm is looked for, it must be possible to see it: silence is not safety."""
    if not question.blind:
        return ()
    said, repair = f"harm could not be seen yet: {question.blind}", "values of more callers in both arms"
    return (plain("sight of harm", None, said, question.n, role="integrity", repair=repair),)


def _need(rollout: Rollout) -> int:
    return max(rollout.policy.min_labelled, rollout.steps[rollout.step].min_labelled)


def _flow(phase: PhaseMetrics, challenger: str) -> dict[str, dict[str, int]]:
    arms = {name: variant for name, variant in phase.variants.items() if name in (CHAMPION, CHALLENGER)}
    found = {
        name: {"assigned": one.assigned, "served": one.served, "labelled": one.loss.n} for name, one in arms.items()
    }
    shadow = phase.shadows.get(challenger)
    if shadow is not None:
        found["shadow"] = {"copied": shadow.copies, "scored": shadow.scored, "matched": shadow.pairs}
    return found


def _means(phase: PhaseMetrics, challenger: str) -> dict[str, dict[str, float]]:
    arms = {name: variant for name, variant in phase.variants.items() if name in (CHAMPION, CHALLENGER)}
    found = {name: _numbers_of(variant) for name, variant in arms.items()}
    shadow = phase.shadows.get(challenger)
    if shadow is not None:
        found["shadow"] = {
            "copies": shadow.copies,
            "scored": shadow.scored,
            "pairs": shadow.pairs,
            "flips": shadow.flips,
            "champion_only_right": shadow.champion_only_right,
            "challenger_only_right": shadow.challenger_only_right,
            "latency_ms": shadow.latency_ms.mean,
        }
    return {name: _finite(one) for name, one in found.items()}


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _numbers_of(variant: VariantMetrics) -> dict[str, float]:
    found: dict[str, float] = {
        "assigned": variant.assigned,
        "served": variant.served,
        "labelled": variant.loss.n,
        "loss": variant.loss.mean,
        "latency_ms": variant.latency_ms.mean,
    }
    if variant.correct.n:
        found["accuracy"] = variant.correct.mean
    return found | {name: moments.mean for name, moments in variant.outcomes.items()}
