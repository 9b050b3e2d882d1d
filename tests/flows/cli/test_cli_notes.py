"""`understudy traffic notes`: what the router noted, for people and programs."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from registry.home import Settings

NOTE = {"sequence": 7, "at": 1_767_225_600.0, "kind": "srm", "said": "callers are not split as planned"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        raw = json.dumps({"events": self.server.notes}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def admin(furnished):
    """Plays the admin port, where the command expects it."""
    running = ThreadingHTTPServer(("127.0.0.1", Settings().admin_port), Handler)
    running.asked, running.notes = [], [NOTE]
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def test_notes_are_listed_with_their_time(furnished, admin):
    shown = furnished("traffic", "notes", "churn", "--limit", "3")

    assert shown.code == 0, shown.err
    assert "2026-01-01" in shown.out
    assert "callers are not split as planned" in shown.out
    assert admin.asked == ["/v1/models/churn/events?limit=3"]


def test_programs_get_them_as_they_are(furnished, admin):
    assert furnished("traffic", "notes", "churn", "--json").json == [NOTE]


def test_no_note_is_said_to_be_none(furnished, admin):
    admin.notes = []

    assert furnished("traffic", "notes", "churn").out == "Nothing was noted of churn.\n"
