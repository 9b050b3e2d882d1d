"""Predictions into the index; one that is sent again replaces the first, until an outcome is on it."""

import sqlite3
from collections.abc import Sequence

import msgspec

from router.index.batch import Changes, among
from router.index.joins import Joins
from router.index.lines import PredictedLine
from router.index.parking import Numbered

_NAMES = PredictedLine.__struct_fields__
_INSERT = f"""
INSERT OR IGNORE INTO predictions (seq, {", ".join(_NAMES)})
VALUES (?, {", ".join("CAST(? AS TEXT)" if name == "shadows" else "?" for name in _NAMES)})
"""  # noqa: S608 - fixed words only
_REPLACE = f"""
UPDATE predictions SET {", ".join(f"{n} = CAST(? AS TEXT)" if n == "shadows" else f"{n} = ?" for n in _NAMES)}
WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.seq = predictions.seq)
"""  # noqa: S608
_IDS = "SELECT id FROM predictions WHERE model = ? AND id IN {marks}"
_BEFORE = "SELECT seq, phase FROM predictions WHERE model = ? AND id = ?"


class Predictions:
    """
    Writes predictions.

    Args:
        joins: Puts outcomes that waited on them.
    """

    def __init__(self, connection: sqlite3.Connection, joins: Joins) -> None:
        self._db, self._joins = connection, joins

    def take(self, run: Sequence[PredictedLine], changes: Changes) -> None:
        """Keep predictions that stand one behind the other in the log."""
        [[newest]] = self._db.execute("SELECT IFNULL(MAX(seq), 0) FROM predictions")
        numbered = list(enumerate(run, newest + 1))
        if self._insert(numbered) == len(run):
            self._settle(numbered, changes)
            return
        self._db.execute("DELETE FROM predictions WHERE seq > ?", (newest,))
        self._in_order(run, newest + 1, changes)

    def _in_order(self, run: Sequence[PredictedLine], seq: int, changes: Changes) -> None:
        """The same where some were there before."""
        known, fresh = self._known(run), list[Numbered]()
        for event in run:
            if (event.model, event.id) not in known:
                known.add((event.model, event.id))
                fresh.append((seq + len(fresh), event))
                continue
            seq += self._flush(fresh, changes)
            self._again(event, changes)
        self._flush(fresh, changes)

    def _flush(self, fresh: list[Numbered], changes: Changes) -> int:
        count = self._insert(fresh)
        self._settle(fresh, changes)
        fresh.clear()
        return count

    def _insert(self, numbered: Sequence[Numbered]) -> int:
        rows = ((seq, *msgspec.structs.astuple(event)) for seq, event in numbered)
        return max(0, self._db.executemany(_INSERT, rows).rowcount)

    def _known(self, run: Sequence[PredictedLine]) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for model in {event.model for event in run}:
            ids = {event.id for event in run if event.model == model}
            found.update((model, id_) for (id_,) in among(self._db, _IDS, (model,), ids))
        return found

    def _again(self, event: PredictedLine, changes: Changes) -> None:
        [(seq, phase)] = self._db.execute(_BEFORE, (event.model, event.id))
        changes.changed(event.model, phase, seq)
        changes.changed(event.model, event.phase, seq)
        if self._db.execute(_REPLACE, (*msgspec.structs.astuple(event), seq)).rowcount:
            self._settle([(seq, event)], changes)

    def _settle(self, numbered: Sequence[Numbered], changes: Changes) -> None:
        for seq, event in numbered:
            changes.changed(event.model, event.phase, seq)
        if numbered:
            self._joins.arrived(numbered, changes)
