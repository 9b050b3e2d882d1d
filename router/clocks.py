"""The clocks of models: the wall clock, or that of a replay."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime

from registry.records.plan import TrafficPlan

LIVE_S = 60.0
"""A request that is no older when it is read shows that a model lives by the wall clock."""

# From phase to phase by the index: a plain maximum over the model would read all of its requests.
_NEWEST = """
WITH RECURSIVE phases (phase) AS (
    SELECT min(phase) FROM predictions WHERE model = ?1
    UNION ALL
    SELECT (SELECT min(phase) FROM predictions WHERE model = ?1 AND phase > phases.phase)
    FROM phases WHERE phases.phase IS NOT NULL
)
SELECT time FROM predictions WHERE seq = (
    SELECT max((SELECT max(seq) FROM predictions WHERE model = ?1 AND phase = phases.phase)) FROM phases
)
"""


class Clocks:
    """
    What time it is for each model.

    Args:
        last_plan: The plan of a model that was seen last, if any.
    """

    def __init__(self, last_plan: Callable[[str], TrafficPlan | None]) -> None:
        self._last_plan = last_plan
        self._seen: dict[str, tuple[float, bool]] = {}

    def set(self, model: str, db: sqlite3.Connection) -> None:
        """Look at the newest request of *model* in the index."""
        newest = _newest(db, model)
        if newest is not None and self._seen.get(model, (None,))[0] != newest:
            self._seen[model] = newest, abs(time.time() - newest) < LIVE_S

    def now(self, model: str, db: sqlite3.Connection) -> datetime:
        """
        The model's clock: the wall clock, unless its requests have a time of their own, as in a replay.

        Then it is the time of the newest request, and not before the plan in force was made.
        """
        newest, live = self._seen.get(model, (None, False))
        if live:
            return datetime.now(UTC)
        newest = _newest(db, model) if newest is None else newest
        known = self._last_plan(model)
        try:
            clock = datetime.fromtimestamp(time.time() if newest is None else newest, UTC)
        except (ValueError, OverflowError, OSError):  # a time of no calendar must not hold up a rollback
            return datetime.now(UTC)
        return clock if known is None else max(clock, min(known.created_at, datetime.now(UTC)))


def _newest(db: sqlite3.Connection, model: str) -> float | None:
    row = db.execute(_NEWEST, (model,)).fetchone()
    return None if row is None else float(row[0])
