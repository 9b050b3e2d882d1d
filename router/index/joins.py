"""Outcomes onto predictions: each once, on the prediction it belongs to."""

import math
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from router.index.batch import Changes, among
from router.index.identity import of_prediction, prediction_of
from router.index.lines import ObservedLine
from router.index.parking import Numbered, Parking, again
from router.index.terms import Terms

_BY_ID = "SELECT id, seq, phase, time FROM predictions WHERE model = ? AND id IN {marks}"
_BY_KEY = """
SELECT id, seq, phase, time FROM predictions WHERE model = ? AND key = ? AND time <= ? AND time >= ?
ORDER BY time DESC, seq DESC LIMIT 1
"""
_VALUES = "SELECT seq, metric, value FROM outcomes WHERE seq IN {marks}"
_NAMED = "SELECT id, value FROM outcomes WHERE model = ? AND id IN {marks}"
_UNNAMED = """
SELECT o.value FROM predictions p JOIN outcomes o ON o.seq = p.seq AND o.metric = ? AND o.id IS NULL
WHERE p.model = ? AND p.id = ?
"""


class Place(NamedTuple):
    """A prediction that an outcome belongs to."""

    id: str
    seq: int
    phase: str
    time: float


Found = tuple[ObservedLine, Place]


class Joins:
    """
    Writes outcomes.

    Args:
        terms: How long they may take.

    Attributes:
        parking: What waits.
    """

    def __init__(self, connection: sqlite3.Connection, terms: Terms) -> None:
        self._db, self._terms = connection, terms
        self.parking = Parking(connection, terms)

    def observed(self, model: str, run: Sequence[ObservedLine], changes: Changes) -> None:
        """Join outcomes of one model in the order of the log; those without a prediction wait."""
        places = list(zip(run, self._places(model, run), strict=True))
        found = [(item, place) for item, place in places if place is not None]
        late = self._join(model, found, self.parking.clock(model), changes)
        others = [
            (item, "parked" if place is None else "late") for item, place in places if place is None or id(item) in late
        ]
        self.parking.keep(model, others, changes)

    def arrived(self, numbered: Sequence[Numbered], changes: Changes) -> None:
        """Join what waited for these predictions."""
        by_model: dict[str, list[Numbered]] = defaultdict(list)
        for seq, event in numbered:
            by_model[event.model].append((seq, event))
        for model, arrivals in by_model.items():
            released = self.parking.released(model, arrivals, changes)
            found = [(item, Place(event.id, seq, event.phase, event.time)) for (seq, event), item in released]
            self._join(model, found, -math.inf, changes)  # by the clock of each of them it is not late

    def _places(self, model: str, run: Sequence[ObservedLine]) -> list[Place | None]:
        ids = {item.prediction_id for item in run if item.prediction_id is not None}
        known = {row[0]: Place(*row) for row in among(self._db, _BY_ID, (model,), ids)}
        return [self._newest(item) if item.prediction_id is None else known.get(item.prediction_id) for item in run]

    def _newest(self, item: ObservedLine) -> Place | None:
        asked = (item.model, item.key, item.time, item.time - self._terms.attribution_s)
        row = self._db.execute(_BY_KEY, asked).fetchone()
        return None if row is None else Place(*row)

    def _join(self, model: str, found: Sequence[Found], clock: float, changes: Changes) -> set[int]:
        """
        Put outcomes on their predictions, the first one of each metric.

        Args:
            clock: The model's. One without a time got the wall clock's, and a replay has another.

        Returns:
            Identities (`id`) of those that are too late by their own time and by the model's clock.
        """
        rows, late, known = [], set[int](), _Known(self._db, model, found)
        for item, place in found:
            implied = item.id == of_prediction(place.id, item.metric)
            first = known.value(item, place.seq, implied=implied)
            if first is not None:
                changes.count(model, again(first, item.value))
            elif min(item.time, clock) > place.time + self._terms.horizon_s:
                late.add(id(item))
            else:
                known.add(item, place.seq)
                name = None if implied else item.id
                rows.append((place.seq, item.metric, item.value, item.time, model, name))
                changes.count(model, "joined")
                changes.changed(model, place.phase, place.seq)
        self._db.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?)", rows)
        return late


class _Known:
    """Values that are on predictions already, and what they were called."""

    def __init__(self, connection: sqlite3.Connection, model: str, found: Sequence[Found]) -> None:
        self._db, self._model = connection, model
        seqs, ids = {place.seq for _, place in found}, {item.id for item, _ in found}
        self._values = {(seq, metric): value for seq, metric, value in among(connection, _VALUES, (), seqs)}
        self._named: dict[str, float] = dict(among(connection, _NAMED, (model,), ids))

    def value(self, item: ObservedLine, seq: int, *, implied: bool) -> float | None:
        """The value that was there first; None if there is none."""
        first = self._values.get((seq, item.metric), self._named.get(item.id))
        if first is not None or implied:
            return first
        pair = prediction_of(item.id)  # its caller named it as an outcome of another prediction would be called
        row = pair and self._db.execute(_UNNAMED, (pair[1], self._model, pair[0])).fetchone()
        return row[0] if row else None

    def add(self, item: ObservedLine, seq: int) -> None:
        """From now on it is there."""
        self._values[seq, item.metric] = self._named[item.id] = item.value
