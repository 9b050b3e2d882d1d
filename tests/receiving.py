"""A real HTTP server on loopback that keeps what it was sent."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """
    What a server was sent.

    Attributes:
        heard: Documents that it took, with the path.
        answers: Status of the next answers, then 200.
        elsewhere: Where a redirect points.
        hangs: Seconds to wait before an answer.
        tries: Requests so far.
        on_message: Called with each document that it takes, before it answers.
    """

    port: int = 0
    heard: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    elsewhere: str = ""
    hangs: float = 0.0
    tries: int = 0
    on_message: Callable = lambda _: None

    @property
    def url(self):
        return f"json://127.0.0.1:{self.port}"

    @property
    def titles(self):
        return [one["title"] for one in self.heard]


@contextlib.contextmanager
def received(context=None, port=0):
    """Run a receiver; with a context, behind TLS."""
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(receiver))
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


def _handler_of(receiver):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            receiver.tries += 1
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_POST(self):
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            receiver.tries += 1
            time.sleep(receiver.hangs)
            status = receiver.answers.pop(0) if receiver.answers else 200
            if status == 200:
                receiver.on_message(document)
                receiver.heard.append(document | {"path": self.path})
            with contextlib.suppress(OSError):
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", receiver.elsewhere)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    return Handler
