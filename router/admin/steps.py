"""The next step of a rollout, or another share, because a person wants it."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from registry.assignment import TOTAL
from registry.errors import StageConflict
from registry.records.live import ModelMetrics
from registry.records.plan import CHAMPION, Slice, TrafficPlan
from registry.records.rollout import Rollout
from registry.steering import skip
from registry.store.registry import Registry


class Wish(NamedTuple):
    """
    What a person asks for.

    Attributes:
        share: Parts per million; None for the next step of the rollout.
        variant: Whose share; None where there is one challenger only.
    """

    actor: str
    reason: str
    at: datetime
    share: int | None = None
    variant: str | None = None


def next_step(registry: Registry, rollout: Rollout, wish: Wish, metrics: ModelMetrics | None) -> TrafficPlan:
    """
    Move *rollout* by one step, as `understudy rollout advance` does.

    Raises:
        StageConflict: If it is held, waits for people, or is steered by its steps and not by a share.
        PlanConflict: If somebody else moved it first.
    """
    if wish.share is not None:
        what = f"{rollout.id} of {rollout.model} was not moved."
        raise StageConflict(what, "Its steps decide the share.", "Leave 'share' out, or roll it back first.")
    done = skip(registry, rollout.model, actor=wish.actor, reason=wish.reason, at=wish.at, metrics=metrics)
    return done.plan


def next_share(registry: Registry, plan: TrafficPlan, wish: Wish) -> TrafficPlan:
    """
    Publish *plan* with another share of one challenger, in its home: whoever it had stays, if it grows.

    Raises:
        StageConflict: If no share is named, there is no such challenger, or its home is full.
        PlanConflict: If somebody else published first.
    """
    variant = _challenger(plan, wish)
    new = msgspec.structs.replace(
        plan,
        epoch=plan.epoch + 1,
        phase=f"share.{plan.epoch + 1}",
        slices=_resized(plan, variant, wish.share or 0),
        rollout_id=None,
        created_at=wish.at,
        actor=wish.actor,
        reason=wish.reason,
    )
    return registry.publish_plan(new)


def _challenger(plan: TrafficPlan, wish: Wish) -> str:
    what, names = f"The share of {plan.model} was not changed.", [arm.variant for arm in plan.challengers]
    if wish.share is None:
        raise StageConflict(what, "No rollout is active, and no share was named.", 'Send a "share" from 0 to 1.')
    if not names:
        raise StageConflict(what, "The champion answers alone.", "Begin a rollout: `understudy rollout start`.")
    if wish.variant is None and len(names) > 1:
        raise StageConflict(what, f"There are {len(names)} challengers.", f"Name a variant: {', '.join(names)}.")
    if wish.variant is not None and wish.variant not in names:
        raise StageConflict(what, f"{wish.variant!r} is no challenger.", f"Name one of {', '.join(names)}.")
    return wish.variant or names[0]


def _resized(plan: TrafficPlan, variant: str, share: int) -> tuple[Slice, ...]:
    """The home of a challenger is its own slice and the champion's behind it: what one gains the other loses."""
    places = [i for i, one in enumerate(plan.slices) if one.variant == variant]
    what = f"The share of {plan.model} was not changed."
    if len(places) != 1:
        raise StageConflict(what, f"{variant} owns {len(places)} slices.", "Publish a plan instead.")
    here = places[0]
    behind = plan.slices[here + 1] if here + 1 < len(plan.slices) else Slice(variant=CHAMPION, weight=0)
    room = plan.slices[here].weight + (behind.weight if behind.variant == CHAMPION else 0)
    if share > room:
        why = f"{share / TOTAL:g} is more than its home of {room / TOTAL:g}."
        raise StageConflict(what, why, "Name a smaller share, or publish a plan with a new salt.")
    mine = Slice(variant=variant, weight=share)
    rest = Slice(variant=CHAMPION, weight=room - share)
    tail = plan.slices[here + 2 :] if behind.variant == CHAMPION else plan.slices[here + 1 :]
    return (*plan.slices[:here], mine, rest, *tail)
