"""One heartbeat of a rollout: look, decide, commit at most one move."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count

import msgspec

from flows.client import RouterClient
from flows.comparison.live import LiveCase, decide_live
from flows.config.model import ModelConfig
from flows.rollout.baking import Baking, baking
from flows.rollout.bandit import next_weight
from flows.rollout.commit import Commit, commit
from flows.rollout.machine import Look, Move, Weight, next_move
from flows.rollout.observe import Seen, observe
from registry.approval import approval_digest, is_agreed
from registry.errors import AlreadyExists, InvalidRecord, NotFound, PlanConflict, StageConflict
from registry.ramp import phases_of_step
from registry.records.notice import Notice
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.store.registry import Registry

Report = Callable[[LiveCase], Decision]
Tell = Callable[[Rollout, Move], Sequence[Notice]]
Foretell = Callable[[Rollout, Move], object]


def tell_nobody(rollout: Rollout, move: Move) -> Sequence[Notice]:  # noqa: ARG001 (a Tell)
    """Tell nobody."""
    return ()


def tick(
    registry: Registry,
    client: RouterClient,
    model: str,
    config: ModelConfig,
    now: datetime,
    *,
    report: Report = decide_live,
    notices: Tell = tell_nobody,
    first: Foretell = tell_nobody,
    longest_gap: timedelta | None = None,
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
        notices: What a move tells people, from the rollout before it; committed with it.
        first: Called when a move is decided and not yet committed, e.g. to warn people of a promotion.
        longest_gap: Time between two looks beyond which a step is not said to have been watched; None in a replay.
    """
    stored, plan = registry.active_rollout(model), registry.plan(model)
    if stored is None or plan is None:
        return Move(kind="none", step=-1, said=f"{model} has no active rollout")
    rollout = _as_held(stored, plan)
    baked = baking(rollout, registry.pulse_of(rollout.id), now, longest_gap)
    seen = observe(registry, rollout, client, config, now)
    counted = baked if rollout.status == "running" and (seen.answered or rollout.step < 0) else _idle(baked)
    move = next_move(rollout, _look(registry, rollout, config, seen, counted, now))
    if not move.moves:
        return _held(registry, rollout, counted, move)
    move = _keep_decision(move, seen.case, registry, report)
    first(stored, move)
    wanted = Commit(rollout=stored, plan=plan, move=move, metrics=seen.metrics, notices=notices(stored, move), at=now)
    try:
        return commit(registry, wanted)
    except (PlanConflict, StageConflict) as conflict:
        return Move(kind="hold", step=stored.step, said=f"nothing was moved: {conflict.why}", outcome=move.outcome)


def _as_held(stored: Rollout, plan: TrafficPlan) -> Rollout:
    """A plan that was published as paused holds the rollout, too."""
    held = plan.paused and stored.active
    return msgspec.structs.replace(stored, status="paused") if held else stored


def _idle(baked: Baking) -> Baking:
    """Nothing bakes while people hold it, are asked, or nothing can be seen."""
    return baked._replace(added=0.0)


def _look(registry: Registry, rollout: Rollout, config: ModelConfig, seen: Seen, baked: Baking, now: datetime) -> Look:
    asked = rollout.status == "waiting_approval"
    bound = rollout.waiting.bound_to if asked and rollout.waiting else ""
    return Look(
        now=now,
        baked_s=baked.total,
        decision=seen.decision,
        evidence=seen.evidence,
        trouble=seen.trouble,
        approved=asked and is_agreed(registry, rollout),
        outdated=bool(bound) and bound != approval_digest(registry, rollout),
        behind=baked.behind,
        weight=_weight(rollout, config, seen, baked),
    )


def _weight(rollout: Rollout, config: ModelConfig, seen: Seen, baked: Baking) -> Weight | None:
    if rollout.status != "running" or rollout.step < 0 or seen.metrics is None:
        return None
    named = phases_of_step(rollout, rollout.step, [phase.phase for phase in seen.metrics.phases])
    phases = [phase for phase in seen.metrics.phases if phase.phase in named]
    try:
        return next_weight(rollout, phases, config.task, baked.total)
    except (ValueError, ArithmeticError):  # numbers that no statistic can be made of; the verdict says so
        return None


def _held(registry: Registry, rollout: Rollout, baked: Baking, move: Move) -> Move:
    """Note the look; where time passed that counts, it counts from here on."""
    registry.pulse(rollout.id, step=rollout.step, baked_s=baked.total, at=baked.at)
    return move


def _keep_decision(move: Move, case: LiveCase | None, registry: Registry, report: Report) -> Move:
    """
    Save the decision that the move rests on.

    Its name is that of the move, so that a tick that goes on after one that was killed finds it again. If that one had
    seen something else and come to another verdict, this move's own decision is the next of that name.
    """
    if move.decision is None or case is None or move.kind == "weigh":
        return move
    name = move.decision.id
    for number in count(2):
        try:
            known = registry.decision(name)
        except NotFound:
            break
        if known.outcome == move.decision.outcome:
            return dataclasses.replace(move, decision=known)
        name = f"{move.decision.id}-{number}"
    made = _made(dataclasses.replace(case, decision_id=name), registry, report)
    return dataclasses.replace(move, decision=made)


def _made(case: LiveCase, registry: Registry, report: Report) -> Decision:
    made = report(case)
    try:
        registry.save_decision(made)
    except AlreadyExists:  # another tick was first; the one of us that commits has decided by it
        return registry.decision(made.id)
    except InvalidRecord:  # a number that is not finite must not keep a rollback waiting
        pass
    return made
