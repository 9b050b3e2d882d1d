"""What the tables hold: one row per line of the log."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from registry.eventlog.events import Observed, Predicted, Shadowed
from registry.records.version import Feature

_LARGEST = 2.0**1023
FAR = "9999-12-31"
"""Date of what has a time of no calendar."""


class Line(Predicted, frozen=True, kw_only=True, tag="predicted", omit_defaults=True):
    """A prediction whose features stay as they were written."""

    features: msgspec.Raw  # type: ignore[assignment]


Event = Line | Observed | Shadowed
DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)

_PREDICTIONS: dict[str, Any] = {
    "id": pl.String,
    "key": pl.String,
    "time": pl.Float64,
    "features": pl.String,
    "assigned": pl.String,
    "served": pl.String,
    "assigned_version": pl.String,
    "version": pl.String,
    "epoch": pl.Int64,
    "phase": pl.String,
    "enrolled": pl.Boolean,
    "reason": pl.String,
    "score": pl.Float64,
    "prediction": pl.Float64,
    "latency_ms": pl.Float64,
    "error": pl.String,
    "failed": pl.Boolean,
    "place": pl.Int64,
    "shadows": pl.List(pl.String),
    "weight": pl.Int64,
}
_OUTCOMES: dict[str, Any] = {
    "id": pl.String,
    "prediction_id": pl.String,
    "key": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "time": pl.Float64,
}
_SHADOWS: dict[str, Any] = {
    "id": pl.String,
    "version": pl.String,
    "score": pl.Float64,
    "prediction": pl.Float64,
    "latency_ms": pl.Float64,
    "dropped": pl.String,
    "error": pl.String,
}
SCHEMAS = {"predictions": _PREDICTIONS, "outcomes": _OUTCOMES, "shadows": _SHADOWS}
"""Columns of each table; `date` and `model` are the names of its folders. Times are epoch seconds."""


def table_of(event: Event) -> str:
    """Name of the table that an event belongs to."""
    return {Line: "predictions", Observed: "outcomes", Shadowed: "shadows"}[type(event)]


def date_of(event: Event, otherwise: float) -> str:
    """UTC date of an event; that of the segment where the event has no time of its own."""
    try:
        return datetime.fromtimestamp(getattr(event, "time", otherwise), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return FAR


def frame_of(table: str, events: Sequence[Event]) -> pl.DataFrame:
    """Events of one table as its columns."""
    columns = {name: [getattr(event, name) for event in events] for name in SCHEMAS[table]}
    if table == "predictions":
        columns["features"] = [bytes(raw).decode(errors="replace") for raw in columns["features"]]
        columns["shadows"] = [list(names) for names in columns["shadows"]]
    return pl.DataFrame(columns, schema=SCHEMAS[table], strict=False)


def features_of(predictions: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    """Typed features beside the prediction's id; numbers as Float64, categories as String, null where missing."""
    types = {one.name: pl.String() if one.kind == "categorical" else pl.Float64() for one in features}
    try:
        typed = predictions["features"].str.json_decode(pl.Struct(types)).struct.unnest()
    except PolarsError:  # something that an earlier version took, or that only other readers of JSON take
        typed = pl.DataFrame([_typed(text, types) for text in predictions["features"]], schema=types)
    return typed.select(pl.all().name.prefix("f_")).insert_column(0, predictions["id"])


def _typed(text: str, types: dict[str, Any]) -> dict[str, Any]:
    """Values of one row that are what their columns hold; null for all others."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        found = None
    values = found if isinstance(found, dict) else {}
    return {name: _fit(values.get(name), of_text=type_ == pl.String()) for name, type_ in types.items()}


def _fit(value: Any, *, of_text: bool) -> str | float | None:
    if of_text:
        return value if isinstance(value, str) else None
    return float(value) if isinstance(value, int | float) and abs(value) < _LARGEST else None
