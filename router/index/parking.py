"""Outcomes that wait for their prediction, and those that are kept aside; nothing acknowledged is deleted."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from router.index.batch import Changes, among
from router.index.lines import ObservedLine, PredictedLine
from router.index.terms import Terms

Numbered = tuple[int, PredictedLine]
"""A prediction behind its sequence."""
Parked = tuple[int, ObservedLine]
"""An outcome that waits, behind its place in the row."""
Released = tuple[Numbered, ObservedLine]
"""An outcome behind the prediction that it waited for."""

_COLUMNS = ", ".join(ObservedLine.__struct_fields__)
_BY_ID = f"SELECT seq, {_COLUMNS} FROM parked WHERE model = ? AND prediction_id IN {{marks}}"  # noqa: S608
_BY_KEY = f"SELECT seq, {_COLUMNS} FROM parked WHERE model = ? AND time >= ? AND time <= ? AND key IN {{marks}}"  # noqa: S608
_OLD = f"SELECT seq, {_COLUMNS} FROM parked WHERE model = ? AND time < ? LIMIT ?"  # noqa: S608
_PARK = f"INSERT INTO parked ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_ASIDE = f"INSERT OR IGNORE INTO aside ({_COLUMNS}, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
# The plus keeps SQLite from walking through all predictions of the model.
_CLOCK = "SELECT seq, time FROM predictions WHERE +model = ? ORDER BY seq DESC LIMIT 1"
_MOST_EXPIRED = 20_000
_SWEEPS = 64
"""Looks at what waits, in the time that it may wait."""


class Parking:
    """
    Tables of what waits and of what is kept aside.

    Args:
        terms: How long outcomes may take.
    """

    def __init__(self, connection: sqlite3.Connection, terms: Terms) -> None:
        self._db, self._terms = connection, terms
        self._clocks: dict[str, tuple[int, float]] = {}  # behind the sequence that they are of
        self._swept: dict[str, float] = {}

    def keep(self, model: str, items: Sequence[tuple[ObservedLine, str]], changes: Changes) -> None:
        """Park outcomes, or keep them aside with the reason; each once."""
        if not items:
            return
        known, fresh = self._known(model, {item.id for item, _ in items}), []
        for item, why in items:
            if item.id in known:
                changes.count(model, again(known[item.id], item.value))
                continue
            known[item.id] = item.value
            changes.count(model, why)
            fresh.append((*msgspec.structs.astuple(item), why))
        self._db.executemany(_PARK, [row[:-1] for row in fresh if row[-1] == "parked"])
        self._db.executemany(_ASIDE, [row for row in fresh if row[-1] != "parked"])

    def released(self, model: str, arrivals: Sequence[Numbered], changes: Changes) -> list[Released]:
        """Take out what waited for these predictions, in the order in which they and the outcomes came."""
        self._tick(model, *arrivals[-1])
        if not self._any("parked"):
            return []
        waiting = _Waiting(self._awaited(model, arrivals), self._terms.attribution_s)
        found = [(one, item) for one in arrivals for item in waiting.released(one[1])] if waiting else []
        self._db.executemany("DELETE FROM parked WHERE seq = ?", [(seq,) for seq in sorted(waiting.gone)])
        changes.count(model, "parked", -len(waiting.gone))
        return found

    def is_due(self, model: str) -> bool:
        """Whether the model's clock has gone on enough to look for what waited too long."""
        swept = self._swept.get(model)
        return swept is None or abs(self.clock(model) - swept) >= self._terms.parked_s / _SWEEPS

    def expire(self, model: str, changes: Changes) -> None:
        """Keep aside what waited too long by the model's clock; so many at once that a rollback need not wait."""
        clock = self.clock(model)
        old = self._db.execute(_OLD, (model, clock - self._terms.parked_s, _MOST_EXPIRED)).fetchall()
        self._db.executemany("DELETE FROM parked WHERE seq = ?", [row[:1] for row in old])
        self._db.executemany(_ASIDE, [(*row[1:], "expired") for row in old])
        changes.count(model, "parked", -len(old))
        changes.count(model, "expired", len(old))
        if len(old) < _MOST_EXPIRED:
            self._swept[model] = clock

    def clock(self, model: str) -> float:
        """Event time of the model's newest prediction."""
        if model not in self._clocks:
            self._clocks[model] = self._db.execute(_CLOCK, (model,)).fetchone() or (0, 0.0)
        return self._clocks[model][1]

    def _tick(self, model: str, seq: int, event: PredictedLine) -> None:
        self.clock(model)  # since the start this one may be an old one that was sent again
        if seq >= self._clocks[model][0]:
            self._clocks[model] = seq, event.time

    def _awaited(self, model: str, arrivals: Sequence[Numbered]) -> list[Parked]:
        ids = {event.id for _, event in arrivals}
        keys = {event.key for _, event in arrivals if event.key is not None}
        times = [event.time for _, event in arrivals]
        span = (min(times), max(times) + self._terms.attribution_s)
        by_id = among(self._db, _BY_ID, (model,), ids)
        by_key = among(self._db, _BY_KEY, (model, *span), keys)
        return [(row[0], ObservedLine(*row[1:])) for row in sorted(chain(by_id, by_key))]

    def _known(self, model: str, ids: set[str]) -> dict[str, float]:
        known: dict[str, float] = {}
        for table in ("aside", "parked"):
            if self._any(table):
                sql = f"SELECT id, value FROM {table} WHERE model = ? AND id IN {{marks}}"  # noqa: S608
                known.update(among(self._db, sql, (model,), ids))
        return known

    def _any(self, table: str) -> bool:
        return self._db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None  # noqa: S608


class _Waiting:
    """
    Outcomes that wait for one of some predictions.

    Attributes:
        gone: Those that a prediction has released.
    """

    def __init__(self, parked: Sequence[Parked], window: float) -> None:
        self._window = window
        self._by_id: dict[str | None, list[Parked]] = defaultdict(list)
        self._by_key: dict[str | None, list[Parked]] = defaultdict(list)
        for seq, item in parked:
            by, name = (self._by_key, item.key) if item.prediction_id is None else (self._by_id, item.prediction_id)
            by[name].append((seq, item))
        self.gone: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._by_id or self._by_key)

    def released(self, event: PredictedLine) -> Iterator[ObservedLine]:
        """Those that belong to this prediction, in the order in which they came."""
        freed = self._by_id.pop(event.id, [])
        if event.key in self._by_key:
            first, last = event.time, event.time + self._window
            waiting = self._by_key[event.key]
            freed = sorted(freed + [one for one in waiting if first <= one[1].time <= last], key=_place)
            self._by_key[event.key] = [one for one in waiting if not first <= one[1].time <= last]
        for seq, item in freed:
            self.gone.append(seq)
            yield item


def again(first: float, value: float) -> str:
    """What an outcome is called that was there before."""
    return "duplicate" if first == value else "conflict"


def _place(parked: Parked) -> int:
    return parked[0]
