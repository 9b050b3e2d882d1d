"""Which looks are left out, and what a look survives; everything but Prefect is real."""

import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from watched_making import CONFIG, failing, settled

from flows.client.clock import played_time
from flows.config.load import register_config
from flows.data import prepare
from flows.detection import monitor as room
from flows.detection.sources import TableRows
from registry.home import Settings
from registry.store.registry import Registry

HOURS_AGO = {"decision": {"next_check": "PT12H"}}


@pytest.fixture
def said(monkeypatch):
    """What is logged, and no artifacts, events or bookings."""
    lines = []
    logger = SimpleNamespace(**dict.fromkeys(("info", "warning", "error"), lambda form, *by: lines.append(form % by)))
    monkeypatch.setattr(room, "get_run_logger", lambda: logger)
    for name in ("create_markdown_artifact", "create_table_artifact", "emit_event", "book"):
        monkeypatch.setattr(room, name, lambda *_, **__: None)
    return lines


@pytest.fixture
def settings():
    settings = Settings().prepare()
    register_config(CONFIG, settings)
    return settings


@pytest.fixture
def looked_at(settings, monkeypatch):
    """Six hours ago, with the wish for twelve; answers which looks were made since."""
    with Registry.open(settings.registry_url) as registry:
        registry.save_drift_report("churn", datetime.now(UTC) - timedelta(hours=6), HOURS_AGO)
    made = []
    monkeypatch.setattr(room, "look_after", lambda settings, model, wanted: made.append(model))
    return made


def begun_by(monkeypatch, *tags):
    monkeypatch.setattr(room, "runtime", SimpleNamespace(flow_run=SimpleNamespace(tags=list(tags))))


@pytest.mark.parametrize("model", [None, "churn"])
def test_a_scheduled_look_that_is_not_due_is_left_out_with_a_line_in_the_log(said, looked_at, monkeypatch, model):
    begun_by(monkeypatch, "auto-scheduled")

    room.monitor.fn(model=model)

    why = "the last look was 6h ago, and its decision wants the next after 12h"
    assert (looked_at, said) == ([], [f"churn was not looked at: {why}"])


@pytest.mark.parametrize("tags", [(), ("extra-look:churn",)])
def test_a_look_that_somebody_asked_for_is_made(said, looked_at, monkeypatch, tags):
    begun_by(monkeypatch, *tags)
    room.monitor.fn()
    room.monitor.fn(model="churn")

    assert looked_at == ["churn", "churn"]


def test_an_extra_look_that_meets_a_replay_is_left_out(said, settings, looked_at, monkeypatch):
    begun_by(monkeypatch, "extra-look:churn")

    with played_time(settings, "churn"):
        found = room.monitor.fn(model="churn")

    assert (looked_at, found["held_back"]) == ([], "a replay of it is under way")


def test_a_decision_stands_whatever_becomes_of_its_artifacts(said, settings, monkeypatch, tmp_path):
    settled(settings)
    failing().write_parquet(tmp_path / "rows.parquet")

    def fail(**_):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(room, "create_markdown_artifact", fail)
    found = room.look_after.fn(settings, "churn", room.Wanted(datetime.now(UTC), table=str(tmp_path / "rows.parquet")))

    with Registry.open(settings.registry_url) as registry:
        (report,), (event,) = registry.drift_reports("churn"), registry.retraining_events("churn")
        paces = registry.audit("churn", action="cadence.changed")
    assert report["source"] == "table"
    assert (found["triggered"], found["event_id"]) == (True, report["event_id"]) == (True, event.id)
    assert said[0] == "The artifacts were not made: ConnectionError: nobody answers"
    assert paces == []


def test_an_extra_look_that_cannot_be_booked_costs_a_warning_and_no_look(said, settings, monkeypatch):
    settled(settings)

    def fail(*_):
        raise ConnectionError("nobody answers")

    def rows(*_):
        return contextlib.nullcontext(
            TableRows(prepare(CONFIG, failing()), CONFIG, "v1.0.0", lambda rows: np.full(len(rows), 0.5))
        )

    monkeypatch.setattr(room, "book", fail)
    monkeypatch.setattr(room, "extra", lambda look, limits: look.at)
    monkeypatch.setattr(room, "_opened", rows)
    found = room.look_after.fn(settings, "churn", room.Wanted(datetime.now(UTC)))

    assert found["decision"] is not None
    assert said[0] == "The pace was not changed: ConnectionError: nobody answers"
