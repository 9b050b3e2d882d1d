"""What is put off, left out or begun: registry and configuration are real, Prefect's run is told."""

import math
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_making import NOW, make_config

from flows.detection.pacing import PaceInForce
from flows.training import smart as room
from flows.training.rebuild import rebuilt
from flows.training.retraining import Asked
from registry.records.retraining import RetrainingEvent

DAY = timedelta(days=1)
SCHEDULED = Asked(None, "schedule", "weekly retraining", "prefect")
PRICED = {"cost_per_hour": 3600.0, "value_per_point": 1.0}


@pytest.fixture(autouse=True)
def booked(monkeypatch):
    """A run of a deployment; answers what it books."""
    found = []
    monkeypatch.setattr(room, "runtime", run_with())
    monkeypatch.setattr(room, "get_run_logger", lambda: SimpleNamespace(info=lambda *_: None))
    monkeypatch.setattr(room, "book", lambda wanted, reason: found.append(wanted) or len(found) == 1)
    return found


def run_with(*tags, deployment="a deployment"):
    return SimpleNamespace(deployment=SimpleNamespace(id=deployment), flow_run=SimpleNamespace(tags=list(tags)))


def trained(registry, ago, cpu_s=100.0):
    """A retraining that made a version, so long ago."""
    end = NOW - ago
    event = RetrainingEvent(
        id=registry.next_event_id(end),
        model="churn",
        trigger_type="schedule",
        severity="LOW",
        drift_type="none",
        trigger_reason="before",
        triggered_at=end,
        execution_attempted=True,
        execution_successful=True,
        execution_metrics={"cpu_s": cpu_s},
        completed_at=end,
    )
    registry.add_retraining_event(event)


def kept(shop, asked=SCHEDULED, *, rebuild=False, everybody=False):
    return room.kept_waiting(shop, asked, rebuild=rebuild, everybody=everybody, now=NOW)


def shop_with(make_shop, **schedule):
    return make_shop(None, make_config(schedule=schedule))


def test_the_first_training_and_what_people_ask_for_begin_at_once(make_shop, registry):
    shop = shop_with(make_shop, off_peak="02:00-02:01")

    assert kept(shop) is None
    trained(registry, DAY)
    assert kept(shop, Asked(None, "manual", "", "ann")) is None


def test_a_gain_below_its_price_is_left_out_and_run_event_and_audit_trail_say_the_figures(make_shop, registry):
    shop = shop_with(make_shop, **PRICED)
    trained(registry, 8 * DAY)
    registry.save_drift_report("churn", NOW, {"decision": {"harm": 0.02}})

    told = kept(shop)

    event = registry.retraining_event(told["event_id"])
    (entry,) = registry.audit("churn", action="retraining.left_out")
    assert told["outcome"] == "not_worth_it"
    assert "the expected gain of 1.961 % of the loss is worth 1.961 " in told["said"]
    assert "100 processor seconds cost 100" in told["said"]
    assert (event.execution_attempted, event.notes, event.completed_at) == (False, told["said"], NOW)
    assert event.execution_metrics["schedule"]["price"] == 100.0
    assert (entry.after["worth"], entry.after["price"]) == (pytest.approx(100 * 0.02 / 1.02), 100.0)


@pytest.mark.parametrize(("harm", "gain"), [(-0.5, 0.0), (0.0, 0.0), (0.25, 20.0), (1.0, 50.0), (9.0, 90.0)])
def test_the_gain_is_a_share_of_the_loss_that_there_is(registry, harm, gain):
    registry.save_drift_report("churn", NOW, {"decision": {"harm": harm}})

    assert room.expected_gain(registry, "churn") == pytest.approx(gain)


@given(st.floats(allow_nan=True))
def test_no_refit_wins_back_more_than_all_of_the_loss(harm):
    reports = SimpleNamespace(drift_reports=lambda *_, **__: [{"decision": {"harm": harm}}])
    gain = room.expected_gain(reports, "churn")

    assert (gain is None) == math.isnan(harm)
    assert gain is None or 0 <= gain <= 100


def test_an_unknown_gain_keeps_nothing_from_being_retrained(make_shop, registry):
    trained(registry, 8 * DAY)

    assert kept(shop_with(make_shop, **PRICED)) is None


def test_what_can_wait_is_booked_for_the_quiet_hours_with_its_event(make_shop, registry, booked):
    opens = f"{NOW + timedelta(hours=5):%H:%M}"
    shop = shop_with(make_shop, off_peak=f"{opens}-{NOW + timedelta(hours=6):%H:%M}")
    trained(registry, 8 * DAY)

    told = kept(shop)
    again = kept(shop)

    first, _ = booked
    assert (told["outcome"], first.at) == ("later", (NOW + timedelta(hours=5)).replace(second=0, microsecond=0))
    assert (first.parameters["event_id"], first.parameters["trigger"]) == (told["event_id"], "schedule")
    assert first.tag == "put-off:churn"
    assert registry.retraining_event(told["event_id"]).completed_at is None
    assert registry.audit("churn", action="retraining.put_off")[0].after["begins"] == first.at.isoformat()
    assert registry.retraining_event(again["event_id"]).completed_at == NOW


@pytest.mark.parametrize("tag", ["put-off:churn", "taken-up:1"])
def test_what_has_waited_or_was_under_way_waits_no_more(make_shop, registry, monkeypatch, tag):
    monkeypatch.setattr(room, "runtime", run_with(tag))
    trained(registry, 8 * DAY)

    assert kept(shop_with(make_shop, off_peak=f"{NOW + timedelta(hours=5):%H:%M}-{NOW:%H:%M}")) is None


def test_without_a_deployment_nothing_is_put_off(make_shop, registry, monkeypatch):
    monkeypatch.setattr(room, "runtime", run_with(deployment=None))
    trained(registry, timedelta(hours=1))

    assert kept(shop_with(make_shop)) is None


def test_what_is_not_due_is_left_without_a_trace(make_shop, registry):
    trained(registry, 2 * DAY)
    before = registry.retraining_events("churn")

    assert kept(shop_with(make_shop))["outcome"] == "not_due"
    assert registry.retraining_events("churn") == before
    assert registry.audit("churn", action="retraining.left_out") == []


@pytest.mark.parametrize(
    ("every", "own", "rebuild", "left"),
    [
        (7, False, False, False),
        (7, False, True, False),
        (30, False, False, True),
        (30, False, True, False),
        (1, True, False, True),
        (1, True, True, False),
        (30, True, False, True),
        (30, True, True, True),
    ],
)
def test_every_model_is_retrained_by_exactly_its_own_schedules(every, own, rebuild, left):
    pace = PaceInForce(timedelta(hours=6), every * DAY, own)

    assert bool(room.left_to_another(pace, rebuild=rebuild)) is left


def test_a_full_rebuild_tries_all_rows_beside_the_window():
    config = rebuilt(make_config(training={"window": "60d", "candidate_windows": ["30d", None]}))

    assert config.training.window is None
    assert config.training.candidate_windows == (60 * DAY, 30 * DAY)
