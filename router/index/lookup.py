"""What the index knows of outcomes already; a hint, the index decides."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from registry.eventlog.events import Observed
from registry.records.live import OutcomeStatus
from router.index.batch import among
from router.index.schema import open_readonly

_NAMED = "SELECT id, value FROM outcomes WHERE model = ? AND id IN {marks}"
_PARKED = "SELECT id, value FROM parked WHERE model = ? AND id IN {marks}"
_ON_PREDICTION = """
SELECT p.id, o.metric, o.value FROM predictions p CROSS JOIN outcomes o ON o.seq = p.seq
WHERE p.model = ? AND p.id IN {marks}
"""
_NEW = OutcomeStatus(status="accepted")
_KNOWN = OutcomeStatus(status="duplicate", said="known already")


class Lookup:
    """Read-only eyes of a worker; blind while there is no index."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def statuses(self, model: str, items: Sequence[Observed]) -> list[OutcomeStatus]:
        """Of each: duplicate or conflict if known, else accepted."""
        try:
            if self._connection is None:
                self._connection = open_readonly(self._path)
            return _statuses(self._connection, model, items)
        except sqlite3.Error:
            self._connection = None
            return [_NEW] * len(items)


def _statuses(connection: sqlite3.Connection, model: str, items: Sequence[Observed]) -> list[OutcomeStatus]:
    ids = {item.id for item in items}
    predictions = {item.prediction_id for item in items if item.prediction_id is not None}
    named: dict[str, float] = dict(among(connection, _PARKED, (model,), ids))
    placed = {(id_, metric): value for id_, metric, value in among(connection, _ON_PREDICTION, (model,), predictions)}
    named.update(among(connection, _NAMED, (model,), ids))
    return [_status(named.get(item.id, placed.get((item.prediction_id, item.metric))), item) for item in items]


def _status(first: float | None, item: Observed) -> OutcomeStatus:
    if first is None:
        return _NEW
    if first == item.value:
        return _KNOWN
    return OutcomeStatus(status="conflict", said=f"{first} was accepted first and is kept")
