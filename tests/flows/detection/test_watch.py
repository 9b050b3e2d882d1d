"""The real registry; the router is a log in memory that answers as `RouterClient.rows_raw` does."""

import math
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from drift_making import NOON, a_version, make_config, sample

from flows.detection.standard import Kept, Standard
from flows.detection.univariate.profile import profile
from flows.detection.watch import LONGEST_RETRAINING, measure, watch
from registry.errors import NotFound
from registry.records.plan import Guards
from registry.records.policy import PromotionPolicy
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry

CONFIG = make_config()
KEPT = Kept(profile(sample(5000, 1), CONFIG), Standard())
WHO = {"actor": "ann", "reason": "a test", "at": NOON}


class Log:
    """Rows as the router writes them, oldest first."""

    def __init__(self):
        self.rows = []
        self.asked = []

    def hold(self, frame, *, loss=0.2, label=1.0, since=NOON):
        """A champion that is right about its own doubt (a loss up to .25), or one that is wrong of all rows."""
        fair = loss <= 0.25
        score = (1 + math.sqrt(1 - 4 * loss)) / 2 if fair else 1 - math.sqrt(loss)
        dice = np.random.default_rng(len(self.rows))
        for number, row in enumerate(frame.iter_rows(named=True)):
            outcome = float(dice.random() < score) if fair and label is not None else label
            self.rows.append(
                {
                    "sequence": len(self.rows),
                    "time": since.timestamp() + number,
                    "key": str(number),
                    "score": score,
                    "prediction": 1.0,
                    "model_version": "v1.0.0",
                    "features": row,
                    "outcomes": {} if outcome is None else {"label": outcome},
                }
            )

    def rows_raw(self, model, *, labelled=False, newest=None, since=None):
        self.asked.append((labelled, newest, since))
        kept = [
            row
            for row in self.rows
            if (not labelled or "label" in row["outcomes"]) and (since is None or row["time"] >= since)
        ]
        return b"".join(msgspec.json.encode(row) + b"\n" for row in (kept[-newest:] if newest else kept))


@pytest.fixture
def registry(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as opened:
        yield opened


@pytest.fixture
def champion(registry):
    registry.register_version(a_version())
    registry.install_first("churn", "v1.0.0", guards=Guards(), salt="churn.first", **WHO)
    return registry.champion("churn")


@pytest.fixture
def log():
    return Log()


def seen(registry, log, *, at=NOON, config=CONFIG):
    return watch(config, registry, log, lambda version: KEPT, at).look


def fail(log):
    """A thousand rows as ever, then two hundred that the champion gets wrong."""
    log.hold(sample(1000, 2), loss=0.2)
    log.hold(sample(200, 3), loss=0.8, since=NOON + timedelta(hours=1))


def test_a_quiet_look_raises_nothing_and_is_kept(registry, champion, log):
    log.hold(sample(1000, 2), loss=0.2)

    look = seen(registry, log)

    assert (look.event_id, look.held_back, look.decision.triggered) == (None, None, False)
    assert registry.retraining_events("churn") == []
    (kept,) = registry.drift_reports("churn")
    assert kept["at"] == "2026-03-01T12:00:00Z"
    assert kept["drift"]["said"] == "0 of 2 features drifted"


def test_a_failing_champion_raises_one_event_with_reason_and_numbers(registry, champion, log):
    fail(log)
    look = seen(registry, log)

    (event,) = registry.retraining_events("churn")
    assert event.id == look.event_id == "retrain_20260301_001"
    assert (event.trigger_type, event.severity, event.drift_type) == ("drift", "CRITICAL", "concept")
    assert "rule 'error rises' fired" in event.trigger_reason
    assert event.trigger_metrics["error"] == pytest.approx(0.8)


def test_errors_that_rose_for_a_few_rows_are_not_lost_among_those_before(registry, champion, log):
    log.hold(sample(1000, 2), loss=0.2)
    log.hold(sample(120, 3), loss=0.8, since=NOON + timedelta(hours=1))
    look = seen(registry, log)

    assert look.decision.severity == "CRITICAL"
    assert look.decision.confidence > 0.9


def test_an_event_that_is_running_holds_the_next_one_back(registry, champion, log):
    fail(log)
    first = seen(registry, log)
    again = seen(registry, log, at=NOON + timedelta(minutes=30))

    assert (again.event_id, again.held_back) == (None, f"{first.event_id} has not ended yet")
    assert len(registry.retraining_events("churn")) == 1


def test_an_event_whose_process_was_killed_is_asked_for_again(registry, champion, log):
    fail(log)
    first = seen(registry, log)

    assert seen(registry, log, at=NOON + LONGEST_RETRAINING).event_id == first.event_id
    assert len(registry.retraining_events("churn")) == 1


def test_a_fresh_retraining_is_left_time_to_help(registry, champion, log):
    fail(log)
    registry.add_retraining_event(_ended("retrain_20260301_001", NOON))

    young = seen(registry, log, at=NOON + timedelta(hours=23))
    old = seen(registry, log, at=NOON + timedelta(hours=25))

    assert young.held_back == "retrain_20260301_001 is younger than the cool-down"
    assert old.event_id == "retrain_20260302_001"


def _ended(name, at):
    return RetrainingEvent(
        id=name,
        model="churn",
        trigger_type="drift",
        severity="LOW",
        drift_type="none",
        trigger_reason="a test",
        triggered_at=at,
        execution_attempted=True,
        execution_successful=False,
        completed_at=at,
    )


def test_an_active_rollout_is_not_disturbed(registry, champion, log):
    fail(log)
    registry.register_version(a_version("v1.1.0"))
    registry.start_rollout(
        Rollout(
            id="r-0001",
            model="churn",
            champion="v1.0.0",
            challenger="v1.1.0",
            steps=(Step(share=0, min_s=60, max_s=120), Step(share=1_000_000, min_s=60, max_s=120)),
            policy=PromotionPolicy(metric="auc"),
            salt="churn.r-0001",
            step_started_at=NOON,
            created_at=NOON,
        ),
        **WHO,
    )

    look = seen(registry, log)

    assert look.decision.triggered
    assert look.held_back.startswith("rollout r-0001 of v1.1.0 is ")
    assert registry.retraining_events("churn") == []


def test_an_empty_log_is_not_enough_data_and_decides_nothing(registry, champion, log):
    look = seen(registry, log)

    assert not look.drift.enough
    assert set(look.decision.undecided) == {rule.name for rule in CONFIG.detection.rules} - {
        "old model",
        "new data",
        "harm is likely",
    }
    assert not look.decision.triggered


def test_without_a_champion_there_is_nothing_to_look_at(registry, log):
    with pytest.raises(NotFound, match="no champion"):
        seen(registry, log)


def test_labels_that_are_late_are_looked_for_further_back(registry, champion, log):
    log.hold(sample(600, 2))
    log.hold(sample(1000, 3), label=None, since=NOON + timedelta(hours=1))

    look = seen(registry, log)

    assert look.decision.evidence["labelled"] == 500
    assert look.decision.evidence["error_increase"] is not None
    assert look.drift.rows == 1000


def test_drift_is_judged_on_the_newest_window_alone(registry, champion, log):
    log.hold(sample(1000, 2, shift=3.0))
    log.hold(sample(1000, 3), since=NOON + timedelta(hours=1))

    assert seen(registry, log).drift.drifted == ()


def test_rows_count_as_new_until_somebody_tried_to_learn_from_them(registry, champion, log):
    log.hold(sample(50, 2), since=NOON - timedelta(hours=1))
    log.hold(sample(30, 3), since=NOON + timedelta(hours=1))
    before = seen(registry, log).decision.evidence["new_rows"]
    registry.add_retraining_event(_ended("retrain_20260301_001", NOON + timedelta(hours=2)))

    assert (before, seen(registry, log).decision.evidence["new_rows"]) == (30, 0)


def test_measuring_keeps_nothing(registry, champion, log):
    fail(log)
    look = measure(CONFIG, registry, log, champion, KEPT, NOON).look

    assert look.decision.triggered
    assert registry.retraining_events("churn") == []
    assert registry.drift_reports("churn") == []
