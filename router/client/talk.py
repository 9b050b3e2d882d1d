"""Everything about a call but the waiting: the same steps for both clients."""

import math
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from router.client.errors import ClientError, NotAnswered, Refused, Unavailable
from router.client.retries import Retries, Said
from router.client.types import Answer, Moment, OutcomeRow, Row, Status

MOST_ROWS = 5_000
_MEND_SERVER = "Look at the router: `understudy status`, and its log."


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this; go on with the response, or with the error of the connection."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Result = TypeVar("Result")
Talk = Generator[Ask | Pause, Said | None, Result]


class _Answers(msgspec.Struct):
    rows: list[Answer]


class _Statuses(msgspec.Struct):
    rows: list[Status]


def predict(model: str, rows: Sequence[Row], retries: Retries) -> Talk[list[Answer]]:
    """
    Ask about rows, some thousands at a time.

    Raises:
        ClientError: One of its kinds.
    """
    answers: list[Answer] = []
    for part in _parts(rows):
        body = _encoded({"rows": [_asked(row) for row in part]}, "Nothing was predicted.")
        response = yield from _settled(Ask(f"/v1/models/{quote(model, safe='')}/predict", body), retries)
        answers += _read(response, _Answers).rows
    if any(answer.failed for answer in answers):
        ids = [answer.prediction_id for answer in answers if answer.failed]
        raise NotAnswered(
            f"{len(ids)} of {len(answers)} rows got no prediction.",
            f"The champion of {model} failed: {next(a.reason for a in answers if a.failed)} ({', '.join(ids[:3])}).",
            _MEND_SERVER,
            answers,
        )
    return answers


def tell(model: str, outcomes: Sequence[OutcomeRow], retries: Retries) -> Talk[list[Status]]:
    """
    Tell what became of predictions, some thousands at a time.

    Raises:
        ClientError: One of its kinds.
    """
    statuses: list[Status] = []
    for part in _parts(outcomes):
        body = _encoded([_told(outcome) for outcome in part], "No outcome was sent.")
        response = yield from _settled(Ask(f"/v1/models/{quote(model, safe='')}/outcomes", body), retries)
        statuses += _read(response, _Statuses).rows
    return statuses


def _settled(ask: Ask, retries: Retries) -> Talk[httpx.Response]:
    attempt = 1
    while True:
        said = yield ask
        assert said is not None
        if isinstance(said, httpx.Response) and (said.is_success or _has_rows(said)):
            return said
        pause = retries.pause(said, attempt)
        if pause is None:
            raise _error(ask, said, attempt)
        yield Pause(pause)
        attempt += 1


def _has_rows(response: httpx.Response) -> bool:
    """A champion that failed: the rows that it could answer are there."""
    return response.status_code in (500, 504) and b'"rows"' in response.content


def _error(ask: Ask, said: Said, attempt: int) -> ClientError:
    tries = "" if attempt == 1 else f" (asked {attempt} times)"
    if not isinstance(said, httpx.Response):
        why = f"{type(said).__name__}: {said}{tries}."
        return Unavailable(f"The router did not answer {ask.path}.", why, "Is it up? `understudy status` tells.")
    what, why, mend = _words(said)
    if said.status_code >= 500 or said.status_code == 429:
        return Unavailable(what, f"{why}{tries}", mend)
    return Refused(what, why, mend, said.status_code)


def _words(response: httpx.Response) -> tuple[str, str, str]:
    try:
        said: dict[str, Any] = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.MsgspecError:
        said = {}
    what = str(said.get("error", "The router refused."))
    why = str(said.get("why", f"It answers {response.status_code}."))
    return what, why, str(said.get("mend", _MEND_SERVER))


def _read(response: httpx.Response, kind: type[Result]) -> Result:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        raise Unavailable(
            "The answer was not understood.", f"{error}.", "Is this the serving port of a router of this version?"
        ) from error


Item = TypeVar("Item")


def _parts(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[start : start + MOST_ROWS] for start in range(0, len(items), MOST_ROWS)]


def _asked(row: Row) -> dict[str, Any]:
    features = dict(row.features) if isinstance(row.features, Mapping) else list(row.features)
    # The same id whenever it is sent again: the router counts it once.
    asked = {"key": row.key, "features": features, "id": row.id or uuid.uuid4().hex, "time": seconds(row.time)}
    return {name: value for name, value in asked.items() if value is not None}


def _told(outcome: OutcomeRow) -> dict[str, Any]:
    told = {
        "prediction_id": outcome.prediction_id,
        "key": outcome.key,
        "metric": outcome.metric,
        "value": outcome.value,
        # By key, the moment tells one outcome from the next; sent again it is the same.
        "time": seconds(outcome.time) if outcome.time is not None else time.time(),
        "id": outcome.id,
    }
    return {name: value for name, value in told.items() if value is not None}


def seconds(moment: Moment) -> float | None:
    """Epoch seconds; a naive moment is taken as UTC."""
    if isinstance(moment, datetime):
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
    return moment


def _encoded(document: Any, what: str) -> bytes:
    try:
        return msgspec.json.encode(document, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused(what, f"It cannot be written as JSON: {error}.", "Send numbers, text and None.") from error


def _plain(value: Any) -> Any:
    """Numbers of numpy and others say what they are as Python numbers."""
    item = getattr(value, "item", None)
    if not callable(item):
        raise TypeError(f"{type(value).__name__} is no number, text or None")
    found = item()
    return None if isinstance(found, float) and math.isnan(found) else found
