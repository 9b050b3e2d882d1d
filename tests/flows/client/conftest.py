"""A small HTTP server that plays the router's part on a real socket."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from registry.home import Settings


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Played:
    """Answers by path; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Callable[[Asked], tuple[int, bytes]]] = {}

    def say(self, path: str, document: object, status: int = 200) -> None:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = lambda asked: (status, raw)

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        self.asked.append(asked)
        return self.answers.get(asked.path, lambda _: (404, b"{}"))(asked)


def _handler(played: Played) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            address = urlsplit(self.path)
            status, answer = played.answer(
                Asked(
                    self.command,
                    address.path,
                    dict(parse_qsl(address.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
            )
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def played():
    return Played()


@pytest.fixture
def settings(played):
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(played)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        port = server.server_address[1]
        yield Settings(router_port=port, admin_port=port, admin_token="s3cret")
        server.shutdown()
        thread.join()
