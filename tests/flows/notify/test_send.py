import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.notify import Message, notify, settle
from flows.notify.messages import failed, moved

MESSAGE = Message(title="churn: drift (HIGH)", body="Rules: error rises.", level="warning")


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="understudy.notify")
    return lambda: [record.getMessage() for record in caplog.records]


def test_without_addresses_the_log_is_told(said):
    assert notify((), MESSAGE).result(5) is False
    assert said() == ["churn: drift (HIGH): Rules: error rises."]


def test_everybody_is_told(said):
    told = []

    assert notify(("a://1", "b://2"), MESSAGE, deliver=lambda url, message: not told.append((url, message))).result(5)
    assert told == [("a://1", MESSAGE), ("b://2", MESSAGE)]
    assert said() == []


def test_one_dead_address_does_not_keep_the_others_from_hearing(said):
    told = []

    def deliver(url, message):
        if url.startswith("dead"):
            raise ConnectionError("secret-in-the-text")
        told.append(url)
        return True

    assert notify(("dead://user:password@host", "fine://x"), MESSAGE, deliver=deliver).result(5) is False
    assert told == ["fine://x"]
    assert any("not delivered to dead" in line for line in said())
    assert "password" not in " ".join(said())
    assert "secret-in-the-text" not in " ".join(said())


def test_a_slow_address_keeps_nobody_waiting():
    gate = threading.Event()
    began = time.monotonic()
    future = notify(("slow://x",), MESSAGE, deliver=lambda url, message: gate.wait(10))

    assert time.monotonic() - began < 1
    assert not settle(0.05)
    gate.set()
    assert future.result(5)
    assert settle(5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise imports imghdr
def test_apprise_really_sends():
    heard = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Sink) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        sent = notify((f"json://127.0.0.1:{server.server_address[1]}",), MESSAGE).result(20)
        server.shutdown()
        thread.join()

    assert sent
    assert heard[0]["title"] == MESSAGE.title
    assert heard[0]["message"] == MESSAGE.body


def test_an_address_that_apprise_does_not_know_goes_to_the_log(said):
    assert notify(("nonsense",), MESSAGE).result(20) is False
    assert any("not delivered to an address without scheme" in line for line in said())


def test_the_text_of_an_error_is_never_told():
    message = failed("churn", "retraining retrain_20260101_001", ValueError("could not convert 'ann@example.org'"))

    assert "ann@example.org" not in str(message)
    assert "ValueError" in message.body


def test_a_move_is_told_in_one_sentence():
    assert str(moved("churn", "r-0001", "v1.1.0", "shadow succeeded")) == (
        "churn: v1.1.0 moves on: r-0001: shadow succeeded."
    )
