"""What a move changes, committed at once."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from flows.comparison.decide import shown
from flows.rollout.machine import Move
from registry.approval import approval_digest
from registry.errors import NotFound
from registry.ramp import abort_plan, promotion_plan, rollback_plan, stage_of, step_plan
from registry.records.live import ModelMetrics
from registry.records.notice import Notice
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout, StepResult, Waiting
from registry.records.version import Stage
from registry.records.watch import Watch
from registry.results import with_result
from registry.steering import changed_stages, fresh_step
from registry.store.registry import Registry
from registry.watching import watch_of

ACTOR = "rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """
    A move, and what it starts from.

    Attributes:
        rollout, plan: As they were read; if either has changed since, nothing is committed.
        metrics: What the router said; for the watch after a promotion.
        notices: Written with the move.
        at: On the model's clock.
    """

    rollout: Rollout
    plan: TrafficPlan
    move: Move
    metrics: ModelMetrics | None
    notices: Sequence[Notice]
    at: datetime


@dataclass(frozen=True, slots=True)
class _Change:
    rollout: Rollout
    plan: TrafficPlan | None = None
    stages: dict[str, Stage] | None = None
    watch: Watch | None = None


def commit(registry: Registry, wanted: Commit) -> Move:
    """
    Commit a move with the revision and the epoch that were read.

    Raises:
        PlanConflict: If somebody else moved the rollout, or published a plan, in between.
        StageConflict: If the rollout is over by now.
    """
    change, stages = _change(registry, wanted), {}
    if change.stages:  # a promotion names all: the registry, not we, knows whether somebody was first
        promotes = wanted.move.kind == "promote"
        stages = change.stages if promotes else changed_stages(registry, wanted.rollout.model, change.stages)
    registry.move_rollout(
        change.rollout,
        plan=change.plan,
        stages=stages,
        actor=ACTOR,
        reason=wanted.move.said,
        at=wanted.at,
        notices=wanted.notices,
        watch=change.watch,
    )
    return wanted.move


def _change(registry: Registry, wanted: Commit) -> _Change:
    rollout, plan, move = wanted.rollout, wanted.plan, wanted.move
    cause: dict[str, Any] = {"actor": ACTOR, "reason": move.said, "at": wanted.at}
    if move.kind == "wait":
        return _Change(_asking(registry, wanted))
    if move.kind == "weigh":
        moved = _next(rollout, move, weight=move.weight, turn=move.turn, outcome=move.outcome)
        return _Change(moved, step_plan(rollout, move.step, plan, weight=move.weight, turn=move.turn, **cause))
    if move.kind == "promote":
        return _promotion(wanted, cause)
    if move.kind == "roll_back":
        ended = _ended(wanted, "rolled_back")
        return _Change(ended, rollback_plan(rollout, plan, **cause), {rollout.challenger: "rejected"})
    if move.kind == "abort":
        ended = _ended(wanted, "aborted")
        return _Change(ended, abort_plan(rollout, plan, **cause), {rollout.challenger: "staging"})
    return _step(registry, wanted, cause)


def _step(registry: Registry, wanted: Commit, cause: dict[str, Any]) -> _Change:
    rollout, move = wanted.rollout, wanted.move
    moved = _next(
        rollout,
        move,
        status="running",
        step=move.step,
        step_started_at=wanted.at,
        proven=_is_proven(registry, wanted),
        results=_results(wanted),
        **fresh_step(rollout, move.step),
    )
    plan = step_plan(rollout, move.step, wanted.plan, **cause)
    return _Change(moved, plan, {rollout.challenger: stage_of(rollout, move.step)})


def _is_proven(registry: Registry, wanted: Commit) -> bool:
    """Whether the goal was shown: before, now, or by the verdict that people were shown at the gate."""
    rollout, decision = wanted.rollout, wanted.move.decision
    if rollout.proven or (decision is not None and shown(decision)):
        return True
    return (
        rollout.waiting is not None
        and rollout.decision_id is not None
        and shown(registry.decision(rollout.decision_id))
    )


def _promotion(wanted: Commit, cause: dict[str, Any]) -> _Change:
    rollout = wanted.rollout
    watch = watch_of(rollout, wanted.metrics, wanted.plan, wanted.at)
    plan = promotion_plan(rollout, wanted.plan, watch=watch, **cause)
    stages: dict[str, Stage] = {rollout.challenger: "production", rollout.champion: "archived"}
    return _Change(_ended(wanted, "succeeded"), plan, stages, watch)


def _asking(registry: Registry, wanted: Commit) -> Rollout:
    """The question, bound to what people will read; older sign-offs are for something else."""
    rollout, move = wanted.rollout, wanted.move
    asked = _next(
        rollout,
        move,
        status="waiting_approval",
        outcome=move.outcome,
        decision_id=_shown_decision(registry, wanted),
    )
    waiting = Waiting(
        question=move.question or "advance",
        bound_to=approval_digest(registry, asked),
        since=wanted.at,
        said=move.said,
    )
    return msgspec.structs.replace(asked, waiting=waiting)


def _shown_decision(registry: Registry, wanted: Commit) -> str | None:
    """The live comparison that opened the gate, if it is kept; else the one that the rollout began with."""
    decision = wanted.move.decision
    if decision is not None:
        with contextlib.suppress(NotFound):
            return registry.decision(decision.id).id
    return wanted.rollout.decision_id


def _ended(wanted: Commit, status: str) -> Rollout:
    return _next(
        wanted.rollout, wanted.move, status=status, waiting=None, outcome=wanted.move.outcome, results=_results(wanted)
    )


def _results(wanted: Commit) -> tuple[StepResult, ...]:
    move = wanted.move
    decision = move.decision.id if move.decision is not None else None
    return with_result(wanted.rollout, move.outcome or "inconclusive", move.said, wanted.at, ACTOR, decision)


def _next(rollout: Rollout, move: Move, **changes: Any) -> Rollout:
    return msgspec.structs.replace(rollout, revision=rollout.revision + 1, said=move.said, **changes)
