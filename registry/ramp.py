"""The traffic plan of every state of a rollout, whoever moves it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from registry.assignment import TOTAL, home_slices
from registry.records.plan import CHAMPION, Arm, Guards, Layer, Slice, TrafficPlan
from registry.records.rollout import Experiment, Rollout
from registry.records.version import Stage
from registry.records.watch import PlanWatch, Watch
from registry.watching import plan_watch, promoted_phase, still_watched

CHALLENGER = "challenger"


def step_plan(
    rollout: Rollout,
    index: int,
    previous: TrafficPlan,
    *,
    actor: str,
    reason: str,
    at: datetime,
    weight: int | None = None,
    turn: int = 0,
) -> TrafficPlan:
    """
    Lay out step *index*: the challenger in its home range, the champion everywhere else.

    A share of 0 is a shadow: the champion answers everybody, the challenger sees copies, and so
    does the champion's own version if the experiment has a noise arm.

    Args:
        weight: Parts per million in place of the step's share, where the weight moves.
        turn: Number of that weight; every one is a phase of its own.
    """
    share = rollout.steps[index].share if weight is None else weight
    slices = home_slices({CHALLENGER: share}) if share else [(CHAMPION, TOTAL)]
    versions = {CHAMPION: rollout.champion} | ({CHALLENGER: rollout.challenger} if share else {})
    return _plan(
        rollout,
        previous,
        phase=phase_name(rollout, index, turn),
        salt=rollout.salt,
        slices=slices,
        versions=versions,
        shadows=() if share else _watching(rollout),
        created=(at, actor, reason),
        guards=turn_guards(rollout, index, turn),
    )


def promotion_plan(
    rollout: Rollout,
    previous: TrafficPlan,
    *,
    actor: str,
    reason: str,
    at: datetime,
    watch: Watch | None = None,
) -> TrafficPlan:
    """
    Give every caller to the challenger, as the new champion; the next experiment deals afresh.

    While it is watched, the former champion sees copies: it is loaded, and scored on the same requests.
    """
    return _plan(
        rollout,
        previous,
        phase=promoted_phase(rollout),
        salt=f"{rollout.salt}.promoted",
        slices=[(CHAMPION, TOTAL)],
        versions={CHAMPION: rollout.challenger},
        shadows=(),
        watch=plan_watch(watch),
        created=(at, actor, reason),
    )


def rollback_plan(rollout: Rollout, previous: TrafficPlan, *, actor: str, reason: str, at: datetime) -> TrafficPlan:
    """Give every caller back to the champion; nobody watches any more."""
    return _plan(
        rollout,
        previous,
        phase=f"{rollout.id}.rolled_back",
        salt=rollout.salt,
        slices=[(CHAMPION, TOTAL)],
        versions={CHAMPION: rollout.champion},
        shadows=(),
        created=(at, actor, reason),
    )


def abort_plan(rollout: Rollout, previous: TrafficPlan, *, actor: str, reason: str, at: datetime) -> TrafficPlan:
    """Give every caller back to the champion because people no longer want the rollout; nothing is said against it."""
    back = rollback_plan(rollout, previous, actor=actor, reason=reason, at=at)
    return msgspec.structs.replace(back, phase=f"{rollout.id}.aborted")


def phase_name(rollout: Rollout, index: int, turn: int = 0) -> str:
    """
    Name the period over which the router counts together: a step, or one weight of a step whose weight moves.

    Callers are dealt afresh at the edges when a weight moves, so that counts of two weights do not add up.
    """
    return f"{rollout.id}.{index}.w{turn}" if turn else f"{rollout.id}.{index}"


def phases_of_step(rollout: Rollout, index: int, phases: Iterable[str]) -> list[str]:
    """Those of *phases* that belong to step *index*, in the order given."""
    name = f"{rollout.id}.{index}"
    return [phase for phase in phases if phase == name or phase.startswith(f"{name}.w")]


def turn_guards(rollout: Rollout, index: int, turn: int) -> Guards:
    """
    Guards of one phase; where a step has many, they share the chance of a false alarm.

    The guards of the router begin anew with every phase. The n-th weight, counted from 0, gets 1/((n + 1)(n + 2))
    of alpha, so that any number of weights together stays within it.
    """
    if rollout.steps[index].weighting == "fixed":
        return rollout.guards
    share = 1 / ((turn + 1) * (turn + 2))
    return msgspec.structs.replace(rollout.guards, alpha=rollout.guards.alpha * share)


def is_rollback(plan: TrafficPlan) -> bool:
    """Whether *plan* took challengers off, or brought a champion back."""
    back = plan.phase.endswith((".rolled_back", ".aborted")) or plan.phase.startswith(("rollback.", "back-"))
    return back and not plan.challengers


def is_this_rollback(plan: TrafficPlan, actor: str, reason: str) -> bool:
    """Whether *plan* is the rollback that *actor* asks for with the same words: sent twice, it is one."""
    return is_rollback(plan) and (plan.actor, plan.reason) == (actor, reason)


def stage_of(rollout: Rollout, index: int) -> Stage:
    """Life-cycle stage of the challenger in step *index*."""
    return "canary" if rollout.steps[index].share else "shadow"


def _plan(
    rollout: Rollout,
    previous: TrafficPlan,
    *,
    phase: str,
    salt: str,
    slices: list[tuple[str, int]],
    versions: Mapping[str, str],
    shadows: tuple[str, ...],
    created: tuple[datetime, str, str],
    watch: PlanWatch | UnsetType = UNSET,
    guards: Guards | None = None,
) -> TrafficPlan:
    at, actor, reason = created
    watch = watch or still_watched(previous, versions[CHAMPION])
    warm = (watch.former,) if watch else ()
    experiment = rollout.experiment or Experiment()
    forced = previous.forced if isinstance(experiment.forced, UnsetType) else experiment.forced
    enrolment = previous.enrolment if isinstance(experiment.enrolment, UnsetType) else experiment.enrolment
    return TrafficPlan(
        model=rollout.model,
        epoch=previous.epoch + 1,
        phase=phase,
        salt=salt,
        slices=tuple(Slice(variant=variant, weight=weight) for variant, weight in slices),
        arms=tuple(Arm(variant=variant, version=version) for variant, version in versions.items()),
        shadows=tuple(dict.fromkeys((*shadows, *warm))),
        forced={variant: keys for variant, keys in forced.items() if variant in versions},
        enrolment=enrolment,
        layer=_layer(experiment, previous),
        guards=guards or rollout.guards,
        watch=watch,
        rollout_id=rollout.id,
        created_at=at,
        actor=actor,
        reason=reason,
    )


def _layer(experiment: Experiment, previous: TrafficPlan) -> Layer | UnsetType:
    chosen = experiment.layer
    if isinstance(chosen, UnsetType):
        return previous.layer
    return UNSET if chosen is None else chosen


def _watching(rollout: Rollout) -> tuple[str, ...]:
    noisy = (rollout.experiment or Experiment()).noise_arm
    return (rollout.challenger, rollout.champion) if noisy else (rollout.challenger,)
