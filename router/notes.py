"""What people want to know, kept as rows of the index."""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger("understudy.control")
MOST_WAITING = 1000

_KEEP = "INSERT INTO notes (model, at, kind, said) VALUES (?, ?, ?, ?)"
_KEPT = "SELECT 1 FROM notes WHERE model = ? AND kind = ? AND said = ?"
_NEWEST = "SELECT seq, at, kind, said FROM notes WHERE model = ? ORDER BY seq DESC LIMIT ?"
_Note = tuple[str, str, str, bool]


class Notes:
    """
    Whoever leaves a note waits for nobody; a note for which the disk has no room is kept until there is some.

    Args:
        now: The clock of a model, in epoch seconds.
    """

    def __init__(self, now: Callable[[str], float]) -> None:
        self._now = now
        self._waiting: deque[_Note] = deque(maxlen=MOST_WAITING)
        self._refused = False

    def leave(self, model: str, kind: str, said: str, *, once: bool = False) -> None:
        """To be kept at the next `keep`; if *once*, only if it was not said before."""
        note = model, kind, said, once
        if not (once and note in self._waiting):
            self._waiting.append(note)

    def keep(self, db: sqlite3.Connection) -> None:
        """Write what waits; for one writer at a time."""
        while self._waiting:
            note = model, kind, said, once = self._waiting.popleft()
            try:
                if not (once and db.execute(_KEPT, (model, kind, said)).fetchone()):
                    db.execute(_KEEP, (model, self._now(model), kind, said))
                    log.warning("%s %s: %s", model, kind, said)
            except sqlite3.Error as error:  # what it tells of has happened all the same
                if not self._refused:
                    log.warning("%s %s: %s (it cannot be kept yet: %s)", model, kind, said, error)
                self._refused = True
                self._waiting.appendleft(note)
                return
            self._refused = False

    @staticmethod
    def newest(db: sqlite3.Connection, model: str, limit: int) -> list[dict[str, Any]]:
        """Notes of one model, newest first."""
        rows = db.execute(_NEWEST, (model, limit)).fetchall()
        return [dict(zip(("sequence", "at", "kind", "said"), row, strict=True)) for row in rows]
