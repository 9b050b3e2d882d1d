"""Outcomes are acknowledged only when they are durable."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from registry.eventlog.events import Observed
from registry.eventlog.segments import SegmentWriter
from registry.records.live import Outcome, OutcomeStatus
from router.classes import Names
from router.decode import MAX_ROWS, NOT_JSON, encodable, shown
from router.errors import BadRequest, Malformed
from router.index.identity import of_key, of_prediction
from router.index.lookup import Lookup

_lines = msgspec.json.Decoder()
_TURN = 256
"""Rows that are looked at in one turn of the event loop: some milliseconds."""


class NotDurable(BadRequest):
    """The disk refused; send the outcomes again later."""

    status = 503


class _Broken(str):
    """What is wrong with a line or a label; a JSON string that somebody sent is none."""

    __slots__ = ()


class OutcomeLog:
    """Append and flush; waiting callers share one flush (group commit)."""

    def __init__(self, writer: SegmentWriter, lookup: Lookup) -> None:
        self._writer, self._lookup = writer, lookup
        self._waiting: asyncio.Task[bool] | None = None

    async def keep(self, model: str, raw: Sequence[Any], classes: Sequence[str] = ()) -> list[OutcomeStatus]:
        """
        Keep every valid row; say for each what became of it.

        Args:
            classes: Of a multi-class model: its labels are names of them, or their numbers.

        Raises:
            NotDurable: If the disk refuses; nothing was acknowledged.
        """
        statuses: list[OutcomeStatus] = []
        names = Names(classes) if classes else None
        written = 0
        for start in range(0, len(raw), _TURN):
            if start:
                await asyncio.sleep(0)  # callers who wait for a prediction come between
            said, new = self._judged(model, raw[start : start + _TURN], names)
            statuses += said
            if new and not self._writer.append(new):
                raise _not_durable()
            written += len(new)
        if written and not await self._durable():
            raise _not_durable()
        return statuses

    def _judged(
        self, model: str, raw: Sequence[Any], names: Names | None
    ) -> tuple[list[OutcomeStatus], list[Observed]]:
        checked = [_observed(model, item if names is None else _numbered(item, names)) for item in raw]
        valid = [item for item in checked if isinstance(item, Observed)]
        known = iter(self._lookup.statuses(model, valid) if valid else ())
        statuses = [
            OutcomeStatus(status="invalid", said=item) if isinstance(item, str) else _told(item, next(known))
            for item in checked
        ]
        return statuses, [
            item
            for item, status in zip(checked, statuses, strict=True)
            if isinstance(item, Observed) and status.status == "accepted"
        ]

    async def _durable(self) -> bool:
        # Whoever comes while a flush runs needs the next one: its bytes may not be in this one.
        if self._waiting is not None and not self._waiting.done():
            await asyncio.shield(self._waiting)
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(asyncio.to_thread(self._writer.flush))
        return await asyncio.shield(self._waiting)


def rows_of(body: bytes, content_type: str) -> tuple[list[Any], bool]:
    """One object, a list, a list under "rows" as in predict, or NDJSON; returns raw rows and whether they are many."""
    if "ndjson" in content_type:
        return _ndjson(body), True
    try:
        document = msgspec.json.decode(body)
    except NOT_JSON as error:
        if b"\n" in body.strip():
            return _ndjson(body), True
        raise Malformed(
            "No outcome was kept.", f"The body is no JSON: {str(error)[:200]}.", "Send an object, a list or NDJSON."
        ) from error
    if isinstance(document, dict) and isinstance(document.get("rows"), list):
        document = document["rows"]
    return (_limited(document), True) if isinstance(document, list) else ([document], False)


def _ndjson(body: bytes) -> list[Any]:
    try:
        return _limited(_lines.decode_lines(body))
    except NOT_JSON:
        return _limited([_line(line) for line in body.splitlines() if line.strip()])


def _line(line: bytes) -> Any:
    try:
        return _lines.decode(line)
    except NOT_JSON as error:
        return _Broken(f"the line is no JSON: {str(error)[:100]}")


def _limited(rows: list[Any]) -> list[Any]:
    if len(rows) > MAX_ROWS:
        raise BadRequest("No outcome was kept.", f"There are {len(rows)} rows.", f"Send at most {MAX_ROWS} at once.")
    return rows


def _numbered(item: Any, names: Names) -> Any:
    """A label with the number of its class; everything else as it is."""
    if not isinstance(item, dict) or "value" not in item or item.get("metric", "label") != "label":
        return item
    number = names.number(item["value"])
    return _Broken(number) if isinstance(number, str) else item | {"value": number}


def _observed(model: str, item: Any) -> Observed | str:
    if isinstance(item, _Broken):
        return str(item)
    try:
        outcome = msgspec.convert(item, Outcome)
    except msgspec.ValidationError as error:
        return f"{error}"
    mistakes = _mistakes(outcome)
    if mistakes:
        return "; ".join(mistakes)
    key = None if outcome.key is None else str(outcome.key)
    return Observed(
        model=model,
        id=outcome.id or _identity(outcome, key),
        prediction_id=outcome.prediction_id,
        key=key,
        metric=outcome.metric,
        value=outcome.value,
        time=outcome.time if outcome.time is not None else time.time(),
    )


def _identity(outcome: Outcome, key: str | None) -> str:
    if key is None:
        return of_prediction(str(outcome.prediction_id), outcome.metric)
    return of_key(key, outcome.metric, outcome.time)


def _told(item: Observed, status: OutcomeStatus) -> OutcomeStatus:
    if status.status == "accepted" or item.key is None or item.id != of_key(item.key, item.metric, None):
        return status
    said = f"{status.said}; without time and id a second outcome of a key counts as sent again: send one of them"
    return OutcomeStatus(status=status.status, said=said)


def _mistakes(outcome: Outcome) -> list[str]:
    mistakes = []
    if (outcome.prediction_id is None) == (outcome.key is None):
        mistakes.append("give either prediction_id or key")
    if not math.isfinite(outcome.value):
        mistakes.append(f"value is {outcome.value}, expected a finite number")
    for name in ("prediction_id", "key", "metric", "id"):
        text = getattr(outcome, name)
        if isinstance(text, str) and not (0 < len(text) <= 256 and (text.isascii() or encodable(text))):
            mistakes.append(f"{name} is {shown(text)}, expected 1 to 256 characters")
    return mistakes


def _not_durable() -> NotDurable:
    return NotDurable(
        "No outcome was acknowledged.", "The event log cannot be written.", "Free disk space and send them again."
    )
