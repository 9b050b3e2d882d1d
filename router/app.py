"""The serving port: raw ASGI, one short path from bytes to bytes."""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from registry.errors import Refusal
from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentWriter
from registry.records.live import OutcomeStatus
from router import outcomes
from router.decode import MAX_BODY, decode, rows_of
from router.errors import TooLarge, UnknownModel
from router.hot.turn import Turns
from router.metrics import Counters
from router.openapi import DOCS, OPENAPI
from router.plans import PlanWatcher
from router.predict import answer
from router.sentry import Sentry
from router.tally import Tallies

log = logging.getLogger("understudy.router")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Reply = tuple[int, bytes, bytes]

JSON, TEXT, HTML = b"application/json", b"text/plain; version=0.0.4; charset=utf-8", b"text/html; charset=utf-8"


PAGES = ("/healthz", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs")


def owns(path: str) -> bool:
    """Whether this application answers *path*."""
    return path.startswith("/v1/") or path in PAGES


class RouterApp:
    """
    Predict, outcomes, health and metrics of one worker.

    Args:
        watcher: Snapshots of the plans.
        writer: This worker's segment.
        kept: Durable outcomes.
        tallies: Counters of this worker.
        turns: The short path, where there is one.
        sentry: Watches the challengers, on the counts of all workers.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        watcher: PlanWatcher,
        writer: SegmentWriter,
        kept: outcomes.OutcomeLog,
        tallies: Tallies,
        *,
        turns: Turns | None = None,
        sentry: Sentry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._watcher, self._writer, self._kept, self._clock = watcher, writer, kept, clock
        self._counters = Counters()
        self._tallies, self._turns, self._sentry = tallies, turns, sentry
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; nothing escapes as an exception."""
        self.start()
        try:
            status, content_type, body = await self._route(scope, receive)
        except Refusal as error:
            status, content_type, body = getattr(error, "status", 422), JSON, _error(error)
        except Exception:
            log.exception("request failed")
            status, content_type, body = 500, JSON, b'{"error":"The request failed; the router\'s log says why."}'
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def start(self) -> None:
        """Follow the plans and watch the challengers; called again it does nothing."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            watches = [self._watcher.watch(), *([self._sentry.watch()] if self._sentry else [])]
            self._tasks = [loop.create_task(watch) for watch in watches]

    async def _route(self, scope: Scope, receive: Receive) -> Reply:
        method, path = scope["method"], scope["path"]
        parts = path.strip("/").split("/")
        if len(parts) == 4 and parts[:2] == ["v1", "models"] and parts[3] in ("predict", "outcomes"):
            if method != "POST":
                return _plain(405, f"{path} takes POST.")
            body = await _body(receive)
            if parts[3] == "predict":
                return await self._predict(parts[2], body)
            return await self._outcomes(parts[2], body, scope)
        if method not in ("GET", "HEAD"):
            return _plain(404, f"There is no {method} {path}; see /docs.")
        pages: dict[str, Callable[[], Reply]] = {
            "/healthz": lambda: (200, JSON, b'{"status":"ok"}'),
            "/livez": lambda: (200, JSON, b'{"status":"ok"}'),
            "/readyz": self._ready,
            "/metrics": lambda: (200, TEXT, self._counters.export(self._watcher.snapshots, self._writer.unlogged)),
            "/openapi.json": lambda: (200, JSON, OPENAPI),
            "/docs": lambda: (200, HTML, DOCS),
        }
        page = pages.get(path)
        return page() if page else _plain(404, f"There is no {path}; see /docs.")

    async def _predict(self, model: str, body: bytes) -> Reply:
        return await self._answered(model, decode(body))

    async def classic(self, model: str, document: Any) -> Reply:
        """Answer a decoded request; refusals as replies, too."""
        try:
            return await self._answered(model, document)
        except Refusal as error:
            return getattr(error, "status", 422), JSON, _error(error)

    async def _answered(self, model: str, document: Any) -> Reply:
        snapshot = self._watcher.snapshots.get(model)
        if snapshot is None:
            raise self._unknown(model)
        rows, batch = rows_of(document, snapshot.champion.version.features)
        events = await answer(snapshot, rows, clock=self._clock, new_id=_new_id)
        # Before the answer leaves: whoever kills this process now loses no answered prediction.
        self._writer.append(events)
        self._counters.count(events)
        self._tallies.count(events)
        answers = [_answer(event) for event in events]
        if any(event.failed for event in events):
            return 500, JSON, msgspec.json.encode({"error": "The champion failed.", "rows": answers})
        return 200, JSON, msgspec.json.encode({"rows": answers} if batch else answers[0])

    async def _outcomes(self, model: str, body: bytes, scope: Scope) -> Reply:
        if model not in self._watcher.snapshots:
            raise self._unknown(model)
        content_type = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"content-type"), "")
        raw, many = outcomes.rows_of(body, content_type)
        statuses = await self._kept.keep(model, raw)
        if many:
            return 200, JSON, msgspec.json.encode({"rows": statuses})
        status: OutcomeStatus = statuses[0]
        return (422 if status.status == "invalid" else 200), JSON, msgspec.json.encode(status)

    def _ready(self) -> Reply:
        epochs = {model: snapshot.plan.epoch for model, snapshot in self._watcher.snapshots.items()}
        stopped = {m: s.stopped for m, s in self._watcher.snapshots.items() if s.stopped}
        breakers = {
            model: {variant: breaker.state for variant, breaker in snapshot.breakers.items()}
            for model, snapshot in self._watcher.snapshots.items()
        }
        troubles = dict(self._watcher.troubles)
        if self._writer.failing:
            troubles["event log"] = "it cannot be written; callers are answered, but not logged"
        document = {
            "status": "degraded" if troubles else "ready",
            "worker": os.getpid(),
            "epochs": epochs,
            "breakers": breakers,
            "stopped": stopped,
            "troubles": troubles,
            "unlogged": self._writer.unlogged,
            "answered_on_short_path": self._turns.answered if self._turns else 0,
        }
        return 200, JSON, msgspec.json.encode(document)

    def _unknown(self, model: str) -> UnknownModel:
        known = ", ".join(sorted(self._watcher.snapshots)) or "none"
        return UnknownModel(
            f"There is no model {model[:80]!r}.", f"This router serves: {known}.", "Train it: `understudy train`."
        )


def _answer(event: Predicted) -> dict[str, Any]:
    return {
        "prediction": event.prediction,
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


def _error(error: Refusal) -> bytes:
    return msgspec.json.encode({"error": error.what, "why": error.why, "mend": error.mend})


def _plain(status: int, text: str) -> Reply:
    return status, JSON, msgspec.json.encode({"error": text})


async def _body(receive: Receive) -> bytes:
    chunks, size = [], 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge("The body was refused.", f"It exceeds {MAX_BODY} bytes.", "Send fewer rows at once.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
