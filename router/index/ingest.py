"""
Segments into the index, exactly once, and outcomes onto predictions.

Rows and the offset behind them commit together, so a kill -9 at any moment repeats
nothing and skips nothing. Predictions are read before outcomes: whoever sent an outcome
had the answer, so it finds the newest prediction of its key.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SHADOWS, SegmentReader
from router.index import summaries
from router.index.batch import Changes, among
from router.index.joins import Joins
from router.index.lines import Line, ObservedLine, PredictedLine, decoded
from router.index.predictions import Predictions
from router.index.schema import Dirty
from router.index.terms import Terms

BITE = 8 << 20
"""Bytes of the log in one transaction."""
_SHADOW = "INSERT OR IGNORE INTO shadows VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PLACES = "SELECT phase, seq FROM predictions WHERE model = ? AND id IN {marks}"
_OFFSET = "INSERT INTO segments VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = excluded.offset"


class Ingest:
    """
    Follow all segments.

    Args:
        terms: How long outcomes may take; from the environment if absent.

    Attributes:
        dirty: What changed since somebody cleared it.
    """

    def __init__(self, connection: sqlite3.Connection, events_dir: Path, terms: Terms | None = None) -> None:
        self._db = connection
        self._first = SegmentReader(events_dir, (PREDICTIONS,))
        self._later = SegmentReader(events_dir, (OUTCOMES, SHADOWS))
        self._joins = Joins(connection, terms or Terms())
        self._predictions = Predictions(connection, self._joins)
        self._offsets: dict[str, int] = dict(connection.execute("SELECT name, offset FROM segments").fetchall())
        self._senseless = 0
        self.dirty: set[Dirty] = set()

    @property
    def torn(self) -> int:
        """Lines that were skipped because they were torn."""
        return self._first.torn + self._later.torn + self._senseless

    def catch_up(self) -> int:
        """Read everything written so far; returns the number of events."""
        return sum(self.bites())

    def bites(self) -> Iterator[int]:
        """The same, a few megabytes at a time; what callers write meanwhile waits for the next time."""
        later = list(self._later.unread(self._offset))  # measured first: their predictions are in the others by now
        first = list(self._first.unread(self._offset))
        for reader, found in ((self._first, first), (self._later, later)):
            for path, _, size in found:
                with suppress(FileNotFoundError):  # removed by retention
                    while took := self._step(reader, path, size):
                        yield took
        self._sweep()

    def _step(self, reader: SegmentReader, path: Path, size: int) -> int:
        offset = self._offset(path.name)
        if size <= offset:
            return 0
        # One byte less: the rest of a line is read with it, and no line behind.
        payloads, end = reader.payloads(path, offset, min(BITE, size - offset - 1))
        if end == offset:
            return 0
        lines, senseless = decoded(payloads)
        with self._transaction() as changes:
            self._apply(lines, changes)
            self._db.execute(_OFFSET, (path.name, end))
        self._offsets[path.name] = end
        self._senseless += senseless
        return max(1, len(lines))

    def _apply(self, lines: Sequence[Line], changes: Changes) -> None:
        for kind, group in groupby(lines, type):
            run: list[Any] = list(group)
            if kind is PredictedLine:
                self._predictions.take(run, changes)
                continue
            by_model: dict[str, list[Any]] = defaultdict(list)
            for line in run:
                by_model[line.model].append(line)
            take = self._joins.observed if kind is ObservedLine else self._shadowed
            for model, lines_of in by_model.items():
                take(model, lines_of, changes)

    def _shadowed(self, model: str, run: Sequence[Any], changes: Changes) -> None:
        self._db.executemany(_SHADOW, map(msgspec.structs.astuple, run))
        for phase, seq in among(self._db, _PLACES, (model,), {line.id for line in run}):
            changes.changed(model, phase, seq)

    def _sweep(self) -> None:
        waiting = self._db.execute("SELECT model FROM counts WHERE name = 'parked' AND n > 0").fetchall()
        for (model,) in waiting:
            if self._joins.parking.is_due(model):
                with self._transaction() as changes:
                    self._joins.parking.expire(model, changes)

    @contextmanager
    def _transaction(self) -> Iterator[Changes]:
        changes = Changes()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield changes
            changes.keep(self._db)
            summaries.forget(self._db, changes.dirty)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.dirty |= changes.dirty

    def _offset(self, name: str) -> int:
        return self._offsets.get(name, 0)
