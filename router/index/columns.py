"""Rows of a phase as columns: read in blocks of the log, so that only the blocks that changed are read again."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import mmh3
import numpy as np
from numpy.typing import NDArray

from registry.records.plan import CHAMPION
from registry.records.version import Task
from router.index.schema import BLOCK

Table = NDArray[np.void]
NONE = -1  # code of a missing text
_LARGEST = np.finfo(np.float64).max

ROWS = np.dtype(
    [
        *((name, np.int32) for name in ("assigned", "version", "error")),
        *((name, np.bool_) for name in ("enrolled", "served", "failed", "timed", "correct")),
        *((name, np.float64) for name in ("time", "latency", "score", "label", "loss")),
        ("unit", np.int64),
    ]
)
"""One request: label and loss are nan without a label, score without an answer; correct means something with a loss."""
KPIS = np.dtype([("metric", np.int32), ("row", np.int32), ("value", np.float64)])
"""One outcome other than the label; row is the place of its request."""
COPIES = np.dtype(
    [
        *((name, np.int32) for name in ("version", "dropped", "error")),
        *((name, np.bool_) for name in ("scored", "flip", "up")),
        ("right", np.int8),
        *((name, np.float64) for name in ("time", "latency", "served_latency", "score", "served", "loss")),
        ("unit", np.int64),
    ]
)
"""
One copy of a shadow: loss is the champion's minus its own, nan without a label; right the other way round;
served_latency is nan where the champion did not answer, or where it was counted with another row.
"""

# The range of seq follows the index by phase; ORDER BY costs nothing then.
_RANGE = "p.model = ?1 AND p.phase = ?2 AND p.seq >= ?3 AND p.seq < ?4 ORDER BY p.seq"
_PREDICTIONS = f"""
SELECT p.seq, p.id, p.key, p.assigned, p.assigned_version, p.error, p.enrolled, p.served, p.failed, p.place, p.time,
    p.latency_ms, p.score, p.prediction, p.reason, p.shadows
FROM predictions p WHERE {_RANGE}
"""  # noqa: S608 - fixed words only
# CROSS JOIN keeps the order: the rows of one phase first, not all outcomes of the model.
_OUTCOMES = f"""
SELECT p.seq, o.metric, o.value
FROM predictions p CROSS JOIN outcomes o ON o.seq = p.seq WHERE {_RANGE}
"""  # noqa: S608
_SHADOWS = f"""
SELECT p.seq, s.version, s.score, s.prediction, s.latency_ms, s.dropped, s.error
FROM predictions p CROSS JOIN shadows s ON s.model = p.model AND s.id = p.id WHERE {_RANGE}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Names:
    """Texts as small numbers, the same ones as long as this lives."""

    codes: dict[str, int] = field(default_factory=dict)

    def code(self, texts: Sequence[str | None]) -> list[int]:
        """Number of each text; NONE for a missing one."""
        codes = self.codes
        known = {text: NONE if text is None else codes.setdefault(text, len(codes)) for text in dict.fromkeys(texts)}
        return list(map(known.__getitem__, texts))

    def counts(self, codes: NDArray[np.int32]) -> dict[str, int]:
        """How often each text occurs among *codes*; missing ones are left out."""
        seen = np.bincount(codes[codes != NONE], minlength=len(self.codes)) if len(codes) else ()
        return {text: int(n) for text, n in zip(self.codes, seen, strict=False) if n}


class Block(NamedTuple):
    """
    Requests of one phase in one block of the log, with what came later.

    Attributes:
        rows: As ROWS; forced requests are not among them.
        kpis: As KPIS.
        copies: As COPIES.
        watched: Requests that each version's shadow watched.
        split: Whether anybody was dealt to a challenger.
    """

    rows: Table
    kpis: Table
    copies: Table
    watched: Counter[str]
    split: bool

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return 1000 + self.rows.nbytes + self.kpis.nbytes + self.copies.nbytes


class Columns:
    """All blocks of a phase, in the order of the log; a column is put together when it is needed."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self.split = any(block.split for block in blocks)

    def rows(self, name: str) -> NDArray[Any]:
        """One column of the requests."""
        return np.concatenate([np.zeros(0, ROWS[name]), *(block.rows[name] for block in self._blocks)])

    def copies(self, name: str) -> NDArray[Any]:
        """One column of the shadows' copies."""
        return np.concatenate([np.zeros(0, COPIES[name]), *(block.copies[name] for block in self._blocks)])

    def kpis(self) -> Table:
        """Outcomes other than labels; row counts over all blocks."""
        starts = np.cumsum([0, *(len(block.rows) for block in self._blocks)])[:-1]
        found: Table = np.concatenate([np.zeros(0, KPIS), *(block.kpis for block in self._blocks)])
        found["row"] += np.repeat(starts, [len(block.kpis) for block in self._blocks]).astype(np.int32)
        return found

    def watched(self) -> Counter[str]:
        """Requests that each version's shadow watched."""
        return sum((block.watched for block in self._blocks), Counter[str]())


def read_block(
    connection: sqlite3.Connection, model: str, phase: str, block: int, *, task: Task, names: Names
) -> Block:
    """Rows of one phase whose sequence lies in one block."""
    place = (model, phase, block * BLOCK, (block + 1) * BLOCK)
    found = connection.execute(_PREDICTIONS, place).fetchall()
    if not found:
        return Block(np.zeros(0, ROWS), np.zeros(0, KPIS), np.zeros(0, COPIES), Counter(), split=False)
    log = _Log(found)
    outcomes = _columns(connection.execute(_OUTCOMES, place).fetchall(), 3)
    labels = log.labels(outcomes)
    kept = np.array([reason != "forced" for reason in log.reason])
    rows = log.rows(labels, task, names)
    return Block(
        rows=rows[kept],
        kpis=_kpis(log, outcomes, kept, names),
        copies=_copies(log, connection.execute(_SHADOWS, place).fetchall(), labels, task, names),
        watched=_watched(log.shadows),
        split=any(enrolled and name != "champion" for enrolled, name in zip(log.enrolled, log.assigned, strict=True)),
    )


def losses(
    task: Task, score: NDArray[np.float64], prediction: NDArray[np.float64], label: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Squared error of the probability (Brier), absolute error, or 1 for a wrong class of several.

    Where label or score is missing it is nan.
    """
    if task == "multiclass":
        return np.where(np.isnan(score + label), np.nan, (prediction != label).astype(np.float64))
    with np.errstate(over="ignore"):
        error = np.abs(score - label)
        found: NDArray[np.float64] = np.minimum(error * error if task == "binary" else error, _LARGEST)
        return found


class _Log:
    """The predictions of one block, by column."""

    def __init__(self, found: list[Any]) -> None:
        columns = _columns(found, 16)
        seq, self.id, self.key, self.assigned, self.version, self.error, self.enrolled, self.served = columns[:8]
        self.failed, self.place, time, self.latency, score, prediction, self.reason, self.shadows = columns[8:]
        self.seq = np.array(seq, np.int64)
        self.time, self.score, self.prediction = _floats(time), _floats(score), _floats(prediction)
        self.unit = units(self.key, self.id)

    def places(self, seq: Sequence[int]) -> NDArray[np.int64]:
        """Where the predictions with these sequences stand."""
        return np.searchsorted(self.seq, np.array(seq, np.int64))

    def labels(self, outcomes: list[Any]) -> NDArray[np.float64]:
        """Label of every prediction, nan where none has come."""
        seq, metric, value = outcomes
        labels = np.full(len(self.seq), np.nan)
        found = np.array([name == "label" for name in metric], np.bool_)
        labels[self.places(seq)[found]] = _floats(value)[found]
        return labels

    def champion_latency(self) -> NDArray[np.float64]:
        """Latency where the champion was asked and it counts, else nan."""
        asked = zip(self.assigned, self.place, self.failed, strict=True)
        own = [name == CHAMPION and not place and not failed for name, place, failed in asked]
        return np.where(np.array(own, np.bool_), np.array(self.latency, np.float64), np.nan)

    def rows(self, labels: NDArray[np.float64], task: Task, names: Names) -> Table:
        """Every prediction as ROWS."""
        rows = np.zeros(len(self.seq), ROWS)
        for name, texts in (("assigned", self.assigned), ("version", self.version), ("error", self.error)):
            rows[name] = names.code(texts)
        rows["enrolled"], rows["failed"], rows["latency"] = self.enrolled, self.failed, self.latency
        rows["served"] = [s == a and not f for s, a, f in zip(self.served, self.assigned, self.failed, strict=True)]
        rows["timed"] = [p == 0 and e != "stopped" for p, e in zip(self.place, self.error, strict=True)]
        rows["time"], rows["score"], rows["unit"] = self.time, self.score, self.unit
        rows["label"] = labels
        rows["loss"] = losses(task, self.score, self.prediction, labels)
        rows["correct"] = self.prediction == labels
        return rows


def units(keys: Iterable[str | None], ids: Iterable[str]) -> NDArray[np.int64]:
    """64 bits that tell keys apart, the same in every process; a request without a key is a unit of its own."""
    hashed = [
        mmh3.hash64(key.encode(), 0)[0] if key else mmh3.hash64(id_.encode(), 1)[0]
        for key, id_ in zip(keys, ids, strict=True)
    ]
    return np.array(hashed, np.int64)


def _kpis(log: _Log, outcomes: list[Any], kept: NDArray[np.bool_], names: Names) -> Table:
    seq, metric, value = outcomes
    place = log.places(seq)
    table = np.zeros(len(seq), KPIS)
    table["metric"], table["value"] = names.code(metric), _floats(value)
    table["row"] = (np.cumsum(kept) - 1)[place]
    return table[np.array([name != "label" for name in metric], np.bool_) & kept[place]]


def _copies(log: _Log, found: list[Any], labels: NDArray[np.float64], task: Task, names: Names) -> Table:
    seq, version, scores, predictions, latency, dropped, error = _columns(found, 7)
    place, score, prediction = log.places(seq), _floats(scores), _floats(predictions)
    served, answer, label = log.score[place], log.prediction[place], labels[place]
    table = np.zeros(len(seq), COPIES)
    for name, texts in (("version", version), ("dropped", dropped), ("error", error)):
        table[name] = names.code(texts)
    unhurt = (table["dropped"] == NONE) & (table["error"] == NONE)
    table["scored"] = unhurt & ~np.isnan(score) & ~np.isnan(served)
    table["flip"] = (prediction != answer) & ~(np.isnan(prediction) & np.isnan(answer)) & (task != "regression")
    table["up"] = table["flip"] & (prediction > answer)
    table["right"] = (prediction == label).astype(np.int8) - (answer == label)
    table["time"], table["unit"], table["latency"] = log.time[place], log.unit[place], latency
    table["score"], table["served"], table["served_latency"] = score, served, log.champion_latency()[place]
    table["loss"] = losses(task, served, answer, label) - losses(task, score, prediction, label)
    return table


def _watched(shadows: Iterable[str]) -> Counter[str]:
    seen: Counter[str] = Counter()
    for text, n in Counter(shadows).items():
        for version in json.loads(text):
            seen[version] += n
    return seen


def _columns(found: list[Any], width: int) -> list[Any]:
    return list(zip(*found, strict=True)) if found else [()] * width


def _floats(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array(values, np.float64)
