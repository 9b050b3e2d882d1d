"""Joined rows: features as served, labels as joined."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from registry.records.base import Record

_CHUNK = 2000


class RowQuery(Record, frozen=True, kw_only=True):
    """
    Which rows.

    Attributes:
        after: Only behind this sequence.
        newest: The last n that match, still in ascending order.
        phase: Only of this phase.
        since, until: Event time, epoch seconds; until is exclusive.
    """

    after: int = 0
    limit: int | None = None
    newest: int | None = None
    labelled: bool | None = None
    since: float | None = None
    until: float | None = None
    phase: str | None = None


def ndjson(connection: sqlite3.Connection, model: str, query: RowQuery) -> Iterator[bytes]:
    """Lines of `JoinedRow`, in chunks."""
    cursor = connection.execute(*_sql(model, query))
    while rows := cursor.fetchmany(_CHUNK):
        yield b"".join(_lines(connection, model, rows))


def _sql(model: str, query: RowQuery) -> tuple[str, list[Any]]:
    # The plus keeps SQLite from taking an index by model, and then sorting all rows to find a few.
    where: list[str] = ["+model = ?", "seq > ?", "failed = 0"]
    values: list[Any] = [model, query.after]
    if query.phase is not None:  # in an index by phase the rows are in order
        where[0] = "model = ? AND phase = ?"
        values.insert(1, query.phase)
    label = "EXISTS (SELECT 1 FROM outcomes o WHERE o.seq = predictions.seq AND o.metric = 'label')"
    if query.labelled is not None:
        where.append(label if query.labelled else f"NOT {label}")
    for name, sign in (("since", ">="), ("until", "<")):
        bound = getattr(query, name)
        if bound is not None:
            where.append(f"time {sign} ?")
            values.append(bound)
    order = "ASC" if query.newest is None else "DESC"
    sql = f"SELECT * FROM predictions WHERE {' AND '.join(where)} ORDER BY seq {order}"  # noqa: S608 - fixed words only
    amount = query.limit if query.newest is None else query.newest
    if amount is not None:
        sql += " LIMIT ?"
        values.append(amount)
    return (sql if query.newest is None else f"SELECT * FROM ({sql}) ORDER BY seq"), values  # noqa: S608


def _lines(connection: sqlite3.Connection, model: str, rows: list[sqlite3.Row]) -> Iterator[bytes]:
    outcomes = _outcomes(connection, [row["seq"] for row in rows])
    shadows = _shadows(connection, model, [row["id"] for row in rows])
    for row in rows:
        yield msgspec.json.encode(_joined(row, outcomes, shadows)) + b"\n"


def _joined(
    row: sqlite3.Row, outcomes: dict[int, dict[str, float]], shadows: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    prediction = row["prediction"]
    return {
        "sequence": row["seq"],
        "prediction_id": row["id"],
        "key": row["key"],
        "time": row["time"],
        "features": msgspec.Raw(row["features"]),
        "variant": row["served"],
        "assigned": row["assigned"],
        "model_version": row["version"],
        "epoch": row["epoch"],
        "phase": row["phase"],
        "reason": row["reason"],
        "enrolled": bool(row["enrolled"]),
        "weight": row["weight"],
        "prediction": prediction,
        "score": row["score"],
        "latency_ms": row["latency_ms"],
        "outcomes": outcomes.get(row["seq"], {}),
        "shadows": shadows.get(row["id"], {}),
    }


def _outcomes(connection: sqlite3.Connection, seqs: list[int]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = defaultdict(dict)
    sql = f"SELECT seq, metric, value FROM outcomes WHERE seq IN {_marks(seqs)}"  # noqa: S608
    for seq, metric, value in connection.execute(sql, seqs):
        found[seq][metric] = value
    return found


def _shadows(connection: sqlite3.Connection, model: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    sql = f"SELECT * FROM shadows WHERE model = ? AND id IN {_marks(ids)}"  # noqa: S608
    for row in connection.execute(sql, (model, *ids)):
        trouble = row["dropped"] or row["error"]
        found[row["id"]][row["version"]] = (
            {"error": trouble} if trouble else {"score": row["score"], "prediction": row["prediction"]}
        )
    return found


def _marks(ids: Sequence[object]) -> str:
    # Not json_each: it cuts an id at a zero byte.
    return f"({','.join('?' * len(ids))})"
