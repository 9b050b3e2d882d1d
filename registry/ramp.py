"""The traffic plan of every state of a rollout, whoever moves it."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import UNSET, UnsetType

from registry.assignment import TOTAL, home_slices
from registry.records.plan import CHAMPION, Arm, Layer, Slice, TrafficPlan
from registry.records.rollout import Experiment, Rollout
from registry.records.version import Stage
from registry.records.watch import PlanWatch, Watch
from registry.watching import plan_watch, promoted_phase, still_watched

CHALLENGER = "challenger"


def step_plan(
    rollout: Rollout, index: int, previous: TrafficPlan, *, actor: str, reason: str, at: datetime
) -> TrafficPlan:
    """
    Lay out step *index*: the challenger in its home range, the champion everywhere else.

    A share of 0 is a shadow: the champion answers everybody, the challenger sees copies, and so
    does the champion's own version if the experiment has a noise arm.
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
        shadows=() if share else _watching(rollout),
        created=(at, actor, reason),
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
    watch: PlanWatch | UnsetType = UNSET,
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
        guards=rollout.guards,
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
