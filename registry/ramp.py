"""The traffic plan of every state of a rollout, whoever moves it."""

from collections.abc import Mapping
from datetime import datetime

from registry.assignment import TOTAL, home_slices
from registry.records.plan import CHAMPION, Arm, Slice, TrafficPlan
from registry.records.rollout import Rollout
from registry.records.version import Stage

CHALLENGER = "challenger"


def step_plan(
    rollout: Rollout, index: int, previous: TrafficPlan, *, actor: str, reason: str, at: datetime
) -> TrafficPlan:
    """
    Lay out step *index*: the challenger in its home range, the champion everywhere else.

    A share of 0 is a shadow: the champion answers everybody, the challenger sees copies.
    """
    share = rollout.steps[index].share
    slices = home_slices({CHALLENGER: share}) if share else [(CHAMPION, TOTAL)]
    versions = {CHAMPION: rollout.champion} | ({CHALLENGER: rollout.challenger} if share else {})
    return _plan(
        rollout,
        previous,
        phase=f"{rollout.id}.{index}",
        salt=rollout.salt,
        slices=slices,
        versions=versions,
        shadows=() if share else (rollout.challenger,),
        created=(at, actor, reason),
    )


def promotion_plan(rollout: Rollout, previous: TrafficPlan, *, actor: str, reason: str, at: datetime) -> TrafficPlan:
    """Give every caller to the challenger, as the new champion; the next experiment deals afresh."""
    return _plan(
        rollout,
        previous,
        phase=f"{rollout.id}.promoted",
        salt=f"{rollout.salt}.promoted",
        slices=[(CHAMPION, TOTAL)],
        versions={CHAMPION: rollout.challenger},
        shadows=(),
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


def is_rollback(plan: TrafficPlan) -> bool:
    """Whether *plan* took challengers off, or brought a champion back."""
    back = plan.phase.endswith(".rolled_back") or plan.phase.startswith(("rollback.", "back-"))
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
) -> TrafficPlan:
    at, actor, reason = created
    return TrafficPlan(
        model=rollout.model,
        epoch=previous.epoch + 1,
        phase=phase,
        salt=salt,
        slices=tuple(Slice(variant=variant, weight=weight) for variant, weight in slices),
        arms=tuple(Arm(variant=variant, version=version) for variant, version in versions.items()),
        shadows=shadows,
        forced={variant: keys for variant, keys in previous.forced.items() if variant in versions},
        enrolment=previous.enrolment,
        guards=rollout.guards,
        rollout_id=rollout.id,
        created_at=at,
        actor=actor,
        reason=reason,
    )
