"""What people do to a rollout: hold it, let it go on, take its next step, end it; the same from everywhere."""

from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from registry.approval import asks_people, is_agreed
from registry.errors import StageConflict
from registry.ramp import abort_plan, promotion_plan, stage_of, step_plan
from registry.records.live import ModelMetrics
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout, StepResult
from registry.records.version import Stage
from registry.results import with_result
from registry.store.base import Cause
from registry.store.registry import Registry
from registry.telling import steered
from registry.watching import watch_of


class Steered(NamedTuple):
    """What a rollout and its traffic plan are after somebody steered it."""

    rollout: Rollout
    plan: TrafficPlan


def pause(registry: Registry, model: str, *, actor: str, reason: str, at: datetime) -> Steered:
    """
    Hold the rollout of *model* where it is; guards stay active, and no time counts as its stay.

    Pausing what is paused changes nothing.

    Raises:
        StageConflict: If the model has no active rollout.
        PlanConflict: If somebody else moved it first.
    """
    here = _here(registry, model, "paused")
    if here.plan.paused and here.rollout.status == "paused":
        return here
    said = f"{actor} holds it: {reason}"
    held = _next(here.rollout, status="paused", said=said)
    return _commit(
        registry, held, _with_ramp(here.plan, Cause(actor, reason, at), paused=True), Cause(actor, reason, at)
    )


def resume(registry: Registry, model: str, *, actor: str, reason: str, at: datetime) -> Steered:
    """
    Let a paused rollout go on, to where it was: a question that people were asked stays open.

    The pause does not count as its stay. Resuming what runs changes nothing.

    Raises:
        StageConflict: If the model has no active rollout.
        PlanConflict: If somebody else moved it first.
    """
    here = _here(registry, model, "resumed")
    rollout, plan = here
    if not plan.paused and rollout.status != "paused":
        return here
    status = "waiting_approval" if rollout.waiting else "running"
    status = rollout.status if rollout.status != "paused" else status
    cause = Cause(actor, reason, at)
    going = _next(rollout, status=status, said=f"{actor} lets it go on: {reason}")
    done = _commit(registry, going, _with_ramp(plan, cause, paused=False), cause)
    _skip_the_pause(registry, rollout, at)
    return done


def skip(
    registry: Registry,
    model: str,
    *,
    actor: str,
    reason: str,
    at: datetime,
    metrics: ModelMetrics | None = None,
) -> Steered:
    """
    Take the next step now: bake time and evidence of the present one are the person's to judge.

    The last step makes the challenger the champion. Where people must agree, they must have: the gate is not skipped.

    Args:
        registry: Owns the rollout.
        model: Name of the model.
        actor: Who wants it.
        reason: Why.
        at: On the model's clock.
        metrics: What the router counted, for the watch after a promotion; without it the watch knows no baseline.

    Raises:
        StageConflict: If there is no active rollout, it is held, or people must agree first.
        PlanConflict: If somebody else moved it first.
    """
    rollout, plan = _here(registry, model, "moved")
    _refuse_step(registry, rollout, plan)
    cause = Cause(actor, reason, at)
    if is_last(rollout):
        return _promote(registry, rollout, plan, metrics, cause)
    following = rollout.step + 1
    moved = _next(
        rollout,
        status="running",
        step=following,
        step_started_at=at,
        said=f"{actor}: {reason}",
        results=_results(rollout, cause),
        **fresh_step(rollout, following),
    )
    new = step_plan(rollout, following, plan, actor=actor, reason=reason, at=at)
    return _commit(registry, moved, new, cause, {rollout.challenger: stage_of(rollout, following)})


def abort(
    registry: Registry,
    model: str,
    *,
    actor: str,
    reason: str,
    at: datetime,
    stage: Literal["staging", "archived"] = "staging",
) -> Steered:
    """
    End the rollout of *model* because people no longer want it; the champion answers everybody.

    Nothing is said against the challenger: it may be tried again.

    Args:
        registry: Owns the rollout.
        model: Name of the model.
        actor: Who wants it.
        reason: Why.
        at: On the model's clock.
        stage: Where the challenger goes.

    Raises:
        StageConflict: If the model has no active rollout.
        PlanConflict: If somebody else moved it first.
    """
    rollout, plan = _here(registry, model, "aborted")
    cause = Cause(actor, reason, at)
    ended = _next(rollout, status="aborted", said=f"{actor}: {reason}", waiting=None, results=_results(rollout, cause))
    new = abort_plan(rollout, plan, actor=actor, reason=reason, at=at)
    return _commit(registry, ended, new, cause, {rollout.challenger: stage})


def is_last(rollout: Rollout | None) -> bool:
    """Whether the next step makes the challenger the champion."""
    return rollout is not None and rollout.step + 1 == len(rollout.steps)


def fresh_step(rollout: Rollout, index: int) -> dict[str, object]:
    """What a step begins with: nothing asked, nothing seen, and its first weight."""
    moving = rollout.steps[index].weighting == "thompson"
    return {"waiting": None, "outcome": None, "weight": rollout.steps[index].share if moving else None, "turn": 0}


def changed_stages(registry: Registry, model: str, stages: dict[str, Stage]) -> dict[str, Stage]:
    """Those of *stages* that a version is not in yet."""
    return {version: stage for version, stage in stages.items() if registry.version(model, version).stage != stage}


def _promote(
    registry: Registry, rollout: Rollout, plan: TrafficPlan, metrics: ModelMetrics | None, cause: Cause
) -> Steered:
    said = f"{cause.actor}: {cause.reason}"
    done = _next(rollout, status="succeeded", said=said, waiting=None, results=_results(rollout, cause))
    watch = watch_of(rollout, metrics, plan, cause.at)
    new = promotion_plan(rollout, plan, actor=cause.actor, reason=cause.reason, at=cause.at, watch=watch)
    stages: dict[str, Stage] = {rollout.challenger: "production", rollout.champion: "archived"}
    kept = registry.move_rollout(
        done,
        plan=new,
        stages=stages,
        actor=cause.actor,
        reason=cause.reason,
        at=cause.at,
        watch=watch,
        notices=steered(done),
    )
    return Steered(kept, new)


def _here(registry: Registry, model: str, verb: str) -> Steered:
    rollout, plan = registry.active_rollout(model), registry.plan(model)
    if rollout is None or plan is None:
        raise StageConflict(
            f"Nothing was {verb}.", f"{model} has no active rollout.", f"See `understudy rollout status {model}`."
        )
    return Steered(rollout, plan)


def _refuse_step(registry: Registry, rollout: Rollout, plan: TrafficPlan) -> None:
    what = f"{rollout.id} of {rollout.model} was not moved."
    if plan.paused or rollout.status == "paused":
        raise StageConflict(what, "It is paused.", f"Resume it first: `understudy rollout resume {rollout.model}`.")
    if needs_people(rollout) and not is_agreed(registry, rollout):
        roles = ", then as ".join(rollout.gate.roles)
        why = "The people who must agree before it goes on have not."
        raise StageConflict(what, why, f"`understudy approve {rollout.model}` as {roles}; each by another person.")


def needs_people(rollout: Rollout) -> bool:
    """Whether the next step needs the consent of all whom the gate names; a step without verdict is one's to judge."""
    asked = rollout.waiting.question if rollout.waiting else None
    doubted = rollout.status == "waiting_approval" and asked != "inconclusive"
    return asks_people(rollout) or doubted


def _results(rollout: Rollout, cause: Cause) -> tuple[StepResult, ...]:
    said, outcome = f"{cause.actor}: {cause.reason}", rollout.outcome or "inconclusive"
    return with_result(rollout, outcome, said, cause.at, cause.actor, rollout.decision_id)


def _next(rollout: Rollout, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, revision=rollout.revision + 1, **changes)


def _with_ramp(plan: TrafficPlan, cause: Cause, *, paused: bool) -> TrafficPlan:
    return msgspec.structs.replace(
        plan, epoch=plan.epoch + 1, paused=paused, created_at=cause.at, actor=cause.actor, reason=cause.reason
    )


def _commit(
    registry: Registry, rollout: Rollout, plan: TrafficPlan, cause: Cause, stages: dict[str, Stage] | None = None
) -> Steered:
    changed = changed_stages(registry, rollout.model, stages or {})
    kept = registry.move_rollout(
        rollout,
        plan=plan,
        stages=changed,
        actor=cause.actor,
        reason=cause.reason,
        at=cause.at,
        notices=steered(rollout),
    )
    return Steered(kept, plan)


def _skip_the_pause(registry: Registry, rollout: Rollout, at: datetime) -> None:
    """Count on from now; a crash before this costs nothing but that a short pause counts as stay."""
    pulse = registry.pulse_of(rollout.id)
    if pulse is not None and pulse.step == rollout.step:
        registry.pulse(rollout.id, step=pulse.step, baked_s=pulse.baked_s, at=max(at, pulse.at))
