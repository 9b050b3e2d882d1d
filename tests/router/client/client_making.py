"""A server on loopback that says what a test wants, one thing after the other: helpers."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOST = "lost"


def answer_of(row: dict[str, Any], score: float | None = 0.25) -> dict[str, Any]:
    return {
        "prediction": None if score is None else int(score >= 0.5),
        "score": score,
        "variant": "champion",
        "assigned": "challenger",
        "model_version": "v1.0.0",
        "epoch": 3,
        "prediction_id": row.get("id"),
        "reason": "deadline",
        "of_a_later_version": 1,
    }


class Scripted:
    """
    Answers requests well, unless the script says otherwise.

    Args:
        script: Per request a status, LOST for a connection that is closed without a word, or (status, headers, body).
    """

    def __init__(self, *script: Any) -> None:
        self._script = list(script)
        self.heard: list[tuple[str, Any]] = []
        self.pause = 0.0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            path, body = self._request(connection)
            self.heard.append((path, body))
            step = self._script.pop(0) if self._script else 200
            time.sleep(self.pause)
            if step == LOST:
                return
            status, headers, said = step if isinstance(step, tuple) else (step, {}, None)
            raw = said if isinstance(said, bytes) else json.dumps(said or self._good(path, body)).encode()
            lines = [f"{name}: {value}" for name, value in {**headers, "content-length": len(raw)}.items()]
            head = "\r\n".join([f"HTTP/1.1 {status} X", "connection: close", *lines])
            connection.sendall(head.encode() + b"\r\n\r\n" + raw)

    def _request(self, connection: socket.socket) -> tuple[str, Any]:
        with connection.makefile("rb") as stream:
            path = stream.readline().split()[1].decode()
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return path, json.loads(stream.read(length))

    def _good(self, path: str, body: Any) -> Any:
        if path.endswith("predict"):
            return {"rows": [answer_of(row) for row in body["rows"]]}
        return {"rows": [{"status": "accepted", "said": ""} for _ in body]}


class Upstreams(ThreadingHTTPServer):
    """A model server that says 0.9 of every row, unless its mood is another."""

    daemon_threads = True
    mood = "good"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Upstream)
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def __enter__(self) -> "Upstreams":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Who hangs up is no error here."""


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        mood = self.server.mood
        if mood == "hung":
            time.sleep(1.5)
        raw = b'{"predictions": [NaN]}' if mood == "nan" else json.dumps({"predictions": [0.9] * len(rows)}).encode()
        self.send_response(500 if mood == "500" else 200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass
