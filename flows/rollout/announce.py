"""Tell people once what happened to a rollout, whoever made it happen."""

import contextlib
from datetime import datetime

from flows.notify import Message
from flows.notify.messages import approval_wanted, moved, promoted, rolled_back
from flows.rollout.desk import Desk
from flows.rollout.machine import Move
from flows.rollout.notes import telling
from flows.tracking.tracker import Tracker
from registry.errors import Refusal
from registry.records.rollout import Rollout

_ACTION = "rollout.announced"


def announce(desk: Desk, rollout: Rollout, move: Move, at: datetime) -> None:
    """Tell about a move of ours; an end is noted, so that nobody hears of it twice."""
    message = message_of(rollout, move)
    if message is None:
        return
    _track(desk, rollout.id, move, at)
    desk.tell(rollout.model, message)
    if move.kind in ("promote", "roll_back"):
        _note(desk, rollout, at)


def announce_foreign_end(desk: Desk, model: str, at: datetime) -> Rollout | None:
    """
    Tell about a rollout that the router, or a person, has rolled back since the last tick.

    Returns:
        That rollout, or None if there is nothing new.
    """
    newest = next(iter(desk.registry.rollouts(model)), None)
    if newest is None or newest.status != "rolled_back":
        return None
    with telling(desk.settings):
        if _is_noted(desk, newest):
            return None
        desk.tell(model, rolled_back(model, newest.challenger, newest.champion, newest.said))
        _track(desk, newest.id, Move(kind="roll_back", step=newest.step, said=newest.said), at)
        _note(desk, newest, at)
    return newest


def message_of(rollout: Rollout, move: Move) -> Message | None:
    """What to tell about *move*; nothing while it holds."""
    if move.kind == "promote":
        return promoted(rollout.model, rollout.challenger, move.said)
    if move.kind == "roll_back":
        return rolled_back(rollout.model, rollout.challenger, rollout.champion, move.said)
    if move.kind == "wait":
        return approval_wanted(rollout.model, rollout.id, rollout.challenger, move.said)
    if move.kind in ("start", "advance", "resume"):
        return moved(rollout.model, rollout.id, rollout.challenger, move.said)
    return None


def _track(desk: Desk, rollout: str, move: Move, at: datetime) -> None:
    """Note it for MLflow as it is now; a registry that is away then costs the note only."""
    with contextlib.suppress(Refusal):
        moved = desk.registry.rollout(rollout)
        Tracker.of(desk.settings, moved.model).note_rollout(moved, move.kind, move.said, at)


def _is_noted(desk: Desk, rollout: Rollout) -> bool:
    return any(entry.subject == rollout.id for entry in desk.registry.audit(rollout.model, action=_ACTION))


def _note(desk: Desk, rollout: Rollout, at: datetime) -> None:
    desk.registry.record(
        actor="rollout", action=_ACTION, model=rollout.model, subject=rollout.id, reason="people were told", at=at
    )
