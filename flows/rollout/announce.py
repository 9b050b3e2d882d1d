"""Tell people once what happens to a rollout, whoever makes it happen."""

import contextlib
from datetime import datetime

from flows.notify import Message, forward, notice_of, send_first
from flows.notify.messages import (
    approval_asked,
    approval_expired,
    moved,
    overdue,
    promoted,
    promotion_comes,
    rolled_back,
    rollout_started,
)
from flows.rollout.desk import Desk
from flows.rollout.machine import Move
from flows.tracking.tracker import Tracker
from registry.errors import Refusal
from registry.home import Settings
from registry.records.notice import Notice
from registry.records.rollout import Rollout

_ACTION = "rollout.announced"


def notices_of(rollout: Rollout, move: Move) -> tuple[Notice, ...]:
    """
    What a move tells, to be committed together with it.

    Args:
        rollout: As it is before the move.
        move: What it does next; one that holds tells nothing.
    """
    message = message_of(rollout, move)
    key = f"{rollout.id}:{move.kind}:{rollout.revision + 1}"
    return () if message is None else (notice_of(message, model=rollout.model, key=key),)


def tell_before(desk: Desk, rollout: Rollout, move: Move) -> bool:
    """
    Tell people that a promotion is about to be committed, and wait a moment for it to arrive.

    Returns:
        Whether everybody who wants to hear of it has got it. Whatever it says, the promotion goes on.
    """
    if move.kind != "promote":
        return True
    message = promotion_comes(rollout.model, rollout.id, rollout.challenger, rollout.champion)
    notice = notice_of(message, model=rollout.model, key=f"{rollout.id}:before:promote")
    return send_first(desk.settings, desk.registry, notice)


def ask(desk: Desk, rollout: Rollout) -> None:
    """Ask people about a rollout that waits for them from its beginning; what its maker wrote is not repeated."""
    if rollout.status == "waiting_approval":
        desk.tell(rollout.model, asked(rollout, "it waits for its first callers"), key=asked_key(rollout))


def asked_key(rollout: Rollout) -> str:
    """Under which people are asked about a rollout that waits as it is."""
    return f"{rollout.id}:wait:{rollout.revision}"


def asked(rollout: Rollout, said: str) -> Message:
    """Say what two people are to do."""
    return approval_asked(rollout.model, rollout.id, rollout.challenger, said, rollout.gate.roles, form())


def form() -> str:
    """Where the form is."""
    pages = Settings().prefect_api_url.removesuffix("/api")
    return f"the suspended run of `approval` at {pages}/runs, button Resume"


def announce(desk: Desk, rollout: Rollout, move: Move, at: datetime) -> None:
    """Follow a look of ours: its notices are sent, and MLflow gets a note; one step is called overdue once."""
    if move.overdue:
        message = overdue(rollout.model, rollout.id, rollout.challenger, move.said)
        desk.tell(rollout.model, message, key=f"{rollout.id}:overdue:{rollout.step}")
    if message_of(rollout, move) is None:
        return
    for notice in notices_of(rollout, move):
        desk.tell_notice(notice)
    _track(desk, rollout.id, move, at)
    if move.kind in ("promote", "roll_back"):
        _note(desk, rollout, at)


def announce_foreign_end(desk: Desk, model: str, at: datetime) -> Rollout | None:
    """
    Follow a rollout that the router, or a person, has rolled back since the last tick.

    The registry has written what people are told together with the rollback; here it is sent.

    Returns:
        That rollout, or None if there is nothing new.
    """
    newest = next(iter(desk.registry.rollouts(model)), None)
    if newest is None or newest.status != "rolled_back" or _is_noted(desk, newest):
        return None
    forward(desk.settings, desk.registry)
    _track(desk, newest.id, Move(kind="roll_back", step=newest.step, said=newest.said), at)
    _note(desk, newest, at)
    return newest


def message_of(rollout: Rollout, move: Move) -> Message | None:
    """What to tell about *move*; nothing while it holds."""
    model, challenger, said = rollout.model, rollout.challenger, move.said
    match move.kind:
        case "promote":
            return promoted(model, challenger, said)
        case "roll_back":
            return rolled_back(model, challenger, rollout.champion, said)
        case "wait":
            return asked(rollout, said)
        case "start":
            return rollout_started(model, rollout.id, challenger, said)
        case "advance":
            return moved(model, rollout.id, challenger, said)
        case "abort":
            return approval_expired(model, rollout.id, challenger, ended=True)
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
