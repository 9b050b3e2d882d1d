"""People hear of drift once: of each retraining that is asked for, and once a day of what should be looked into."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from flows.detection import monitor
from flows.detection.fusion.decision import RetrainDecision
from flows.detection.judging.report import DriftReport
from flows.detection.look import Look
from registry.home import Settings
from registry.store.registry import Registry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPORT = DriftReport(reference_rows=1, rows=1, enough=True, said="1 of 2 features drifted")


def look(event_id=None, *, at=NOON, investigate=False):
    decision = RetrainDecision(
        triggered=event_id is not None,
        investigate=investigate,
        severity="HIGH",
        confidence=0.9,
        drift_type="data",
        rule="country drifts",
        trigger="drift",
        causes=("country: new value 'Atlantis' of ann.smith@example.org",),
        affected_features=("country", "age"),
        recommendation="retrain",
        undecided=(),
        evidence={},
    )
    return Look(model="churn", at=at, champion="v1.0.0", decision=decision, drift=REPORT, event_id=event_id)


@pytest.fixture
def told(tmp_path):
    settings = Settings(home=tmp_path / "state").prepare()
    with Registry.open(settings.registry_url) as registry:

        def tell(*looks):
            for one in looks:
                monitor._tell(settings, registry, one)
            return [(one.title, one.body) for one in registry.notices()]

        yield tell


def test_a_retraining_is_told_once_with_names_and_no_values(told):
    asked = look("retrain_20260301_001")

    ((title, body),) = told(asked, msgspec.structs.replace(asked, at=NOON + timedelta(hours=6)))

    assert title == "churn: drift (HIGH)"
    assert "rule 'country drifts'. Features: country, age. Retraining retrain_20260301_001 was asked for." in body
    assert "Atlantis" not in body


def test_what_should_be_looked_into_is_told_once_a_day(told):
    hours = (0, 6, 11, 24)

    assert len(told(*[look(at=NOON + timedelta(hours=hour), investigate=True) for hour in hours])) == 2


def test_a_look_that_found_nothing_is_not_told(told):
    assert told(look()) == []
