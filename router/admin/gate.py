"""What stands before every route: an id for the request, a size for its body, a token with a role."""

import logging
import math
import re
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from registry.errors import Refusal
from registry.home import LEAST_TOKEN
from router.admin.failures import Failures
from router.admin.refusals import TooManyFailures, Unauthorized, refusal
from router.admin.tokens import TokenBook

log = logging.getLogger("understudy.control")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
OPEN = frozenset({"/healthz"})
_ID = re.compile(r"[\x21-\x7e]{1,128}")


class Named:
    """Gives every request its `X-Request-Id`, also in the answer; nothing escapes as an exception."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if _ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name
        began = False

        async def named(message: MutableMapping[str, Any]) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        try:
            return await self._app(scope, receive, named)
        except Exception:
            log.exception("request %s failed", name)
            if began:
                raise
            broken = Refusal("The request failed.", "The log of control says why.", f"Look for request {name} there.")
            return await refusal(broken, 500)(scope, receive, named)


class Gate:
    """
    Lets nobody in without a token; what the token may do, each route asks.

    Args:
        book: Whose tokens are good.
        failures: Counts the others.
    """

    def __init__(self, app: Asgi, book: TokenBook, failures: Failures) -> None:
        self._app, self._book, self._failures = app, book, failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            try:
                self._enter(scope)
            except TooManyFailures as error:
                wait = {"retry-after": str(math.ceil(self._failures.wait_of(_address(scope))) or 1)}
                return await refusal(error, headers=wait)(scope, receive, send)
            except Unauthorized as error:
                return await refusal(error, headers={"www-authenticate": "Bearer"})(scope, receive, send)
        return await self._app(scope, receive, send)

    def _enter(self, scope: Scope) -> None:
        address = _address(scope)
        token = _token(scope)
        caller = self._book.caller(token)
        wait = self._failures.wait_of(address)
        # Who holds a token that nobody can guess is not locked out by the mistakes of others at this address.
        if wait > 0 and (caller is None or len(token) < LEAST_TOKEN):
            raise TooManyFailures(
                _what(scope), f"Too many wrong tokens came from {address}.", f"Wait {math.ceil(wait)} seconds."
            )
        if caller is None:
            self._failures.failed(address)
            log.warning("%s without a good token, from %s", _what(scope).rstrip("."), address)
            raise Unauthorized(
                _what(scope),
                "The bearer token is missing or wrong.",
                "Send 'Authorization: Bearer <token>'; it is in admin-token of the state folder.",
            )
        scope.setdefault("state", {})["caller"] = caller


def _token(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = bytes(value).partition(b" ")
            return token if kind == b"Bearer" else b""
    return b""


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _what(scope: Scope) -> str:
    return f"{scope['method']} {scope['path'][:200]} was refused."
