"""Roll back by one command: quickly, without Prefect, and with a registry that is away or busy."""

import contextlib
from datetime import datetime

from flows.notify.messages import taken_back
from flows.rollout.announce import announce_foreign_end
from flows.rollout.desk import Desk, opened
from flows.tracking.tracker import Tracker
from registry.errors import Refusal, StoreUnavailable
from registry.home import Settings
from registry.records.plan import CHAMPION, TrafficPlan

PATIENCE_S = 0.5
"""Seconds that a rollback waits for another writer; then the router does it, and tells the registry."""


def give_back(settings: Settings, model: str, *, actor: str, reason: str, to: str | None, at: datetime) -> TrafficPlan:
    """
    Take the challenger off, or bring an earlier champion back, and let people hear of it.

    Raises:
        Refusal: If there is nothing to roll back to, or neither registry nor router can be used.
    """
    with opened(settings, patience_s=PATIENCE_S) as desk:
        plan = take_back(desk, model, actor=actor, reason=reason, to=to, at=at)
        said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}"
        tell(desk, model, f"{said}. By {actor}: {reason}", at)
        return plan


def note(settings: Settings, model: str, plan: TrafficPlan, *, actor: str, reason: str) -> None:
    """Note, and let people hear, what the router has done with the registry; a failure undoes nothing."""
    with contextlib.suppress(Refusal), opened(settings, patience_s=PATIENCE_S) as desk:
        champion = plan.version_of(CHAMPION)
        Tracker.of(settings, model).note_deployment(model, champion, "rollback", reason, actor, plan.created_at)
        tell(desk, model, f"{champion} answers everybody by plan {plan.epoch}. By {actor}: {reason}", plan.created_at)


def take_back(desk: Desk, model: str, *, actor: str, reason: str, to: str | None, at: datetime) -> TrafficPlan:
    """Roll back in the registry; if it is away, the router does it by itself."""
    try:
        plan = desk.registry.roll_back(model, to=to, actor=actor, reason=reason, at=at)
    except StoreUnavailable:
        plan = desk.client.rollback(model, actor=actor, reason=reason, to=to)
    champion = plan.version_of(CHAMPION)
    Tracker.of(desk.settings, model).note_deployment(model, champion, "rollback", reason, actor, at)
    return plan


def tell(desk: Desk, model: str, said: str, at: datetime) -> None:
    """
    Let people hear what the registry has written with the rollback.

    With a registry that is away they hear it from here, and once more when the registry knows.
    """
    try:
        announce_foreign_end(desk, model, at)
    except StoreUnavailable:
        desk.tell(model, taken_back(model, said), key=f"{model}:taken_back:{at.isoformat()}")
