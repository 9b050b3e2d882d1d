"""A server of the short path on a free port, and a client that sees every byte: helpers."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager

import httptools
import uvicorn
from hot_making import snapshot
from router_live import free_ports

from registry.eventlog.segments import SegmentReader, SegmentWriter
from router.app import RouterApp
from router.board import Board
from router.hot import protocol
from router.hot.turn import Turns
from router.index.lookup import Lookup
from router.outcomes import OutcomeLog
from router.sentry import Sentry
from router.tally import Tallies
from router.worker import Worker

FEATURES = {"x": 1, "a colour!": "red", "z": 2}


class Watched:
    """Snapshots that nobody changes."""

    def __init__(self):
        self.snapshots, self.troubles = {"m": snapshot()}, {}

    async def watch(self):
        await asyncio.Event().wait()


class Served:
    def __init__(self, folder):
        self.folder, [self.port] = folder, free_ports(1)
        watched, writer, tallies = Watched(), SegmentWriter(folder / "events", "worker"), Tallies()
        self.turns = Turns(watched.snapshots, writer, tallies)
        kept = OutcomeLog(SegmentWriter(folder / "events", "outcomes"), Lookup(folder / "index.sqlite"))
        sentry = Sentry(Board.join(folder, "worker"), tallies, watched.snapshots, lambda _model, _stop: None)
        app = RouterApp(
            Worker(watcher=watched, writer=writer, kept=kept, tallies=tallies, sentry=sentry, turns=self.turns)
        )
        protocol.use(self.turns)
        config = uvicorn.Config(
            app, port=self.port, http=protocol.HotProtocol, log_config=None, timeout_keep_alive=1, lifespan="off"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(10)
        protocol.use(None)

    @contextmanager
    def connected(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            yield connection

    def logged(self):
        reader = SegmentReader(self.folder / "events", ("worker",))
        return [event for path in reader.segments() for event in reader.read(path, 0)[0]]


def request(document, *headers, method=b"POST", path=b"/v1/models/m/predict", version=b"1.1"):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [b"%b %b HTTP/%b" % (method, path, version), b"host: here", *headers]
    if not any(header.lower().startswith(b"transfer") for header in headers):
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Answers:
    """Parses what comes back."""

    def __init__(self):
        self.parser, self.found, self.closed = httptools.HttpResponseParser(self), [], False

    def on_message_begin(self):
        self.body = b""

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        said = json.loads(self.body) if self.body.startswith((b"{", b"[")) else self.body or None
        self.found.append((self.parser.get_status_code(), said))

    def read(self, connection, amount):
        while len(self.found) < amount and not self.closed:
            data = connection.recv(65536)
            self.closed = not data
            if data:
                self.parser.feed_data(data)
        return self.found


def ask(connection, *requests):
    connection.sendall(b"".join(requests))
    return Answers().read(connection, len(requests))


def row(key, **more):
    return {"key": key, "features": FEATURES} | more
