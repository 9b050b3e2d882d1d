"""Tell people once what the router has noted by itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flows.notify import Message, fingerprint
from flows.notify.messages import (
    champion_fails,
    router_degraded,
    router_recovered,
    shadow_differs,
    split_is_off,
)
from flows.rollout.desk import Desk
from registry.errors import Refusal

ACTION = "notes.told"
_LIMIT = 100
_HEALTH = ("degraded", "recovered")


class Note(NamedTuple):
    """One note of the router; they are numbered as they come."""

    sequence: int
    kind: str
    said: str
    at: float


def tell_notes(desk: Desk, model: str, at: datetime) -> None:
    """
    Tell what is new; which note was the last one is an entry of the audit trail.

    A router that does not answer is asked at the next tick. Whoever asks at the same moment, or after this one was
    killed in between, tells nothing twice: a note is known by its number and its time.
    """
    try:
        notes = sorted(_note(one) for one in desk.client.events(model, limit=_LIMIT))
    except Refusal:
        return
    new = _new(desk, model, notes)
    for note in _last_words(new):
        message = _message(model, note)
        if message is not None:
            desk.tell(model, message, key=_key(desk, model, note))
    if new:
        _remember(desk, model, new[-1], at)


def _note(one: dict[str, Any]) -> Note:
    return Note(one["sequence"], one["kind"], one["said"], one["at"])


def _key(desk: Desk, model: str, note: Note) -> str:
    """Trouble that several models share is told once to the same people."""
    who = fingerprint(desk.config(model).notify.urls) if note.kind in _HEALTH else model
    return f"router:{who}:{note.kind}:{note.sequence}:{note.at}"


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


def _message(model: str, note: Note) -> Message | None:
    """What to tell; of a rollback the registry tells by itself, and "stopped" becomes one once it knows."""
    if note.kind in _HEALTH:
        return router_degraded(_part(note)) if note.kind == "degraded" else router_recovered(_part(note))
    say = {"champion_failing": champion_fails, "srm": split_is_off, "shadow_diff": shadow_differs}.get(note.kind)
    return say(model, note.said) if say else None
