"""One look at a new champion: take it back, go on watching, or end the watch."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from flows.errors import Unreachable
from flows.notify import notice_of
from flows.notify.messages import watch_extended, watch_passed
from flows.reports.incidents.limits import Figure, judge
from flows.rollout.desk import Desk
from registry.errors import PlanConflict, Refusal, StageConflict
from registry.records.notice import Notice
from registry.records.plan import TrafficPlan
from registry.records.watch import Watch
from registry.watching import over

ACTOR = "watch"
Kind = Literal["none", "hold", "roll_back", "pass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """
    What a look came to.

    Attributes:
        kind: "none": nobody is watched; "hold": go on; "roll_back": the former champion is back; "pass": it is over.
        said: One sentence with the numbers.
        watch: As it was before the look.
    """

    kind: Kind
    said: str
    watch: Watch | None = None
    figures: tuple[Figure, ...] = ()


def look(desk: Desk, model: str, at: datetime) -> Looked:
    """
    Judge the champion that is being watched; call it as often as you like.

    What cannot be seen ends nothing: a watch whose time is over while the router does not answer, or before enough
    callers came, goes on; of the latter people are told once.

    Args:
        desk: Registry, router and configuration.
        model: Name of the model.
        at: On the model's clock.
    """
    watch, plan = desk.registry.watch(model), desk.registry.plan(model)
    if watch is None or plan is None:
        return _nobody(desk, model, plan, at)
    try:
        metrics = desk.client.metrics(model, min_label_age=_min_label_age(desk, watch))
    except Unreachable as error:
        return Looked(kind="hold", said=f"nothing could be seen: {error.what}", watch=watch)
    figures = judge(watch, metrics)
    try:
        if any(figure.broken for figure in figures):
            return _take_back(desk, watch, plan, figures, at)
        passes = at >= watch.until and _has_evidence(figures)
        return _pass(desk, watch, plan, figures, at) if passes else _go_on(desk, watch, figures, at)
    except (PlanConflict, StageConflict) as conflict:
        return Looked(kind="hold", said=f"nothing was changed: {conflict.why}", watch=watch, figures=figures)


def _nobody(desk: Desk, model: str, plan: TrafficPlan | None, at: datetime) -> Looked:
    """Nobody is watched; a plan that still says so, because a look was killed half-way, is put right."""
    if plan is not None and plan.watch:
        desk.registry.publish_plan(over(plan, actor=ACTOR, reason=f"watch {plan.watch.id} is over", at=at))
        return Looked(kind="none", said=f"watch {plan.watch.id} is over; the plan no longer names it")
    return Looked(kind="none", said=f"{model} has no new champion that is being watched")


def _min_label_age(desk: Desk, watch: Watch) -> float:
    """Outcomes of a request that is younger say little: the quick ones differ from the slow ones."""
    if watch.rollout_id is None:
        return 0.0
    try:
        return desk.registry.rollout(watch.rollout_id).policy.min_label_age_s
    except Refusal:
        return 0.0


def _take_back(desk: Desk, watch: Watch, plan: TrafficPlan, figures: tuple[Figure, ...], at: datetime) -> Looked:
    said = "; ".join(figure.said for figure in figures if figure.broken)
    reason = f"{watch.version} broke the limits of watch {watch.id}: {said}"
    facts: dict[str, Any] = {"watch": watch.id, "phase": watch.phase, "figures": plain(figures)}
    desk.registry.roll_back(
        watch.model,
        to=watch.former,
        actor=ACTOR,
        reason=reason,
        at=at,
        kind="watch",
        facts=facts,
        seen=plan.epoch,
    )
    return Looked(kind="roll_back", said=reason, watch=watch, figures=figures)


def _has_evidence(figures: tuple[Figure, ...]) -> bool:
    """Whether enough callers came to speak for the champion, and all that was counted are numbers."""
    return not any(figure.blind or (figure.name == "errors" and figure.broken is None) for figure in figures)


def _pass(desk: Desk, watch: Watch, plan: TrafficPlan, figures: tuple[Figure, ...], at: datetime) -> Looked:
    """First the plan, then the watch: killed in between, the next look finds the rest to do."""
    hours, missing = _hours(watch, at), [figure.name for figure in figures if figure.broken is None]
    reason = f"{watch.version} kept the limits of watch {watch.id} for {hours:.3g} hours"
    reason += f", but for {' and '.join(missing)}, of which too little was seen" if missing else ""
    if plan.watch and plan.watch.id == watch.id:
        desk.registry.publish_plan(over(plan, actor=ACTOR, reason=reason, at=at))
    said = "; ".join(figure.said for figure in figures)
    ended = msgspec.structs.replace(watch, status="passed", said=f"{reason}: {said}", looks=watch.looks + 1)
    desk.registry.move_watch(ended, actor=ACTOR, reason=reason, at=at, notices=[_passed(watch, hours, missing)])
    return Looked(kind="pass", said=reason, watch=watch, figures=figures)


def _go_on(desk: Desk, watch: Watch, figures: tuple[Figure, ...], at: datetime) -> Looked:
    left, seen = (watch.until - at).total_seconds() / 3600, "; ".join(figure.said for figure in figures)
    said = seen if left > 0 else f"the time is over, but the watch goes on for lack of data: {seen}"
    desk.registry.move_watch(
        msgspec.structs.replace(watch, said=said, looks=watch.looks + 1),
        actor=ACTOR,
        reason=said,
        at=at,
        notices=[] if left > 0 else [_extended(watch, at)],
    )
    return Looked(
        kind="hold", said=f"{left:.3g} hours left: {seen}" if left > 0 else said, watch=watch, figures=figures
    )


def _hours(watch: Watch, at: datetime) -> float:
    return (at - watch.began_at).total_seconds() / 3600


def _passed(watch: Watch, hours: float, missing: Sequence[str]) -> Notice:
    message = watch_passed(watch.model, watch.version, hours, missing)
    return notice_of(message, model=watch.model, key=f"{watch.model}:{watch.id}:passed")


def _extended(watch: Watch, at: datetime) -> Notice:
    message = watch_extended(watch.model, watch.version, _hours(watch, at))
    return notice_of(message, model=watch.model, key=f"{watch.model}:{watch.id}:extended")


def plain(figures: tuple[Figure, ...]) -> list[dict[str, Any]]:
    """Numbers and names only, for the incident."""
    return [dataclasses.asdict(figure) for figure in figures]
