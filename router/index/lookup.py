"""What the index knows of an outcome already; a hint, the index decides."""

import sqlite3
from pathlib import Path

from registry.eventlog.events import Observed
from registry.records.live import OutcomeStatus
from router.index.schema import open_readonly

_KNOWN = """
SELECT value FROM outcomes WHERE model = ?1 AND id = ?2
UNION ALL SELECT value FROM outcomes WHERE model = ?1 AND prediction_id = ?3 AND metric = ?4
UNION ALL SELECT value FROM parked WHERE model = ?1 AND id = ?2 LIMIT 1
"""


class Lookup:
    """Read-only eyes of a worker; blind while there is no index."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def status_of(self, item: Observed) -> OutcomeStatus:
        """Duplicate or conflict if known, else accepted."""
        try:
            if self._connection is None:
                self._connection = open_readonly(self._path)
            row = self._connection.execute(_KNOWN, (item.model, item.id, item.prediction_id, item.metric)).fetchone()
        except sqlite3.Error:
            self._connection = None
            return OutcomeStatus(status="accepted")
        if row is None:
            return OutcomeStatus(status="accepted")
        if row[0] == item.value:
            return OutcomeStatus(status="duplicate", said="known already")
        return OutcomeStatus(status="conflict", said=f"{row[0]} was accepted first and is kept")
