"""Bodies into rows; every mistake is named with field, value and expectation."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from registry.records.version import Feature
from registry.scoring.dates import moment_of
from router.errors import BadRequest, Malformed, TooLarge

MAX_BODY = 8 << 20
MAX_ROWS = 10_000
MAX_ID = 128
LARGEST = 3e38  # a model sees numbers in single precision
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises of bytes that are no JSON; the second of text that is not UTF-8."""
_SHOWN = 10
FIRST, LAST = -62_135_596_800, 100_000_000_000  # the year 1, which is the calendar's first, and 5138


class Row(msgspec.Struct, frozen=True):
    """One checked row: what the caller sent, ready to be scored; dates are epoch seconds."""

    key: Any
    features: dict[str, Any]
    id: str | None
    time: float | None


class _Batch(msgspec.Struct):
    rows: list[dict[str, msgspec.Raw]]


_batch = msgspec.json.Decoder(_Batch)
_WANTED = {
    "numeric": "a finite number or null",
    "categorical": "a string or null",
    "date": "an ISO 8601 date such as 2026-03-01T14:30:00Z, epoch seconds or null",
}
_FIELDS = {"key", "features", "id", "time"}


def decode(body: bytes) -> Any:
    """
    Parse JSON.

    Raises:
        TooLarge: Over the limit of bytes.
        Malformed: If it is no JSON, or nested too deeply.
    """
    if len(body) > MAX_BODY:
        raise TooLarge("The body was refused.", f"It has {len(body)} bytes.", f"Send at most {MAX_BODY} bytes.")
    try:
        return msgspec.json.decode(body)
    except NOT_JSON as error:
        return _decode_leniently(body, error)


def taken_apart(body: bytes) -> list[Any] | None:
    """
    The rows of a long batch, each still to be decoded by `whole`: quicker than decoding all at once.

    Returns:
        None if the body is not a batch of objects, or no JSON; `decode` finds out.
    """
    try:
        return _batch.decode(body).rows
    except NOT_JSON:
        return None


def whole(row: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """Decode one row of `taken_apart`; raises like `decode`."""
    return {name: decode(bytes(raw)) for name, raw in row.items()}


def listed(document: Any) -> tuple[list[Any], bool]:
    """
    The rows of a document, unchecked, and whether they came as a batch.

    Raises:
        BadRequest: If there are none, or too many.
    """
    if not isinstance(document, dict):
        raise Malformed("The body was refused.", f"It is {_kind(document)}.", 'Send {"key": ..., "features": {...}}.')
    batch = "rows" in document
    raw = document["rows"] if batch else [document]
    if not isinstance(raw, list) or not raw or len(raw) > MAX_ROWS:
        shown = f"{len(raw)} rows" if isinstance(raw, list) else _kind(raw)
        raise BadRequest("The rows were refused.", f"'rows' is {shown}.", f"Send a list of 1 to {MAX_ROWS} rows.")
    return raw, batch


class Checker:
    """
    Checks rows, and remembers every mistake.

    Args:
        batch: Whether they came as a batch, so that a mistake needs the number of its row.
    """

    def __init__(self, features: Sequence[Feature], *, batch: bool) -> None:
        self._features, self._batch = features, batch
        self._known = {feature.name for feature in features}
        self._rows = 0
        self._mistakes: list[str] = []

    def take(self, raw: Sequence[Any]) -> list[Row]:
        """Check the next rows."""
        first, self._rows = self._rows, self._rows + len(raw)
        return [self._row(item, f"rows[{i}]." if self._batch else "") for i, item in enumerate(raw, first)]

    def refuse(self) -> None:
        """
        Say what was wrong, if anything was.

        Raises:
            BadRequest: With every mistake of every row.
        """
        mistakes = self._mistakes
        if mistakes:
            more = f"; and {len(mistakes) - _SHOWN} more" if len(mistakes) > _SHOWN else ""
            raise BadRequest(
                "Nothing was predicted.",
                "; ".join(mistakes[:_SHOWN]) + more + ".",
                "Send every feature of the model by name, or all by position.",
            )

    def _row(self, item: Any, place: str) -> Row:
        mistakes = self._mistakes
        if not isinstance(item, dict):
            mistakes.append(f"{place or 'body'} is {_kind(item)}, expected an object")
            return Row(None, {}, None, None)
        if not item.keys() <= _FIELDS:
            mistakes += [f"{place}{shown(name)}: unknown field" for name in sorted(set(map(str, item)) - _FIELDS)]
        values = self._values(item.get("features"), place)
        return Row(item.get("key"), values, _id(item, place, mistakes), _time(item, place, mistakes))

    def _values(self, given: Any, place: str) -> dict[str, Any]:
        features, mistakes = self._features, self._mistakes
        if isinstance(given, list):
            if len(given) != len(features):
                mistakes.append(f"{place}features has {len(given)} values, expected {len(features)} by position")
                return {}
            given = {feature.name: value for feature, value in zip(features, given, strict=True)}
        if not isinstance(given, dict):
            mistakes.append(f"{place}features is {_kind(given)}, expected an object by name or an array by position")
            return {}
        mistakes += [f"{place}features.{shown(name)}: unknown feature" for name in given if name not in self._known]
        checked = {}
        for feature in features:
            if feature.name not in given:
                mistakes.append(f"{place}features.{feature.name} is missing, expected {_wanted(feature)}")
                continue
            checked[feature.name] = _value(given[feature.name], feature, place, mistakes)
        return checked


def rows_of(document: Any, features: Sequence[Feature]) -> tuple[list[Row], bool]:
    """
    Check one row or a batch at once.

    Returns:
        The rows, and whether they came as a batch.

    Raises:
        BadRequest: With every mistake of every row.
    """
    raw, batch = listed(document)
    checker = Checker(features, batch=batch)
    rows = checker.take(raw)
    checker.refuse()
    return rows, batch


def _value(value: Any, feature: Feature, place: str, mistakes: list[str]) -> Any:
    if value is None:
        return None
    if feature.kind == "date":
        return _date(value, feature, place, mistakes)
    if feature.kind == "numeric" and isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and abs(number) < LARGEST:
            return number
    elif feature.kind == "categorical" and isinstance(value, str) and encodable(value):
        return value
    mistakes.append(f"{place}features.{feature.name} is {shown(value)}, expected {_wanted(feature)}")
    return None


def _date(value: Any, feature: Feature, place: str, mistakes: list[str]) -> float | None:
    try:
        return moment_of(value)
    except ValueError:
        mistakes.append(f"{place}features.{feature.name} is {shown(value)}, expected {_wanted(feature)}")
        return None


def _id(item: dict[str, Any], place: str, mistakes: list[str]) -> str | None:
    value = item.get("id")
    if value is None:
        return None
    if isinstance(value, str) and 0 < len(value) <= MAX_ID and encodable(value):
        return value
    mistakes.append(f"{place}id is {shown(value)}, expected a string of 1 to {MAX_ID} characters")
    return None


def _time(item: dict[str, Any], place: str, mistakes: list[str]) -> float | None:
    value = item.get("time")
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and FIRST <= value < LAST:
        return float(value)
    mistakes.append(f"{place}time is {shown(value)}, expected epoch seconds")
    return None


def encodable(text: str) -> bool:
    """Whether *text* has a UTF-8 form; a lone surrogate has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: Any) -> str:
    """A value as it may appear in a message: short and printable."""
    try:
        text = ascii(value)
    except RecursionError:
        text = "deeply nested"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wanted(feature: Feature) -> str:
    return _WANTED[feature.kind]


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "missing or null")


def _decode_leniently(body: bytes, error: Exception) -> Any:
    # The strict parser refuses lone surrogates, which a key may hold and still be answered by the champion.
    if b"\\ud" in body.lower():
        try:
            return json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            pass
    raise Malformed("The body was refused.", f"It is no JSON: {str(error)[:200]}.", "Send a JSON object.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
