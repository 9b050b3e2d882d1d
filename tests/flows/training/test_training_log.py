"""One line of the retraining log says when, from what, and what came of it, even of those that came to nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from flows.training.log import logged
from registry.records.retraining import RetrainingEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_event(**changes):
    fields = {
        "id": "retrain_20260301_001",
        "model": "churn",
        "trigger_type": "drift",
        "severity": "HIGH",
        "drift_type": "data",
        "trigger_reason": "age drifted",
        "triggered_at": NOON,
    }
    return RetrainingEvent(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "waiting"),
        ({"completed_at": NOON, "notes": "a rollout is active"}, "refused"),
        ({"execution_attempted": True}, "running"),
        ({"execution_attempted": True, "execution_successful": False, "completed_at": NOON}, "failed"),
        ({"execution_attempted": True, "execution_successful": True, "completed_at": NOON}, "successful"),
    ],
)
def test_the_status_is_one_word(changes, status):
    assert logged(an_event(**changes), None).status == status


def test_it_counts_from_when_it_began_not_from_when_it_was_asked_for():
    began, ended = NOON + timedelta(minutes=30), NOON + timedelta(minutes=36)
    line = logged(an_event(execution_metrics={"started_at": began.isoformat()}, completed_at=ended), None)

    assert (line.start, line.end, line.duration_minutes) == (began, ended, 6.0)


def test_where_the_clock_stands_still_the_training_alone_counts():
    noted = {"started_at": NOON.isoformat(), "duration_s": 90.0}

    assert logged(an_event(execution_metrics=noted, completed_at=NOON), None).duration_minutes == 1.5
    assert logged(an_event(execution_metrics={"duration_s": 90.0}), None).duration_minutes is None


def test_what_failed_has_no_version_and_no_metrics():
    line = logged(an_event(execution_attempted=True, execution_successful=False, notes="NotEnoughData"), None)

    assert (line.model_version, line.metrics, line.data_version, line.new_samples) == (None, {}, "", None)
    assert line.notes == "NotEnoughData"
