"""The serving port: raw ASGI, one short path from bytes to bytes."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec

from registry.errors import Refusal
from registry.eventlog.events import Predicted
from registry.records.live import OutcomeStatus
from registry.records.version import Feature
from router import outcomes
from router.classes import named
from router.decode import MAX_BODY, Checker, Row, decode, listed, taken_apart, whole
from router.errors import Malformed, NotServed, RouterError, TooLarge, UnknownModel
from router.logs import Trace, trace_of
from router.metrics import exposition
from router.models import Snapshot
from router.openapi import DOCS, OPENAPI
from router.pace import Pace, joined
from router.predict import PIECE, answer
from router.worker import Worker

log = logging.getLogger("understudy.router")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Reply = tuple[int, bytes, bytes]
Opened = Callable[[Any], Any]

JSON, TEXT, HTML = b"application/json", b"text/plain; version=0.0.4; charset=utf-8", b"text/html; charset=utf-8"


LONG = 64 << 10
"""Bytes of a body that is answered piece by piece, if it can be."""
PAGES = ("/healthz", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs")


def _as_it_is(row: Any) -> Any:
    return row


def owns(path: str) -> bool:
    """Whether this application answers *path*."""
    return path.startswith("/v1/") or path in PAGES


class RouterApp:
    """
    Predict, outcomes, health and metrics of one worker.

    Args:
        clock: Epoch seconds.
    """

    def __init__(self, worker: Worker, *, clock: Callable[[], float] = time.time) -> None:
        self._worker, self._clock = worker, clock
        self._snapshots = worker.watcher.snapshots
        self._pace = Pace()
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; nothing escapes as an exception."""
        self.start()
        parent = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
        trace = trace_of(parent) if parent else None
        span = self._worker.span
        with span(f"{scope['method']} {_route_of(scope['path'])}", parent) if span else nullcontext():
            status, content_type, body = await self._reply(scope, receive, trace)
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        if trace is not None:
            headers.append((b"traceparent", trace.header))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def start(self) -> None:
        """Follow the plans and watch the challengers; called again it does nothing."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            watches = (self._worker.watcher.watch(), self._worker.sentry.watch())
            self._tasks = [loop.create_task(watch) for watch in watches]

    async def classic(self, model: str, document: Any) -> Reply:
        """Answer a decoded request; refusals as replies, too."""
        try:
            return await self._answered(model, document, None)
        except Refusal as error:
            return _refused(error)

    async def _reply(self, scope: Scope, receive: Receive, trace: Trace | None) -> Reply:
        requests = self._worker.requests
        try:
            return await self._route(scope, receive, trace)
        except Refusal as error:
            reply = _refused(error)
            # The kind of mistake only: its text may hold what the caller sent.
            say = requests.failed if reply[0] >= 500 else requests.refused
            say(reply[0], type(error).__name__, model=_model_of(scope["path"]), trace=trace)
            return reply
        except Exception:
            log.exception("request failed")
            requests.failed(500, "exception", model=_model_of(scope["path"]), trace=trace)
            return 500, JSON, b'{"error":"The request failed; the router\'s log says why."}'

    async def _route(self, scope: Scope, receive: Receive, trace: Trace | None) -> Reply:
        method, path = scope["method"], scope["path"]
        model = _model_of(path)
        if model:
            if method != "POST":
                return _plain(405, f"{path} takes POST.")
            body = await _body(receive)
            if path.rstrip("/").endswith("/predict"):
                return await self._predicted(model, body, trace)
            return await self._outcomes(model, body, scope)
        if method not in ("GET", "HEAD"):
            return _plain(404, f"There is no {method} {path}; see /docs.")
        return self._page(path)

    def _page(self, path: str) -> Reply:
        match path:
            case "/healthz" | "/livez":
                return 200, JSON, b'{"status":"ok"}'
            case "/readyz":
                return 200, JSON, msgspec.json.encode(self._worker.state())
            case "/metrics":
                return 200, TEXT, exposition(self._worker.sentry.seen())
            case "/openapi.json":
                return 200, JSON, OPENAPI
            case "/docs":
                return 200, HTML, DOCS
        return _plain(404, f"There is no {path}; see /docs.")

    async def _predicted(self, model: str, body: bytes, trace: Trace | None) -> Reply:
        if len(body) <= LONG:
            return await self._answered(model, decode(body), trace)
        turns = self._worker.turns
        told = None if turns is None else await turns.batch(model, body, self._pace)
        if told is not None:
            return 200, JSON, told
        parts = taken_apart(body)
        if parts is None:
            return await self._answered(model, decode(body), trace)
        return await self._answered(model, {"rows": parts}, trace, opened=whole)

    async def _answered(self, model: str, document: Any, trace: Trace | None, *, opened: Opened = _as_it_is) -> Reply:
        snapshot = self._snapshots.get(model)
        if snapshot is None:
            raise self._unknown(model)
        rows, batch = await self._rows(document, snapshot.champion.version.features, opened)
        events = await answer(snapshot, rows, clock=self._clock, new_id=_new_id, pace=self._pace)
        # Before the answer leaves: whoever kills this process now loses no answered prediction.
        await self._pace.each(events, PIECE, self._worker.writer.append)
        self._worker.tallies.count(events)
        answers = joined(await self._pace.each(events, PIECE, lambda piece: _told(snapshot, piece)))
        failed = [event for event in events if event.failed]
        if not failed:
            return 200, JSON, msgspec.json.encode({"rows": answers} if batch else answers[0])
        status = 504 if all(event.error == "champion_deadline" for event in failed) else 500
        reason, id_ = failed[0].error or "champion", failed[0].id
        self._worker.requests.failed(status, reason, model=model, prediction_id=id_, trace=trace)
        return status, JSON, msgspec.json.encode({"error": "The champion failed.", "rows": answers})

    async def _rows(self, document: Any, features: Sequence[Feature], opened: Opened) -> tuple[list[Row], bool]:
        raw, batch = listed(document)
        checker = Checker(features, batch=batch)

        def check(piece: Sequence[Any]) -> list[Row]:
            return checker.take(list(map(opened, piece)))

        rows = joined(await self._pace.each(raw, PIECE, check))
        checker.refuse()
        return rows, batch

    async def _outcomes(self, model: str, body: bytes, scope: Scope) -> Reply:
        if model not in self._snapshots:
            raise self._unknown(model)
        content_type = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"content-type"), "")
        raw, many = outcomes.rows_of(body, content_type)
        statuses = await self._worker.kept.keep(model, raw, self._snapshots[model].classes)
        if many:
            return 200, JSON, msgspec.json.encode({"rows": statuses})
        status: OutcomeStatus = statuses[0]
        return (422 if status.status == "invalid" else 200), JSON, msgspec.json.encode(status)

    def _unknown(self, model: str) -> RouterError:
        why = self._worker.watcher.troubles.get(model)
        if why is not None:
            mend = "`understudy status` says more; restore its artifact, or roll back to a version that loads."
            return NotServed(f"{model} is not served.", f"{why[0].upper()}{why[1:]}", mend)
        known = ", ".join(sorted(self._snapshots)) or "none"
        return UnknownModel(
            f"There is no model {model[:80]!r}.", f"This router serves: {known}.", "Train it: `understudy train`."
        )


def _model_of(path: str) -> str:
    """The model that a path is about; empty for pages."""
    parts = path.strip("/").split("/")
    ours = len(parts) == 4 and parts[:2] == ["v1", "models"] and parts[3] in ("predict", "outcomes")
    return parts[2] if ours else ""


def _route_of(path: str) -> str:
    model = _model_of(path)
    return path.replace(f"/{model}/", "/{model}/") if model else path


def _told(snapshot: Snapshot, events: Sequence[Predicted]) -> list[dict[str, Any]]:
    return [named(snapshot.loaded[e.served].version, e.prediction, e.probabilities) | _answer(e) for e in events]


def _answer(event: Predicted) -> dict[str, Any]:
    return {
        "score": event.score,
        "variant": event.served,
        "assigned": event.assigned,
        "model_version": event.version,
        "epoch": event.epoch,
        "prediction_id": event.id,
        "reason": event.error or event.reason,
    }


def _new_id() -> str:
    return uuid.uuid4().hex


def _refused(error: Refusal) -> Reply:
    said = msgspec.json.encode({"error": error.what, "why": error.why, "mend": error.mend})
    return getattr(error, "status", 422), JSON, said


def _plain(status: int, text: str) -> Reply:
    return status, JSON, msgspec.json.encode({"error": text})


async def _body(receive: Receive) -> bytes:
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The body was refused.", "The connection ended before it did.", "Send it again, whole.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge("The body was refused.", f"It exceeds {MAX_BODY} bytes.", "Send fewer rows at once.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
