"""Tell people once what the router has noted by itself."""

import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flows.notify import Message
from flows.notify.messages import (
    champion_fails,
    router_degraded,
    router_recovered,
    router_rolled_back,
    shadow_differs,
    split_is_off,
)
from flows.rollout.desk import Desk
from registry.errors import Refusal
from registry.home import Settings
from registry.records.rollout import Rollout

ACTION = "notes.told"
_LIMIT = 100
_HEALTH = ("degraded", "recovered")


class Note(NamedTuple):
    """One note of the router; they are numbered as they come."""

    sequence: int
    kind: str
    said: str


@contextlib.contextmanager
def telling(settings: Settings) -> Iterator[None]:
    """Let one process of this machine tell at a time, so that nobody hears of a thing twice."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a full disk must not keep anybody from hearing
            file = stack.enter_context((settings.run_dir / "telling.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tell_notes(desk: Desk, model: str, at: datetime) -> None:
    """
    Tell what is new; which note was the last one is an entry of the audit trail.

    A router that does not answer is asked at the next tick. Killed in between, it tells the same again.
    """
    try:
        notes = sorted(_note(one) for one in desk.client.events(model, limit=_LIMIT))
    except Refusal:
        return
    with telling(desk.settings):
        new = _new(desk, model, notes)
        for note in _last_words(new):
            message = _message(desk, model, note)
            if message is not None:
                desk.tell(model, message)
        if new:
            _remember(desk, model, new[-1], at)


def _note(one: dict[str, Any]) -> Note:
    return Note(one["sequence"], one["kind"], one["said"])


def _new(desk: Desk, model: str, notes: list[Note]) -> list[Note]:
    """Notes behind the last one told; all of them if the router counts anew."""
    found = desk.registry.audit(model, action=ACTION, limit=1)
    last = int(found[0].subject) if found else 0
    if notes and notes[-1].sequence < last:  # its index was deleted, and its notes with it
        return notes
    return [note for note in notes if note.sequence > last]


def _last_words(notes: Sequence[Note]) -> list[Note]:
    """Of trouble that came and went several times, only how it ended."""
    ended = {_part(note): note for note in notes if note.kind in _HEALTH}
    return [note for note in notes if note.kind not in _HEALTH or ended[_part(note)] is note]


def _part(note: Note) -> str:
    return note.said.partition(":")[0]


def _remember(desk: Desk, model: str, note: Note, at: datetime) -> None:
    reason = "people were told what the router noted"
    desk.registry.record(actor="rollout", action=ACTION, model=model, subject=str(note.sequence), reason=reason, at=at)


def _message(desk: Desk, model: str, note: Note) -> Message | None:
    if note.kind == "rolled_back":
        return None if _announced(desk.registry.rollouts(model), note) else router_rolled_back(model, note.said)
    if note.kind in _HEALTH:
        return router_degraded(_part(note)) if note.kind == "degraded" else router_recovered(_part(note))
    say = {"champion_failing": champion_fails, "srm": split_is_off, "shadow_diff": shadow_differs}.get(note.kind)
    return say(model, note.said) if say else None  # "stopped" becomes a rollback once the registry knows


def _announced(rollouts: Sequence[Rollout], note: Note) -> bool:
    """Whether the end of a rollout says the same; that is told by itself."""
    return any(one.status == "rolled_back" and one.said and note.said.startswith(one.said) for one in rollouts)
