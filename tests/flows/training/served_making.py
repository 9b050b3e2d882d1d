"""A model server on loopback, that knows the truth behind `make_frame`."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def truth(row: dict[str, Any]) -> float:
    """What the rows of `make_frame` are made from, as a probability."""
    a = 50.0 if row["a"] is None else row["a"]
    return 1 / (1 + math.exp(-((a - 50) / 10 + (row["c"] == "red") - (row["c"] == "green"))))


class _Handler(BaseHTTPRequestHandler):
    server: "ModelServer"

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        self.server.asked.append(len(rows))
        raw = json.dumps({"predictions": [self.server.says(row) for row in rows]}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


class ModelServer(ThreadingHTTPServer):
    """
    Answers `{"instances": [...]}`.

    Attributes:
        says: Score of one row.
        status: Of every answer.
        asked: Rows of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says, self.status, self.asked = truth, 200, list[int]()
        self.url = f"http://127.0.0.1:{self.server_port}/score"

    def __enter__(self) -> "ModelServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
