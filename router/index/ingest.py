"""
Segments into the index, exactly once, and outcomes onto predictions.

Rows and the offset behind them commit together, so a kill -9 at any moment repeats
nothing and skips nothing.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from registry.eventlog.events import Event, Observed, Predicted, Shadowed
from registry.eventlog.segments import ROLES, SegmentReader
from router.index.schema import Dirty, block_of

ATTRIBUTION_S = 7 * 86_400.0

_INSERT = """
INSERT INTO predictions (id, model, key, time, features, assigned, served, assigned_version, version, epoch, phase,
    enrolled, reason, score, prediction, latency_ms, error, failed, place, shadows, weight)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (model, id) DO UPDATE SET key = excluded.key, time = excluded.time, features = excluded.features,
    assigned = excluded.assigned, served = excluded.served, assigned_version = excluded.assigned_version,
    version = excluded.version, epoch = excluded.epoch, phase = excluded.phase, enrolled = excluded.enrolled,
    reason = excluded.reason, score = excluded.score, prediction = excluded.prediction,
    latency_ms = excluded.latency_ms, error = excluded.error, failed = excluded.failed, place = excluded.place,
    shadows = excluded.shadows, weight = excluded.weight
WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.model = excluded.model AND o.prediction_id = excluded.id)
"""
_PLACE = "SELECT phase, seq FROM predictions WHERE model = ? AND id = ?"
# UNION ALL, not OR: each half finds its own index.
_PARKED = """
SELECT seq, id, prediction_id, key, metric, value, time FROM parked WHERE model = ?1 AND prediction_id = ?2
UNION ALL SELECT seq, id, prediction_id, key, metric, value, time FROM parked WHERE model = ?1 AND key = ?3
ORDER BY seq
"""
_KNOWN = """
SELECT value FROM outcomes WHERE model = ?1 AND prediction_id = ?2 AND metric = ?3
UNION ALL SELECT value FROM outcomes WHERE model = ?1 AND id = ?4 LIMIT 1
"""


class Ingest:
    """
    Follow all segments.

    Attributes:
        dirty: What changed since somebody cleared it.
    """

    def __init__(self, connection: sqlite3.Connection, events_dir: Path) -> None:
        self._db = connection
        self._reader = SegmentReader(events_dir, ROLES)
        self.dirty: set[Dirty] = set()

    @property
    def torn(self) -> int:
        """Lines that were skipped because they were torn."""
        return self._reader.torn

    def catch_up(self) -> int:
        """Read everything written so far; returns the number of events."""
        return sum(self.bites())

    def bites(self) -> Iterator[int]:
        """The same, a few megabytes at a time; what callers write meanwhile waits for the next time."""
        for path in self._reader.segments():
            size = path.stat().st_size
            while took := self._step(path, size):
                yield took

    def _step(self, path: Path, size: int) -> int:
        row = self._db.execute("SELECT offset FROM segments WHERE name = ?", (path.name,)).fetchone()
        offset = row[0] if row else 0
        if size <= offset:
            return 0
        events, end = self._reader.read(path, offset)
        if end == offset:
            return 0
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._apply(events)
            self._db.execute(
                "INSERT INTO segments VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = excluded.offset",
                (path.name, end),
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return max(1, len(events))

    def _apply(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Predicted):
                self._predicted(event)
            elif isinstance(event, Observed):
                self._observed(event)
            else:
                self._shadowed(event)

    def _predicted(self, event: Predicted) -> None:
        before = self._db.execute(_PLACE, (event.model, event.id)).fetchone()
        new = self._db.execute(_INSERT, _columns(event)).lastrowid
        phase, seq = before or (event.phase, new or 0)
        self._changed(event.model, phase, seq)
        self._changed(event.model, event.phase, seq)
        parked = self._db.execute(_PARKED, (event.model, event.id, event.key)).fetchall()
        for _, id_, prediction_id, key, metric, value, time in parked:
            item = Observed(
                model=event.model, id=id_, prediction_id=prediction_id, key=key, metric=metric, value=value, time=time
            )
            if self._join(item):
                self._db.execute("DELETE FROM parked WHERE model = ? AND id = ?", (event.model, id_))
                self._count(event.model, "parked", -1)

    def _observed(self, item: Observed) -> None:
        if self._join(item):
            return
        done = self._db.execute(
            "INSERT OR IGNORE INTO parked (id, model, prediction_id, key, metric, value, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (item.id, item.model, item.prediction_id, item.key, item.metric, item.value, item.time),
        )
        if done.rowcount:
            self._count(item.model, "parked")
            return
        query = "SELECT value FROM parked WHERE model = ? AND id = ?"
        [first] = self._db.execute(query, (item.model, item.id)).fetchone()
        self._count(item.model, "duplicate" if first == item.value else "conflict")

    def _join(self, item: Observed) -> bool:
        """Put an outcome on its prediction; False if there is none yet."""
        found = self._find(item)
        if found is None:
            return False
        prediction_id, phase, seq = found
        known = self._db.execute(_KNOWN, (item.model, prediction_id, item.metric, item.id)).fetchone()
        if known is not None:
            self._count(item.model, "duplicate" if known[0] == item.value else "conflict")
            return True
        self._db.execute(
            "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?)",
            (item.id, item.model, prediction_id, item.metric, item.value, item.time),
        )
        self._count(item.model, "joined")
        self._changed(item.model, phase, seq)
        return True

    def _find(self, item: Observed) -> tuple[str, str, int] | None:
        if item.prediction_id is not None:
            query = "SELECT id, phase, seq FROM predictions WHERE model = ? AND id = ?"
            row = self._db.execute(query, (item.model, item.prediction_id)).fetchone()
        else:
            row = self._db.execute(
                "SELECT id, phase, seq FROM predictions WHERE model = ? AND key = ? AND time <= ? AND time >= ?"
                " ORDER BY time DESC, seq DESC LIMIT 1",
                (item.model, item.key, item.time, item.time - ATTRIBUTION_S),
            ).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def _shadowed(self, event: Shadowed) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO shadows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.id,
                event.version,
                event.model,
                event.score,
                event.prediction,
                event.latency_ms,
                event.dropped,
                event.error,
            ),
        )
        row = self._db.execute(_PLACE, (event.model, event.id)).fetchone()
        if row is not None:
            self._changed(event.model, *row)

    def _changed(self, model: str, phase: str, seq: int) -> None:
        self.dirty.add((model, phase, block_of(seq)))

    def _count(self, model: str, name: str, n: int = 1) -> None:
        self._db.execute(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (model, name) DO UPDATE SET n = n + excluded.n",
            (model, name, n),
        )


def _columns(event: Predicted) -> tuple[object, ...]:
    return (
        event.id,
        event.model,
        event.key,
        event.time,
        json.dumps(event.features, separators=(",", ":")),
        event.assigned,
        event.served,
        event.assigned_version,
        event.version,
        event.epoch,
        event.phase,
        event.enrolled,
        event.reason,
        event.score,
        event.prediction,
        event.latency_ms,
        event.error,
        event.failed,
        event.place,
        json.dumps(event.shadows),
        event.weight,
    )
