"""
Push what people want to know to the flows, as events of the Prefect server.

Notes are rows of the index, so nothing is kept twice: what could not be sent is sent when the server is
there again, in order, from the last note that it took. An event's id is made of its note, so that one
sent twice is one event. Nothing waits for any of this, and what fails is only tried again.
"""

import logging
import sqlite3
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from registry.telling import STEERED
from router.lastgood import replace_file

log = logging.getLogger("understudy.control")
_BATCH, _LOOK_S, _SLOWEST_S, _TIMEOUT_S = 100, 1.0, 60.0, 5.0
_NAMES = uuid.UUID("6f0b1a9e-7a55-4ce0-9d4e-0f8f3f0f7f6e")
_OF_PEOPLE = frozenset({"agreed", "steered"})
_NEXT = "SELECT seq, model, at, kind, said FROM notes WHERE seq > ? ORDER BY seq LIMIT ?"


class Note(NamedTuple):
    """One row of the notes."""

    sequence: int
    model: str
    at: float
    kind: str
    said: str


class Push:
    """
    Follows the notes.

    Args:
        url: Base address of the Prefect API, e.g. "http://127.0.0.1:4200/api".
        reading: Opens the index for a reader.
        position: File with the number of the last note that was taken; made if absent.
    """

    def __init__(
        self, url: str, reading: Callable[[], AbstractContextManager[sqlite3.Connection]], position: Path
    ) -> None:
        self._url, self._reading, self._position = f"{url.rstrip('/')}/events", reading, position

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; the longer the server is away, the rarer it is asked."""
        pause = _LOOK_S
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
            while not stop.wait(pause):
                try:
                    sent = self.push(client)
                    pause = 0.0 if sent == _BATCH else _LOOK_S
                except (httpx.HTTPError, sqlite3.Error, OSError) as error:
                    pause = min(2 * max(pause, _LOOK_S), _SLOWEST_S)
                    log.debug("events wait for the Prefect server: %s", error)

    def push(self, client: httpx.Client) -> int:
        """
        Send what is new; returns how many events.

        Raises:
            HTTPError: If the server does not answer, or refuses.
        """
        notes = self._new()
        if notes:
            client.post(self._url, json=[event_of(note) for note in notes]).raise_for_status()
            self._remember(notes[-1].sequence)
        return len(notes)

    def _new(self) -> Sequence[Note]:
        with self._reading() as connection:
            last = self._recall(connection)
            return [Note(*row) for row in connection.execute(_NEXT, (last, _BATCH))]

    def _recall(self, connection: sqlite3.Connection) -> int:
        newest = connection.execute("SELECT coalesce(max(seq), 0) FROM notes").fetchone()[0]
        try:
            last = int(self._position.read_text())
        except (OSError, ValueError):
            return 0
        return last if last <= newest else 0  # the index was made anew, and its notes with it

    def _remember(self, sequence: int) -> None:
        replace_file(self._position, str(sequence).encode(), durable=False)


def event_of(note: Note) -> dict[str, Any]:
    """
    The event that tells of *note*, e.g. "understudy.router.rolled_back" of "understudy.model.churn".

    What people did to a rollout is the event that the commands send.

    It occurs now: the time of the note is the model's, which is virtual in a replay, and is in the payload.
    """
    return {
        "id": str(uuid.uuid5(_NAMES, f"{note.sequence}|{note.model}|{note.at}|{note.kind}|{note.said}")),
        "occurred": datetime.now(UTC).isoformat(),
        "event": STEERED if note.kind in _OF_PEOPLE else f"understudy.router.{note.kind}",
        "resource": {"prefect.resource.id": f"understudy.model.{note.model}", "prefect.resource.name": note.model},
        "related": [],
        "payload": {"model": note.model, "kind": note.kind, "said": note.said, "at": note.at},
    }
