"""What a change must say: who, why, and what else its route knows."""

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request

from router.admin.tokens import Caller
from router.decode import MAX_BODY, NOT_JSON, shown
from router.errors import BadRequest, TooLarge

_LONGEST = {"actor": 128, "reason": 2000}


class Said(NamedTuple):
    """
    Who changes something, and why.

    Attributes:
        actor: The name of the token; what the body claims where the token vouches for nobody.
        reason: As given; a claimed name that is not the token's is kept in it.
        more: The other fields of the body.
        body: As it came.
    """

    actor: str
    reason: str
    more: dict[str, Any]
    body: bytes


async def body_of(request: Request) -> bytes:
    """
    Read the body.

    Raises:
        TooLarge: If it is larger than any plan.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge("Nothing was changed.", f"The body exceeds {MAX_BODY} bytes.", "Send less.")
        chunks.append(chunk)
    return b"".join(chunks)


async def said(request: Request, more: Collection[str] = ()) -> Said:
    """
    Read who and why.

    Args:
        request: Its body is a JSON object.
        more: Fields that the route knows besides actor and reason.

    Raises:
        BadRequest: With every mistake.
    """
    body = await body_of(request)
    document = _object(body)
    document.setdefault("actor", request.headers.get("x-actor") or request.state.caller.name)
    mistakes = [f"{shown(name)}: unknown field" for name in document if name not in ("actor", "reason", *more)]
    mistakes += [mistake for name in ("actor", "reason") for mistake in _mistakes(name, document.get(name))]
    if mistakes:
        fields = ", ".join(["actor", "reason", *more])
        raise BadRequest(
            "Nothing was changed.", f"{'; '.join(mistakes)}.", f"Say who does it, and why; it has {fields}."
        )
    actor, reason = vouched(request.state.caller, document["actor"], document["reason"])
    return Said(actor, reason, {name: document[name] for name in more if name in document}, body)


def vouched(caller: Caller, actor: str, reason: str) -> tuple[str, str]:
    """
    Who is written into the audit trail, and why.

    Example:
        >>> vouched(Caller("ann", "operator"), "bob", "wrong prices")
        ('ann', 'wrong prices (said by bob)')
        >>> vouched(Caller(None, "approver"), "bob", "wrong prices")
        ('bob', 'wrong prices')
    """
    if caller.name is None or actor == caller.name:
        return actor, reason
    return caller.name, f"{reason} (said by {actor})"


def _object(body: bytes) -> dict[str, Any]:
    try:
        document: Any = msgspec.json.decode(body or b"{}")
    except NOT_JSON as error:
        raise BadRequest("Nothing was changed.", f"The body is no JSON: {error}.", "Send actor and reason.") from error
    return document if isinstance(document, dict) else {}


def _mistakes(name: str, value: Any) -> list[str]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return [f"{name} missing"]
    if not isinstance(value, str):
        return [f"{name} is {shown(value)}, expected a text"]
    if len(value) > _LONGEST[name] or "\0" in value:
        return [f"{name} is {shown(value)}, expected at most {_LONGEST[name]} characters without a zero byte"]
    return []
