"""Model servers that speak each protocol, and one that misbehaves: helpers."""

import asyncio
import contextlib
import json
import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvicorn
from router_making import version_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from registry.records.upstream import Upstream
from registry.records.version import Feature, ModelVersion
from router.remote.remote import Remote

FEATURES = (Feature(name="x", kind="numeric"), Feature(name="c", kind="categorical", levels=("a", "b")))
ROWS = [{"x": 1.0, "c": "a"}, {"x": None, "c": "b"}, {"x": -2.0, "c": None}]


def truth(row: dict[str, Any]) -> float:
    """What the model behind every server says of a row."""
    value = (row["x"] or 0.0) + {"a": 1.0, "b": -1.0}.get(row["c"] or "", 0.0)
    return 1 / (1 + math.exp(-value))


SCORES = [truth(row) for row in ROWS]


def remote_version(features: tuple[Feature, ...] = FEATURES, task: str = "binary") -> ModelVersion:
    return msgspec.structs.replace(version_of("v1.1.0", task=task), features=features, algorithm="remote")


def remote_of(upstream: Upstream, environ: dict[str, str] | None = None, **changes: Any) -> Remote:
    return Remote(remote_version(**changes), upstream, environ or {})


def ask_once(remote: Remote, rows: Any = ROWS, **options: Any) -> list[float]:
    """Ask in an event loop of its own, and leave no connection behind."""
    return closing(remote, lambda: remote.ask(rows, **options))


def closing(remote: Remote, work: Callable[[], Any]) -> Any:
    async def run() -> Any:
        try:
            return await work()
        finally:
            await remote.close()

    return asyncio.run(run())


class Served:
    """A starlette application on a free port, in a thread; remembers what it was asked."""

    def __init__(self, **tls: str) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.mood = "good"
        routes = [
            Route("/score", self._plain, methods=["POST"]),
            Route("/v2/models/lead%20model/infer", self._v2, methods=["POST"]),
            Route("/v2/models/lead model/infer", self._v2, methods=["POST"]),
            Route("/invocations", self._mlflow, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off", ws="none", **tls)
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> "Served":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    async def _heard(self, request: Request) -> Any:
        document = json.loads(await request.body())
        self.asked.append(document)
        self.headers.append(dict(request.headers))
        return document

    async def _plain(self, request: Request) -> Response:
        document = await self._heard(request)
        rows = document.get("instances") or document.get("data") or []
        if rows and isinstance(rows[0], list):
            rows = [dict(zip(document["columns"], row, strict=True)) for row in rows]
        scores = [truth(row) for row in rows]
        return await self._said(
            scores, {"predictions": scores, "result": {"items": [{"p": [1 - s, s]} for s in scores]}}
        )

    async def _v2(self, request: Request) -> Response:
        document = await self._heard(request)
        columns = {tensor["name"]: tensor["data"] for tensor in document["inputs"]}
        if "input-0" in columns:
            rows = [{"x": value, "c": None} for value in columns["input-0"]]
        else:
            rows = [{"x": x, "c": c} for x, c in zip(columns["x"], columns["c"], strict=True)]
        scores = [truth(row) for row in rows]
        both = [value for s in scores for value in (1 - s, s)]
        outputs = [
            {"name": "predict", "shape": [len(rows), 1], "datatype": "FP64", "data": scores},
            {"name": "predict_proba", "shape": [len(rows), 2], "datatype": "FP64", "data": both},
        ]
        return await self._said(scores, {"model_name": "m", "outputs": outputs})

    async def _mlflow(self, request: Request) -> Response:
        document = await self._heard(request)
        if "dataframe_split" in document:
            frame = document["dataframe_split"]
            rows = [dict(zip(frame["columns"], row, strict=True)) for row in frame["data"]]
        elif isinstance(document["inputs"], dict):
            given = document["inputs"]
            rows = [{"x": x, "c": c} for x, c in zip(given["x"], given["c"], strict=True)]
        else:
            rows = [dict(zip(("x", "c"), row, strict=True)) for row in document["inputs"]]
        return await self._said([truth(row) for row in rows], {"predictions": [truth(row) for row in rows]})

    async def _said(self, scores: list[float], good: Any) -> Response:
        moods: dict[str, Callable[[], Response]] = {
            "good": lambda: JSONResponse(good),
            "500": lambda: JSONResponse(good, status_code=500),
            "404": lambda: JSONResponse(good, status_code=404),
            "204": lambda: Response(status_code=204),
            "redirect": lambda: RedirectResponse("/score"),
            "nan": lambda: Response(json.dumps({"predictions": [float("nan")] * len(scores)})),
            "null": lambda: JSONResponse({"predictions": [None] * len(scores)}),
            "above 1": lambda: JSONResponse({"predictions": [1.5] * len(scores)}),
            "huge number": lambda: Response(b'{"predictions": [' + b"9" * 5000 + b"]}"),
            "text": lambda: Response("<html>sorry</html>"),
            "empty": lambda: Response(b""),
            "deep": lambda: Response(b"[" * 100_000),
            "list": lambda: JSONResponse(scores),
            "fewer": lambda: JSONResponse({"predictions": scores[1:]}),
            "words": lambda: JSONResponse({"predictions": ["0.5"] * len(scores)}),
            "true": lambda: JSONResponse({"predictions": [True] * len(scores)}),
            "huge": lambda: Response(b" " * (2 << 20) + msgspec.json.encode(good)),
            "gzip": lambda: Response(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
        }
        if self.mood == "hung":
            await asyncio.sleep(30)
        if self.mood == "slow":
            await asyncio.sleep(0.3)
        return moods.get(self.mood, moods["good"])()


class Rude:
    """
    A server without manners, in a thread.

    Args:
        replies: What it writes to one request after another before it closes; the last one for ever.
        pause: Seconds between two bytes.
    """

    def __init__(self, *replies: bytes, pause: float = 0.0) -> None:
        self._replies, self._pause = list(replies), pause
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            if not self._pause:
                connection.sendall(reply)
                return
            for byte in reply:
                connection.sendall(bytes([byte]))
                time.sleep(self._pause)
