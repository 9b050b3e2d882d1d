"""When a retraining begins: laws first, then the numbers that people are told."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.operations import Schedule
from flows.training.timing import URGENT, Situation, decide_when, paced, price, worth

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
days = st.floats(0.01, 400).map(lambda n: timedelta(days=n))
maybe = st.none() | st.floats(0, 100)

situations = st.builds(
    Situation,
    now=st.floats(0, 365).map(lambda n: NOON + n * DAY),
    trigger=st.sampled_from(["drift", "performance", "age", "volume", "schedule", "manual", "emergency", "initial"]),
    severity=st.sampled_from(["LOW", "MEDIUM", "HIGH", "CRITICAL"]),
    last=st.none() | st.floats(0, 365).map(lambda n: NOON - n * DAY),
    every=days,
    rebuild=st.booleans(),
    waited=st.booleans(),
    gain=maybe,
    expected_s=st.none() | st.floats(0, 1e5),
    spent=st.lists(st.tuples(st.floats(-10, 0).map(lambda n: NOON + n * DAY), st.floats(0, 1e5)), max_size=5).map(
        tuple
    ),
)
limits = st.builds(
    Schedule,
    fastest=st.floats(0.1, 10).map(lambda n: timedelta(days=n)),
    slowest=st.floats(10, 60).map(lambda n: timedelta(days=n)),
    off_peak=st.none() | st.sampled_from(["22:00-06:00", "01:00-05:30", "12:00-13:00", "23:59-00:00"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]),
    patience=st.floats(0.1, 48).map(lambda n: timedelta(hours=n)),
    budget=st.none() | st.floats(1, 1e6).map(lambda n: timedelta(seconds=n)),
    cost_per_hour=st.floats(0, 100),
    value_per_point=maybe,
)


def due(**changes):
    said = {"now": NOON, "trigger": "schedule", "last": NOON - 8 * DAY, "every": 7 * DAY}
    return Situation(**(said | changes))


@given(situations, limits)
def test_people_emergencies_and_what_is_critical_never_wait(asked, schedule):
    urgent = asked.trigger in URGENT or asked.severity == "CRITICAL" or asked.last is None

    assert not urgent or decide_when(asked, schedule).kind == "now"


@given(situations, limits)
def test_what_waits_waits_for_the_hours_and_no_longer_than_the_patience(asked, schedule):
    when = decide_when(asked, schedule)
    if when.kind != "later" or "off-peak" not in when.said:
        assert (when.at is None) == (when.kind != "later")
        return
    here = when.at.astimezone(ZoneInfo(schedule.timezone))

    assert timedelta(0) < when.at - asked.now <= schedule.patience
    assert f"{here:%H:%M}" == schedule.off_peak[:5]
    assert not asked.waited


@given(situations, limits)
def test_once_the_hours_have_come_it_waits_no_more(asked, schedule):
    when = decide_when(asked, schedule)
    if when.at is None:
        return
    then = Situation(**{name: getattr(asked, name) for name in Situation.__slots__} | {"now": when.at, "waited": True})

    assert decide_when(then, schedule).kind == "now"


@given(situations, limits)
def test_nothing_is_left_out_for_its_worth_unless_it_is_known_to_be_below_its_price(asked, schedule):
    if decide_when(asked, schedule).kind == "not_worth_it":
        assert worth(asked, schedule) < price(asked, schedule)
        assert asked.now - asked.last < schedule.slowest


@given(situations, limits)
def test_the_budget_holds_for_everything_that_may_wait(asked, schedule):
    when = decide_when(asked, schedule)
    waits = asked.trigger not in URGENT and asked.severity != "CRITICAL" and asked.last is not None
    begins = {"now": asked.now, "later": when.at}.get(when.kind)
    if waits and begins is not None and schedule.budget is not None:
        assert asked.spent_s(begins) + (asked.expected_s or 0) <= schedule.budget.total_seconds() * (1 + 1e-9)


@given(situations, limits, st.floats(0, 50))
def test_a_larger_gain_never_turns_a_retraining_off(asked, schedule, more):
    richer = Situation(
        **{name: getattr(asked, name) for name in Situation.__slots__} | {"gain": (asked.gain or 0) + more}
    )
    known = decide_when(asked, schedule).kind in ("now", "later") and asked.gain is not None

    assert not known or decide_when(richer, schedule).kind in ("now", "later")


@given(days, limits)
def test_a_pace_stays_within_its_limits(every, schedule):
    assert schedule.fastest <= paced(every, schedule) <= schedule.slowest


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"last": NOON - 6 * DAY}, "not_due"),
        ({"last": NOON - 6.4 * DAY}, "now"),
        ({"last": NOON - 6 * DAY, "trigger": "drift"}, "now"),
        ({"last": NOON - 6 * DAY, "rebuild": True}, "now"),
        ({"last": NOON - 12 * timedelta(hours=1), "rebuild": True}, "not_due"),
    ],
)
def test_only_a_schedule_must_be_due(changes, kind):
    assert decide_when(due(**changes), Schedule()).kind == kind


def test_a_gain_below_its_price_is_left_out_with_both_figures():
    schedule = Schedule(cost_per_hour=2.0, value_per_point=10.0)
    when = decide_when(due(gain=0.05, expected_s=3600.0), schedule)

    assert when.kind == "not_worth_it"
    assert when.said == (
        "the expected gain of 0.05 % of the loss is worth 0.5 until the next one, and 3600 processor seconds cost 2"
    )
    assert (when.figures["worth"], when.figures["price"]) == (0.5, 2.0)
    assert decide_when(due(gain=0.3, expected_s=3600.0), schedule).kind == "now"
    assert decide_when(due(gain=0.0, expected_s=3600.0, last=NOON - 40 * DAY), schedule).kind == "now"


def test_beyond_the_budget_the_answer_names_it():
    spent = ((NOON - 6 * DAY, 200.0), (NOON - 5 * DAY, 1800.0), (NOON - 2 * DAY, 1000.0))
    when = decide_when(due(spent=spent, expected_s=700.0), Schedule(budget=timedelta(hours=1)))

    assert (when.kind, when.at) == ("later", NOON + DAY)
    assert decide_when(due(expected_s=3700.0), Schedule(budget=timedelta(hours=1))).kind == "over_budget"
    assert "3000 processor seconds were spent in seven days and 700 more are expected; the budget is 3600" in when.said


@pytest.mark.parametrize(
    ("now", "hours", "begins"),
    [
        ("2026-10-25T01:10", "02:30-05:00", "2026-10-25T01:30"),  # it is 02:10 for the second time
        ("2026-10-25T00:10", "02:30-05:00", "2026-10-25T00:30"),  # for the first
        ("2026-03-29T00:50", "02:30-05:00", "2026-03-29T01:30"),  # 02:30 is left out: 03:30 is the same moment
        ("2026-03-28T12:00", "02:30-05:00", "2026-03-29T01:30"),
        ("2026-10-25T12:00", "22:00-06:00", "2026-10-25T21:00"),
        ("2026-03-29T12:00", "22:00-06:00", "2026-03-29T20:00"),
    ],
)
def test_hours_that_clocks_show_twice_or_never_begin_in_the_future(now, hours, begins):
    now, begins = (datetime.fromisoformat(f"{one}+00:00") for one in (now, begins))
    when = decide_when(due(now=now, last=now - 8 * DAY), Schedule(off_peak=hours, timezone="Europe/Berlin"))

    assert (when.kind, when.at) == ("later", begins)


def test_off_peak_hours_are_those_of_the_zone():
    when = decide_when(due(), Schedule(off_peak="22:00-06:00", timezone="Europe/Berlin"))

    assert when.at == datetime(2026, 3, 2, 21, tzinfo=UTC)
    assert decide_when(due(), Schedule(off_peak="22:00-06:00", timezone="Asia/Tokyo")).kind == "later"
    assert decide_when(due(now=NOON.replace(hour=23)), Schedule(off_peak="22:00-06:00")).kind == "now"
    assert decide_when(due(), Schedule(off_peak="22:00-06:00", patience=timedelta(hours=9))).kind == "now"
