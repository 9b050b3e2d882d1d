"""The retraining log answers what people ask of it."""

import sqlite3
from datetime import timedelta, timezone

import msgspec
import pytest
from registry_making import NOON, an_event

from registry.errors import AlreadyExists, InvalidRecord, NotFound


def test_an_event_is_read_back_as_it_was(registry):
    event = an_event(trigger_metrics={"psi": 0.3, "features": ["age"]}, execution_successful=True, improvement_r2=2.5)
    registry.add_retraining_event(event)

    assert registry.retraining_event(event.id) == event
    assert registry.retraining_events() == [event]


def test_events_are_numbered_by_day_in_utc(registry):
    evening = NOON.replace(hour=23).astimezone(timezone(timedelta(hours=5)))
    registry.add_retraining_event(an_event(registry.next_event_id(NOON)))

    assert registry.next_event_id(evening) == "retrain_20260301_002"
    assert registry.next_event_id(NOON + timedelta(days=1)) == "retrain_20260302_001"


def test_an_event_id_is_taken_once(registry):
    registry.add_retraining_event(an_event())

    with pytest.raises(AlreadyExists, match="retrain_20260301_001 was not stored"):
        registry.add_retraining_event(an_event(severity="LOW"))
    assert registry.retraining_event("retrain_20260301_001").severity == "HIGH"


def test_an_update_replaces_the_event(registry):
    registry.add_retraining_event(an_event())
    done = an_event(execution_attempted=True, execution_successful=True, retrained_version="v1.1.0", completed_at=NOON)
    registry.update_retraining_event(done)

    assert registry.retraining_events() == [done]
    assert [e.action for e in registry.audit()] == ["retraining.updated", "retraining.triggered"]


def test_an_unknown_event_is_refused(registry):
    with pytest.raises(NotFound, match="Newest: none yet"):
        registry.retraining_event("retrain_20260301_009")
    with pytest.raises(NotFound):
        registry.update_retraining_event(an_event())


def test_events_come_newest_first_and_can_be_narrowed(registry):
    for day in range(4):
        model = "price" if day == 1 else "churn"
        registry.add_retraining_event(an_event(f"e{day}", model=model, triggered_at=NOON + timedelta(days=day)))

    assert [e.id for e in registry.retraining_events()] == ["e3", "e2", "e1", "e0"]
    assert [e.id for e in registry.retraining_events("churn", limit=2)] == ["e3", "e2"]
    assert [e.id for e in registry.retraining_events(since=NOON + timedelta(days=2))] == ["e3", "e2"]


def test_frequency_counts_by_trigger_with_success_rates(registry):
    outcomes = [("drift", True), ("drift", False), ("drift", True), ("age", None), ("manual", False)]
    for number, (trigger, successful) in enumerate(outcomes):
        registry.add_retraining_event(
            an_event(
                f"e{number}",
                trigger_type=trigger,
                execution_attempted=successful is not None,
                execution_successful=successful,
            )
        )

    assert registry.retraining_frequency() == [
        {"trigger_type": "drift", "count": 3, "attempted": 3, "successful": 2, "success_rate": pytest.approx(2 / 3)},
        {"trigger_type": "age", "count": 1, "attempted": 0, "successful": 0, "success_rate": None},
        {"trigger_type": "manual", "count": 1, "attempted": 1, "successful": 0, "success_rate": 0.0},
    ]
    assert registry.retraining_frequency("price") == []


def test_improvements_list_successes_only(registry):
    registry.add_retraining_event(an_event("e1", execution_successful=False))
    won = an_event("e2", execution_successful=True, retrained_version="v1.1.0", improvement_accuracy=4.0)
    registry.add_retraining_event(won)

    assert registry.retraining_improvements("churn") == [
        {
            "id": "e2",
            "model": "churn",
            "trigger_type": "drift",
            "retrained_version": "v1.1.0",
            "improvement_r2": None,
            "improvement_rmse": None,
            "improvement_accuracy": 4.0,
            "triggered_at": "2026-03-01T12:00:00Z",
        }
    ]


def test_an_event_of_the_wrong_type_is_refused(registry):
    with pytest.raises(InvalidRecord, match="severity"):
        registry.add_retraining_event(msgspec.structs.replace(an_event(), severity="AWFUL"))


def test_the_table_has_the_columns_and_indexes_that_people_query(registry, database):
    registry.add_retraining_event(an_event(execution_successful=True))
    with sqlite3.connect(database) as plain:
        query = "SELECT triggered_at, severity, trigger_type, execution_successful, improvement_r2_percent"
        rows = plain.execute(f"{query} FROM model_retraining_events WHERE triggered_at > '2026-02-25'").fetchall()
        indexes = {name for _, name, *_ in plain.execute("PRAGMA index_list(model_retraining_events)")}
    plain.close()

    assert rows == [("2026-03-01 12:00:00.000000", "HIGH", "drift", 1, None)]
    named = {"severity", "trigger_type", "triggered_at", "success"}
    assert indexes >= {f"retraining_by_{name}" for name in named}
