"""A router's log as NDJSON, served by a real socket; the client is the real one."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from flows.client import RouterClient
from registry.home import Settings
from registry.records.live import JoinedRow


class Log:
    """Rows by model; remembers what was asked."""

    def __init__(self):
        self.raw = b""
        self.asked = []

    def hold(self, *rows):
        self.raw = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def joined(sequence, **changes):
    values = {
        "sequence": sequence,
        "prediction_id": f"p{sequence}",
        "key": f"k{sequence}",
        "time": 1000.0 + sequence,
        "features": {"age": 30.0, "plan": "basic"},
        "variant": "champion",
        "assigned": "champion",
        "model_version": "v1.0.0",
        "epoch": 1,
        "phase": "first",
        "reason": "bucket",
        "enrolled": True,
        "prediction": 1,
        "score": 0.7,
        "latency_ms": 1.0,
    }
    return JoinedRow(**values | changes)


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def settings(log, tmp_path):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            address = urlsplit(self.path)
            log.asked.append((address.path, dict(parse_qsl(address.query))))
            self.send_response(200)
            self.send_header("content-length", str(len(log.raw)))
            self.end_headers()
            self.wfile.write(log.raw)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        port = server.server_address[1]
        yield Settings(home=tmp_path, router_port=port, admin_port=port, admin_token="s3cret")
        server.shutdown()
        thread.join()


@pytest.fixture
def client(settings):
    with RouterClient(settings) as opened:
        yield opened


@pytest.fixture
def row():
    return joined
