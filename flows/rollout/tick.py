"""One heartbeat of a rollout: look, decide, commit at most one move."""

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from flows.client import RouterClient
from flows.comparison.decide import shown
from flows.comparison.evidence import live_arms
from flows.comparison.groups import GroupRows
from flows.comparison.identities import identities
from flows.comparison.live import LiveCase, decide_live, live_case
from flows.config.model import ModelConfig
from flows.data.live import live_frame
from flows.errors import NotEnoughData, Unreachable
from flows.rollout.approval import approval_digest, is_approved
from flows.rollout.machine import Evidence, Move, next_move
from flows.rollout.observe import evidence_of, phase_of
from flows.rollout.plans import promotion_plan, rollback_plan, stage_of, step_plan
from registry.assignment import TOTAL
from registry.errors import AlreadyExists, InvalidRecord, NotFound, PlanConflict
from registry.records.live import ModelMetrics
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.records.version import Stage
from registry.store.registry import Registry

ACTOR = "rollout"
Report = Callable[[LiveCase], Decision]


class _Seen(NamedTuple):
    case: LiveCase | None = None
    decision: Decision | None = None
    evidence: Evidence = Evidence()
    trouble: str = ""


def tick(
    registry: Registry,
    client: RouterClient,
    model: str,
    config: ModelConfig,
    now: datetime,
    *,
    report: Report = decide_live,
) -> Move:
    """
    Move the active rollout of *model* by at most one step.

    Everything a move changes commits in one transaction, guarded by the rollout's revision
    and the plan's epoch: a tick that is killed has changed nothing, and of two at once
    one moves and the other holds. So does one whose layer is taken by another experiment.

    Args:
        registry: Owns the rollout.
        client: Where the evidence comes from; if it is unreachable, nothing advances.
        model: Name of the model.
        config: Its configuration.
        now: On the model's clock.
        report: Decides once more, keeps the inputs of the decision behind a move, and writes its report.
    """
    stored, plan = registry.active_rollout(model), registry.plan(model)
    if stored is None or plan is None:
        return Move(kind="none", step=-1, said=f"{model} has no active rollout")
    rollout = _as_held(stored, plan)
    seen = _observe(registry, rollout, client, config, now)
    move = next_move(rollout, seen.decision, now, evidence=seen.evidence, approved=_approved(registry, rollout))
    if not move.moves:
        return dataclasses.replace(move, said=seen.trouble) if seen.trouble else move
    try:
        return _commit(registry, stored, plan, _keep_decision(move, seen.case, registry, report), now)
    except PlanConflict as conflict:
        return Move(kind="hold", step=stored.step, said=f"nothing was moved: {conflict.why}")


def _as_held(stored: Rollout, plan: TrafficPlan) -> Rollout:
    """A plan that the router was told to pause pauses the rollout, too."""
    held = plan.paused and stored.status == "running"
    return msgspec.structs.replace(stored, status="paused") if held else stored


def _observe(registry: Registry, rollout: Rollout, client: RouterClient, config: ModelConfig, now: datetime) -> _Seen:
    if rollout.step < 0:
        return _Seen()
    try:
        metrics = client.metrics(rollout.model, min_label_age=rollout.policy.min_label_age_s)
        arms = _rows_of(rollout, client, config, metrics.clock)
    except Unreachable as error:
        return _Seen(trouble=str(error))
    evidence = evidence_of(rollout, metrics)
    try:
        case = live_case(
            model=rollout.model,
            rollout=rollout,
            metrics=metrics,
            task=config.task,
            decision_id=f"{rollout.id}.{rollout.step}-{rollout.revision}",
            at=now,
            arms=arms,
            identities=_identities(registry, rollout, metrics),
        )
    except NotEnoughData:
        return _Seen(evidence=evidence)
    return _Seen(case, decide_live(case), evidence)


def _rows_of(rollout: Rollout, client: RouterClient, config: ModelConfig, clock: float) -> dict[str, GroupRows] | None:
    """Ripe rows of a split whose looks are planned; where only harm is looked for, sums are enough."""
    policy, share = rollout.policy, rollout.steps[rollout.step].share
    if policy.method == "always_valid" or rollout.proven or not 0 < share < TOTAL:
        return None
    ripe = clock - policy.min_label_age_s if policy.min_label_age_s else None
    frame = live_frame(client, config, phase=phase_of(rollout), until=ripe)
    return live_arms(frame, policy.metric, config.task)


def _identities(registry: Registry, rollout: Rollout, metrics: ModelMetrics) -> dict[str, str]:
    champion, challenger = (registry.version(rollout.model, v) for v in (rollout.champion, rollout.challenger))
    return identities(champion, challenger, rollout.policy, hashlib.sha256(metrics.to_json()).hexdigest())


def _approved(registry: Registry, rollout: Rollout) -> bool:
    return is_approved(registry.approvals(rollout.id), approval_digest(registry, rollout))


def _keep_decision(move: Move, case: LiveCase | None, registry: Registry, report: Report) -> Move:
    """Save the decision; its name is that of the move, so that a tick killed after this repeats it."""
    if move.decision is None or case is None:
        return move
    try:
        kept = registry.decision(move.decision.id)
    except NotFound:
        kept = report(case)
        try:
            registry.save_decision(kept)
        except AlreadyExists:  # another tick was first; the one of us that commits has decided by it
            kept = registry.decision(kept.id)
        except InvalidRecord:  # a number that is not finite must not keep a rollback waiting
            pass
    return dataclasses.replace(move, decision=kept)


def _commit(registry: Registry, rollout: Rollout, plan: TrafficPlan, move: Move, now: datetime) -> Move:
    """Commit with the revision that was read: a rollout that somebody else ended meanwhile is left alone."""
    moved, following, stages = _consequences(rollout, plan, move, now)
    registry.move_rollout(
        moved, plan=following, stages=_changed(registry, rollout.model, stages), actor=ACTOR, reason=move.said, at=now
    )
    return move


def _consequences(
    rollout: Rollout, plan: TrafficPlan, move: Move, now: datetime
) -> tuple[Rollout, TrafficPlan | None, dict[str, Stage]]:
    if move.kind == "wait":
        return _next(rollout, move, status="waiting_approval"), None, {}
    if move.kind == "resume":
        return _next(rollout, move, status="running"), None, {}
    if move.kind == "promote":
        following = promotion_plan(rollout, plan, actor=ACTOR, reason=move.said, at=now)
        stages: dict[str, Stage] = {rollout.challenger: "production", rollout.champion: "archived"}
        return _next(rollout, move, status="succeeded"), following, stages
    if move.kind == "roll_back":
        following = rollback_plan(rollout, plan, actor=ACTOR, reason=move.said, at=now)
        return _next(rollout, move, status="rolled_back"), following, {rollout.challenger: "rejected"}
    following = step_plan(rollout, move.step, plan, actor=ACTOR, reason=move.said, at=now)
    proven = rollout.proven or (move.decision is not None and shown(move.decision))
    moved = _next(rollout, move, status="running", step=move.step, step_started_at=now, proven=proven)
    return moved, following, {rollout.challenger: stage_of(rollout, move.step)}


def _next(rollout: Rollout, move: Move, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, revision=rollout.revision + 1, said=move.said, **changes)


def _changed(registry: Registry, model: str, stages: dict[str, Stage]) -> dict[str, Stage]:
    return {version: stage for version, stage in stages.items() if registry.version(model, version).stage != stage}
