"""The metrics of phases that are over, so that a restart does not compute them all again."""

import logging
import sqlite3
from collections.abc import Iterable

import msgspec

from registry.errors import Refusal
from registry.records.live import PhaseMetrics
from router.index.schema import Dirty

log = logging.getLogger("understudy.control")
VERSION = 1
"""Of what is computed; raise it with every change of it, and all is computed anew."""
_FIND = "SELECT document FROM summaries WHERE model = ? AND phase = ? AND version = ?"
_KEEP = "INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?)"
_FORGET = "DELETE FROM summaries WHERE model = ? AND phase = ?"


def recall(connection: sqlite3.Connection, model: str, phase: str) -> PhaseMetrics | None:
    """The metrics of a phase as they were kept; None if nobody did, or something has changed since."""
    found = connection.execute(_FIND, (model, phase, VERSION)).fetchone()
    try:
        return None if found is None else PhaseMetrics.from_json(found[0])
    except (msgspec.MsgspecError, Refusal):  # of another version of ours
        return None


def keep(connection: sqlite3.Connection, model: str, phases: Iterable[PhaseMetrics]) -> None:
    """Keep them until something of them changes; without room for them they are computed again."""
    rows = [(model, phase.phase, VERSION, phase.to_json()) for phase in phases]
    if not rows:
        return
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_KEEP, rows)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        log.warning("the metrics of %d phases of %s could not be kept: %s", len(rows), model, error)
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def forget(connection: sqlite3.Connection, changed: Iterable[Dirty]) -> None:
    """In the transaction that changes something of these phases."""
    connection.executemany(_FORGET, {(model, phase) for model, phase, _ in changed})
