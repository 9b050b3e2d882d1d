"""When the next look is due; the real registry keeps the last one."""

from datetime import timedelta

import msgspec
import pytest
from drift_making import NOON, drifted, look
from hypothesis import given
from hypothesis import strategies as st

from flows.config.detection.cadence import Cadence
from flows.detection.appointments import LastLook, extra, last_look, not_due, note_pace
from registry.store.registry import Registry

LIMITS = Cadence()
HOUR = timedelta(hours=1)
lengths = st.timedeltas(timedelta(minutes=1), timedelta(days=3))


def last(*, hours, wish):
    return LastLook(NOON - hours * HOUR, wish * HOUR, "weekly")


def wanting(hours):
    seen = look(drifted())
    return msgspec.structs.replace(
        seen, decision=msgspec.structs.replace(seen.decision, next_check=hours * HOUR, cadence="daily")
    )


@pytest.fixture
def registry(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as opened:
        yield opened


def test_the_scheduled_look_is_made_when_nothing_else_was_said():
    assert not_due(None, NOON, LIMITS) is None
    assert not_due(last(hours=6, wish=6), NOON + timedelta(seconds=-20), LIMITS) is None


def test_a_model_that_is_wanted_less_often_is_left_out_once():
    said = not_due(last(hours=6, wish=12), NOON, LIMITS)

    assert said == "the last look was 6h ago, and its decision wants the next after 12h"
    assert not_due(last(hours=12, wish=12), NOON, LIMITS) is None


def test_no_two_looks_are_closer_than_the_configuration_allows():
    said = not_due(last(hours=0.5, wish=1), NOON, LIMITS)

    assert said == "the last look was 30m ago, and no two are closer than 1h (detection.cadence.fastest)"


def test_a_look_in_the_future_of_the_wall_clock_belongs_to_a_replay_and_decides_nothing():
    assert not_due(last(hours=-50, wish=24), NOON, LIMITS) is None


@given(wish=lengths, since=lengths)
def test_a_look_that_is_overdue_is_never_left_out(wish, since):
    kept = LastLook(NOON - since - max(wish, LIMITS.fastest), wish, None)

    assert not_due(kept, NOON, LIMITS) is None


def test_an_extra_look_is_wanted_only_before_the_schedule_comes():
    assert extra(wanting(6), LIMITS) is extra(wanting(12), LIMITS) is None
    assert extra(wanting(3), LIMITS) == NOON + 3 * HOUR


@given(wish=lengths)
def test_an_extra_look_is_never_closer_than_the_configuration_allows(wish):
    at = extra(wanting(wish / HOUR), LIMITS)

    assert at is None or NOON + LIMITS.fastest <= at < NOON + LIMITS.check


def test_the_last_look_is_read_from_its_report(registry):
    plain = wanting(3).to_dict()
    plain.pop("at")
    registry.save_drift_report("churn", NOON, plain)

    assert last_look(registry, "churn") == LastLook(NOON, 3 * HOUR, "daily")
    assert last_look(registry, "nobody") is None


def test_looks_at_tables_do_not_count_as_looks_at_live_traffic(registry):
    decision = {"next_check": "PT3H", "cadence": "daily"}
    registry.save_drift_report("churn", NOON, {"decision": decision})
    registry.save_drift_report("churn", NOON + HOUR, {"decision": decision, "source": "table"})

    assert last_look(registry, "churn") == LastLook(NOON, 3 * HOUR, "daily")


def test_a_report_of_another_kind_says_nothing_of_the_pace(registry):
    registry.save_drift_report("churn", NOON, {"decision": {"next_check": "soon"}})

    assert last_look(registry, "churn") is None


def test_a_changed_pace_is_written_into_the_audit_trail_and_an_unchanged_one_is_not(registry):
    changed = note_pace(registry, None, wanting(3), LIMITS)
    again = note_pace(registry, LastLook(NOON, 3 * HOUR, "daily"), wanting(3), LIMITS)

    (entry,) = registry.audit("churn", action="cadence.changed")
    assert (changed, again) == (True, False)
    assert (entry.before["next_check"], entry.after) == ("6h", {"next_check": "3h", "retraining": "daily"})
