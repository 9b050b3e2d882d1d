"""The pace of looks and retrainings, and its schedules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.schedules import CronSchedule
from watched_making import CONFIG

from flows.config.detection.cadence import Cadence
from flows.config.operations import Schedule
from flows.detection import pacing
from flows.detection.rhythm import STEADY, crons, length, settled
from registry.home import Settings
from registry.store.registry import Registry

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
lengths = st.integers(1, 1000).map(lambda n: n * HOUR)


@given(lengths, st.lists(lengths, min_size=1))
def test_a_faster_wish_is_followed_at_once(current, wishes):
    assert wishes[0] > current or settled(current, wishes) == wishes[0]


@given(lengths, st.lists(lengths))
def test_a_slower_pace_needs_as_many_looks_that_agree(current, wishes):
    after = settled(current, wishes)

    if after > current:
        assert len(wishes) >= STEADY
        assert after == min(wishes[:STEADY])


@given(lengths, st.lists(lengths, min_size=STEADY))
def test_one_nervous_look_does_not_make_the_pace_swing(current, wishes):
    nervous = [HOUR, *wishes]
    after = settled(settled(current, nervous), [wishes[0], *nervous])

    assert after == HOUR


@pytest.mark.parametrize(
    ("look", "retrain", "wanted"),
    [
        (6 * HOUR, DAY, (None, "0 3 * * *", False)),
        (1.5 * HOUR, 7 * DAY, ("15 */2 * * *", "0 3 * * 1", False)),
        (HOUR, 30 * DAY, ("15 */1 * * *", "0 20 * * 0#1", True)),
        (5 * HOUR, 90 * DAY, ("15 */6 * * *", "0 20 * * 0#1", True)),
    ],
)
def test_a_pace_is_written_as_schedules_that_prefect_takes(look, retrain, wanted):
    found = crons(look, retrain, Cadence(), Schedule())

    assert found == wanted
    for cron in filter(None, (found.look, found.retrain)):
        assert CronSchedule(cron=cron, timezone="UTC").cron == cron


def test_limits_and_off_peak_hours_show_in_the_schedule():
    limits = Schedule(fastest=7 * DAY, off_peak="23:30-05:00")

    assert crons(6 * HOUR, DAY, Cadence(), limits).retrain == "30 23 * * 1"
    assert crons(6 * HOUR, 90 * DAY, Cadence(), Schedule(slowest=10 * DAY)).retrain == "0 3 * * 1"
    assert length("immediate", Cadence()) == DAY


@pytest.fixture
def registry():
    with Registry.open(Settings().prepare().registry_url) as opened:
        yield opened


def looked(registry, ago, rhythm, every):
    decision = {"cadence": rhythm, "next_check": f"PT{every}H"}
    registry.save_drift_report("churn", NOW - ago, {"decision": decision, "source": "log"})


def test_without_looks_a_young_model_keeps_the_schedules_of_all(registry):
    assert pacing.adapt(registry, CONFIG, NOW) is None
    assert pacing.pace_in_force(registry, CONFIG, NOW) == (6 * HOUR, 7 * DAY, False)


def test_trouble_makes_it_faster_at_once_and_calm_slower_after_four_looks_each_with_an_audit_entry(registry):
    looked(registry, 9 * HOUR, "daily", 2)
    fast = pacing.adapt(registry, CONFIG, NOW)
    for hours in (3, 2, 1):
        looked(registry, hours * HOUR, "weekly", 6)
    still = pacing.adapt(registry, CONFIG, NOW)
    looked(registry, 0 * HOUR, "weekly", 6)
    calm = pacing.adapt(registry, CONFIG, NOW)

    slower, faster = registry.audit("churn", action=pacing.ACTION)
    assert (fast.retrain, still, calm.retrain) == ("0 3 * * *", fast, "0 3 * * 1")
    assert (faster.before["retrain"], faster.after["retrain"], faster.after["look"]) == ("1w", "1d", "2h")
    assert (slower.before["retrain"], slower.after["retrain"]) == ("1d", "1w")
    assert faster.reason == "the last look asks for it: retraining daily, next look after 2h"
    assert pacing.pace_in_force(registry, CONFIG, NOW) == (6 * HOUR, 7 * DAY, True)


def test_narrower_limits_change_the_schedules_of_the_same_pace_with_an_audit_entry(registry):
    looked(registry, HOUR, "daily", 6)
    narrow = CONFIG.model_copy(update={"schedule": Schedule(fastest=7 * DAY)})
    crons_of = [pacing.adapt(registry, one, NOW).retrain for one in (CONFIG, CONFIG, narrow, narrow)]

    second, first = registry.audit("churn", action=pacing.ACTION)
    assert crons_of == ["0 3 * * *", "0 3 * * *", "0 3 * * 1", "0 3 * * 1"]
    assert (first.after["fastest"], second.after["fastest"]) == ("1d", "1w")
    assert (second.before["retrain_cron"], second.after["retrain_cron"]) == ("0 3 * * *", "0 3 * * 1")
    assert second.reason == "the limits of the configuration changed"


def test_a_configuration_that_is_not_adaptive_is_left_alone(registry):
    fixed = CONFIG.model_copy(update={"schedule": Schedule(adaptive=False)})
    looked(registry, HOUR, "daily", 1)

    assert pacing.adapt(registry, fixed, NOW) is None
    assert registry.audit("churn", action=pacing.ACTION) == []
