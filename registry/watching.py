"""What is watched after a promotion, and against what, whoever promotes."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from math import isfinite

import msgspec
from msgspec import UNSET, UnsetType

from registry.assignment import TOTAL
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, VariantMetrics
from registry.records.plan import CHAMPION, Arm, Slice, TrafficPlan
from registry.records.rollout import Rollout
from registry.records.watch import Baseline, PlanWatch, Watch

ENOUGH = 2000
"""Answered requests of the former champion, newest phases first, after which older phases are left out."""


def watch_of(rollout: Rollout, metrics: ModelMetrics | None, plan: TrafficPlan, at: datetime) -> Watch | None:
    """
    The watch over the challenger that *rollout* makes the champion; None if nobody is to watch.

    Args:
        rollout: Names both versions, the limits and how long.
        metrics: What the router counted; None if it did not answer: then errors and loss are watched only.
        plan: The one in force before the promotion.
        at: Moment of the promotion, on the model's clock.
    """
    if rollout.watch_s <= 0:
        return None
    return Watch(
        id=f"w-{rollout.id.removeprefix('r-')}",
        model=rollout.model,
        rollout_id=rollout.id,
        version=rollout.challenger,
        former=plan.version_of(CHAMPION),
        phase=promoted_phase(rollout),
        began_at=at,
        until=at + timedelta(seconds=rollout.watch_s),
        limits=rollout.watch,
        baseline=Baseline() if metrics is None else baseline_of(metrics, rollout.champion, rollout.watch.kpi),
    )


def promoted_phase(rollout: Rollout) -> str:
    """Name of the phase that a promotion begins."""
    return f"{rollout.id}.promoted"


def baseline_of(metrics: ModelMetrics, former: str, kpi: str | None) -> Baseline:
    """What *former* did in the last phases in which it answered callers as the champion."""
    seen = list(_newest(metrics.phases, former))
    latency = _merged(one.latency_ms for one in seen)
    loss = _merged(one.loss for one in seen)
    outcome = _merged(one.outcomes.get(kpi, Moments()) for one in seen) if kpi else Moments()
    return Baseline(
        requests=latency.n,
        errors=sum(sum(one.errors.values()) for one in seen),
        latency_ms=latency.mean if latency.n else None,
        latency_m2=latency.m2 if latency.n else None,
        kpi_mean=outcome.mean if outcome.n else None,
        kpi_m2=outcome.m2 if outcome.n else None,
        kpi_n=outcome.n,
        loss_mean=loss.mean if loss.n else None,
        loss_m2=loss.m2 if loss.n else None,
        loss_n=loss.n,
    )


def plan_watch(watch: Watch | None) -> PlanWatch | UnsetType:
    """What the traffic plan says of it."""
    if watch is None:
        return UNSET
    return PlanWatch(id=watch.id, former=watch.former, until=watch.until, limits=watch.limits, baseline=watch.baseline)


def still_watched(previous: TrafficPlan, champion: str) -> PlanWatch | UnsetType:
    """The watch that a following plan keeps, because the champion stays; none if another one takes its place."""
    return previous.watch if previous.version_of(CHAMPION) == champion else UNSET


def given_back(plan: TrafficPlan) -> TrafficPlan:
    """
    The plan by which a router that cannot ask anybody lets the former champion answer everybody.

    It keeps the epoch, since nobody has published it; its phase is the one that the rollback will have.

    Raises:
        ValueError: If the plan has no watch.
    """
    if isinstance(plan.watch, UnsetType):
        raise ValueError(f"Epoch {plan.epoch} of {plan.model} has no watch.")
    return msgspec.structs.replace(
        plan,
        phase=f"rollback.{plan.epoch + 1}",
        slices=(Slice(variant=CHAMPION, weight=TOTAL),),
        arms=(Arm(variant=CHAMPION, version=plan.watch.former),),
        shadows=(),
        forced={variant: keys for variant, keys in plan.forced.items() if variant == CHAMPION},
        watch=UNSET,
    )


def over(plan: TrafficPlan, *, actor: str, reason: str, at: datetime) -> TrafficPlan:
    """The same plan without its watch: the former champion no longer sees copies."""
    former = "" if isinstance(plan.watch, UnsetType) else plan.watch.former
    return msgspec.structs.replace(
        plan,
        epoch=plan.epoch + 1,
        shadows=tuple(version for version in plan.shadows if version != former),
        watch=UNSET,
        created_at=at,
        actor=actor,
        reason=reason,
    )


def _newest(phases: Iterable[PhaseMetrics], former: str) -> Iterator[VariantMetrics]:
    n = 0
    for phase in reversed(tuple(phases)):
        champion = phase.variants.get(CHAMPION)
        if champion is None or champion.version != former:
            continue
        yield champion
        n += champion.latency_ms.n
        if n >= ENOUGH:
            return


def _merged(several: Iterable[Moments]) -> Moments:
    """Of all that are numbers."""
    total = Moments()
    for one in several:
        if isfinite(one.mean) and isfinite(one.m2):
            total = total.merge(one)
    return total
