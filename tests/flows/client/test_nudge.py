"""A look that a command asks for; the server is a real one on loopback."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.client.clock import played_time
from flows.client.nudge import PATIENCE_S, ask_for_a_look
from registry.home import Settings


class Server(BaseHTTPRequestHandler):
    asked, silent = [], False

    def do_POST(self):
        (told,) = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.silent:
            time.sleep(PATIENCE_S + 1)
        self.asked.append((self.path, told["event"], told["resource"]["prefect.resource.id"], told["payload"]))
        self.send_response(204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def server(monkeypatch):
    handler = type("Handler", (Server,), {"asked": [], "silent": False})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{running.server_address[1]}/api")
    yield handler
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "state").prepare()


def test_a_look_is_asked_for_once(server, settings):
    assert ask_for_a_look(settings, "churn")
    wanted = "/api/events", "understudy.rollout.steered", "understudy.model.churn", {"model": "churn"}
    assert server.asked == [wanted]


def test_a_model_that_a_replay_moves_is_left_alone(server, settings):
    with played_time(settings, "churn"):
        assert not ask_for_a_look(settings, "churn")
    assert server.asked == []


def test_a_server_that_is_silent_or_away_keeps_nobody_waiting(server, settings, monkeypatch):
    server.silent = True
    began = time.monotonic()
    silent = ask_for_a_look(settings, "churn")
    took = time.monotonic() - began
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    assert not silent
    assert took < PATIENCE_S + 1
    assert not ask_for_a_look(settings, "churn")
