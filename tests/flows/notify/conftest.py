"""Real receivers on loopback, and a state folder with a registry."""

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from flows.config.load import parse_config, register_config
from registry.home import Settings
from registry.records.notice import Notice
from registry.store.registry import Registry


@dataclass
class Receiver:
    """
    An HTTP server that keeps what it was sent.

    Attributes:
        answers: Status of the next answers, then 200.
        hangs: Seconds to wait before an answer.
    """

    port: int = 0
    heard: list = field(default_factory=list)
    at: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    hangs: float = 0.0
    tries: int = 0

    @property
    def titles(self):
        return [one["title"] for one in self.heard]


def handler_of(receiver):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            receiver.tries += 1
            time.sleep(receiver.hangs)
            status = receiver.answers.pop(0) if receiver.answers else 200
            if status == 200:
                receiver.heard.append(document | {"path": self.path})
                receiver.at.append(time.time())
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture
def receiving():
    """Start receivers; with a context, behind TLS."""
    with contextlib.ExitStack() as stack:

        def start(context=None, port=0):
            receiver = Receiver()
            server = ThreadingHTTPServer(("127.0.0.1", port), handler_of(receiver))
            server.daemon_threads = True
            if context is not None:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            receiver.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return receiver

        yield start


@pytest.fixture
def receiver(receiving):
    return receiving()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """Have this process trust the authority, as an administrator would."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    return file


@pytest.fixture
def where(tmp_path):
    return Settings(home=tmp_path / "state").prepare()


@pytest.fixture
def registry(where):
    with Registry.open(where.registry_url) as registry:
        yield registry


@pytest.fixture
def told_to(where):
    """Register a model with these addresses."""

    def register(*urls, model="churn", **more):
        document = {"model": model, "task": "binary", "target": "left", "features": {"numeric": ["x"]}}
        config = parse_config(document | {"notify": {"urls": list(urls), **more}}, "test")
        register_config(config, where)

    return register


@pytest.fixture
def waiting(registry):
    """Put notices into the outbox."""

    def put(*keys, model="churn", **more):
        now = datetime.now(UTC)
        for key in keys:
            fields = {"kind": "rollout.moved", "title": key, "body": "It moves.", "created_at": now, "next_at": now}
            assert registry.add_notice(Notice(key=key, model=model, **fields | more))

    return put


@pytest.fixture
def hurried(registry):
    """Make everything that waits for another try due."""

    def hurry():
        now = datetime.now(UTC)
        for one in registry.notices():
            if one.status == "waiting":
                registry.mark_notice(one.key, status="waiting", attempts=one.attempts, next_at=now, missed=one.missed)

    return hurry
