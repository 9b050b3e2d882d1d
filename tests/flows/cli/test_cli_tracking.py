"""`understudy tracking`: what waits, sending it, and how to look at it."""

import socket

import pytest

from flows.tracking.outbox import ATTEMPTS, Outbox
from flows.tracking.tracker import Tracker
from registry.home import Settings


@pytest.fixture
def noted(furnished):
    """One entry waits."""
    Tracker.of(Settings(), "churn").note_deployment(
        "churn", "v1.0.0", "install", "first", "ann", furnished_at(Settings())
    )
    return furnished


def furnished_at(settings):
    from registry.store.registry import Registry

    with Registry.open(settings.registry_url) as registry:
        return registry.version("churn", "v1.0.0").created_at


@pytest.fixture
def nowhere(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://ann:secret@127.0.0.1:{probe.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield address


def test_status_says_where_runs_go_and_what_waits(noted):
    said = noted("tracking", "status", "--json").json

    assert (said["waiting"], said["aside"], said["dropped"], said["sent"]) == (1, 0, 0, 0)
    assert said["uri"].startswith("sqlite:///")
    assert "1 wait, the oldest since" in noted("tracking", "status").out


def test_status_with_nothing_that_waits_is_no_mistake(furnished):
    said = furnished("tracking", "status")

    assert (said.code, said.err) == (0, "")
    assert "0 wait; 0 were sent." in said.out


def test_what_cannot_be_sent_waits_and_the_exit_code_says_so_without_a_password(noted, nowhere):
    done = noted("tracking", "send", "--json", "--timeout", "30")

    assert (done.code, done.json["sent"], done.json["waiting"]) == (1, 0, 1)
    assert "does not" in done.out or "Nothing was sent" in done.out
    assert "secret" not in done.out + done.err


def test_entries_that_were_set_aside_are_tried_again_when_asked(noted, nowhere):
    outbox = Outbox(Settings())
    (only,) = outbox.waiting()
    for _ in range(ATTEMPTS):
        outbox.refused(only.number, "400: odd name")

    assert "1 were refused too often" in noted("tracking", "status").out
    assert noted("tracking", "send", "--again", "--json").json["waiting"] == 1


def test_an_address_that_mlflow_cannot_work_with_is_refused(noted, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://db/mlflow")

    assert "psycopg2" in noted("tracking", "status").refused()


def test_a_damaged_outbox_is_named(furnished):
    file = Outbox(Settings()).file
    file.parent.mkdir(exist_ok=True)
    file.write_text("no database at all " * 100)

    assert str(file) in furnished("tracking", "status").refused(3)


def test_the_command_that_shows_the_runs_names_the_store(noted, monkeypatch):
    own = noted("tracking", "open-command").out
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")

    assert "mlflow server --backend-store-uri sqlite:///" in own
    assert noted("tracking", "open-command", "--json").json == {"command": "xdg-open http://tracking:5000"}
