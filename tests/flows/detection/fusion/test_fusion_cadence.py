from datetime import timedelta

import pytest
from fusion_making import NOON, make_config
from hypothesis import given
from hypothesis import strategies as st

from flows.config.detection.cadence import Cadence
from flows.config.detection.fusion import Fusion
from flows.detection.fusion.cadence import overdue, pace
from flows.detection.fusion.severity import LEVELS
from flows.errors import ConfigError

LIMITS = Cadence()
DAY = timedelta(days=1)
ages = st.none() | st.timedeltas(timedelta(0), timedelta(days=1000))


@pytest.mark.parametrize(
    ("severity", "in_service", "rhythm", "hours"),
    [
        ("LOW", 10 * DAY, "weekly", 6),
        ("LOW", None, "weekly", 6),
        ("LOW", 100 * DAY, "monthly", 12),
        ("MEDIUM", 100 * DAY, "weekly", 3),
        ("HIGH", 100 * DAY, "daily", 1.5),
        ("CRITICAL", 10 * DAY, "immediate", 1),
    ],
)
def test_the_worse_it_looks_the_sooner(severity, in_service, rhythm, hours):
    found = pace(severity, 0.05, in_service, LIMITS)

    assert (found.rhythm, found.next_check) == (rhythm, timedelta(hours=hours))


@given(st.sampled_from(LEVELS), st.floats(0, 1), ages)
def test_no_pace_leaves_the_limits_and_none_is_slower_for_being_worse(severity, confidence, in_service):
    found = pace(severity, confidence, in_service, LIMITS)
    worse = pace(LEVELS[min(LEVELS.index(severity) + 1, 3)], confidence, in_service, LIMITS)

    assert LIMITS.fastest <= worse.next_check <= found.next_check <= LIMITS.slowest
    assert worse.every <= found.every


def test_retraining_is_due_weekly_for_three_months_and_monthly_afterwards():
    young, grown = NOON - 60 * DAY, NOON - 120 * DAY

    assert overdue(NOON - 8 * DAY, young, NOON, LIMITS) == 1
    assert overdue(NOON - 6 * DAY, young, NOON, LIMITS) == -1
    assert overdue(NOON - 8 * DAY, grown, NOON, LIMITS) == -22


def test_limits_that_cannot_hold_are_refused():
    for section in ({"cadence": {"check": "30m"}}, {"fusion": {"high": 0.01}}):
        with pytest.raises(ConfigError, match="must"):
            make_config(detection=section)


def test_the_defaults_agree_with_each_other():
    assert Fusion().medium <= Fusion().worth <= Fusion().high
