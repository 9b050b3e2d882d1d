"""Where a rollout stands: what registry and router know of it, put together once for people and programs."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from registry.assignment import TOTAL
from registry.records.gate import GateState
from registry.records.live import ModelMetrics
from registry.records.plan import TrafficPlan
from registry.records.rollout import Outcome, Rollout, Step
from registry.records.verdict import Decision
from registry.records.watch import Watch

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from registry.store.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    What the registry knows of a rollout.

    Attributes:
        baked_s: Seconds that the step under way has been looked after; None before the first.
        next_s: Seconds of baking until it may move at the earliest; None if no time decides.
        asked: What people are asked, who has signed and who is missing; None while nobody is asked.
    """

    rollout: Rollout
    plan: TrafficPlan | None
    baked_s: float | None
    next_s: float | None
    asked: GateState | None
    watch: Watch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    What the router has seen in the step under way.

    Attributes:
        labelled: Labelled requests of the challenger, or pairs in shadow.
        needed: As many are needed.
        decision: What they come to; None where there is nothing to judge.
        trouble: Why nothing could be seen; empty if it could.
        outcome: What the step comes to so far; None where only a look of the rollout itself can tell.
        said: Why.
    """

    requests: int = 0
    labelled: int = 0
    needed: int = 0
    decision: Decision | None = None
    trouble: str = ""
    outcome: Outcome | None = None
    said: str = ""


def known(registry: "Registry", rollout: Rollout, now: datetime) -> Known:
    """Read what belongs to *rollout*."""
    baked = _baked(registry, rollout, now)
    ours = rollout.active or rollout.status == "succeeded"
    return Known(
        rollout=rollout,
        plan=registry.plan(rollout.model),
        baked_s=baked,
        next_s=_next(rollout, baked),
        asked=_asked(registry, rollout),
        watch=_watch(registry, rollout) if ours else None,
    )


def step_of(rollout: Rollout) -> Step | None:
    """The step under way, or the last one that was; None before the first."""
    return rollout.steps[rollout.step] if rollout.step >= 0 else None


def weight_of(rollout: Rollout) -> int:
    """Parts per million that the challenger answers in the step under way."""
    step = step_of(rollout)
    if step is None:
        return 0
    return rollout.weight if rollout.weight is not None and step.weighting == "thompson" else step.share


def seen(rollout: Rollout, metrics: ModelMetrics, config: "ModelConfig", now: datetime) -> Seen:
    """Judge what the router counted, as the next look at the rollout will; changes nothing."""
    from flows.comparison.live import decide_live, live_case
    from flows.errors import NotEnoughData
    from flows.rollout.judging import judged
    from flows.rollout.observe import evidence_of, has_planned_looks

    step = step_of(rollout)
    if step is None:
        return Seen()
    evidence = evidence_of(rollout, metrics)
    needed = step.min_labelled if step.share == TOTAL else max(step.min_labelled, rollout.policy.min_labelled)
    decision, trouble = None, ""
    try:
        case = live_case(
            model=rollout.model, rollout=rollout, metrics=metrics, task=config.task, decision_id="look", at=now
        )
        decision = decide_live(case)
    except NotEnoughData as missing:
        trouble = missing.why
    come = judged(rollout, decision, evidence, trouble)
    known = not has_planned_looks(rollout)
    return Seen(
        requests=evidence.seen,
        labelled=evidence.labelled,
        needed=needed,
        decision=decision,
        outcome=come.outcome if known else None,
        said=come.said if known else "",
    )


def _baked(registry: "Registry", rollout: Rollout, now: datetime) -> float | None:
    if rollout.step < 0:
        return None
    pulse = registry.pulse_of(rollout.id)
    if pulse is not None and pulse.step == rollout.step:
        return float(pulse.baked_s)
    return 0.0 if rollout.active else (now - rollout.step_started_at).total_seconds()


def _next(rollout: Rollout, baked: float | None) -> float | None:
    step = step_of(rollout)
    if rollout.status != "running" or step is None or baked is None:
        return None
    return max(0.0, step.min_s - baked)


def _asked(registry: "Registry", rollout: Rollout) -> GateState | None:
    asks = rollout.waiting is not None or rollout.status == "waiting_approval"
    return registry.gate(rollout.id) if asks and rollout.active else None


def _watch(registry: "Registry", rollout: Rollout) -> Watch | None:
    return next((one for one in registry.watches(rollout.model) if one.rollout_id == rollout.id), None)
