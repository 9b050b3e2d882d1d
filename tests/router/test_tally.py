"""Counts of a worker: by the variant assigned, whole under merging, bounded in size."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_making import plan_of

from registry.eventlog.events import Predicted
from registry.records.plan import Arm
from router.board import BUFFER
from router.report import Report, encoded
from router.tally import MOST_PAST, MOST_REASONS, Tallies, Tally

CALLS = st.lists(
    st.tuples(
        st.sampled_from(["answered", "raised", "deadline", "stopped", "breaker_open", "champion_raised"]),
        st.integers(1, 50),
        st.integers(0, 50),
        st.sampled_from([0.05, 0.5, 3.0, 400.0, 5000.0]),
    ),
    max_size=30,
)


def tally(**changes):
    return Tally("m", "canary", "challenger", "v1.1.0", **changes)


def counted(calls):
    made = tally(cap_ms=250.0)
    for kind, n, enrolled, latency in calls:
        enrolled = min(enrolled, n)
        if kind == "answered":
            made.answered(n, enrolled, latency)
        elif kind.startswith("champion"):
            made.failed(kind, n, enrolled, latency)
        else:
            made.fell_back(kind, n, enrolled, latency)
    return made


def predicted(place, **changes):
    values = {
        "model": "m",
        "id": f"p{place}",
        "key": "k",
        "time": 1.0,
        "features": {},
        "assigned": "challenger",
        "served": "challenger",
        "assigned_version": "v1.1.0",
        "version": "v1.1.0",
        "epoch": 2,
        "phase": "canary",
        "enrolled": True,
        "reason": "bucket",
        "score": 0.5,
        "prediction": 1,
        "latency_ms": 2.0,
        "place": place,
    }
    return Predicted(**(values | changes))


@given(CALLS)
def test_every_row_is_counted_once_as_answered_or_with_its_reason(calls):
    made = counted(calls)

    rows = made.rows + sum(n for n, _ in made.fallbacks.values()) + sum(n for n, _ in made.errors.values())
    assert rows == sum(n for _, n, _, _ in calls)
    taking_part = [kind for kind, _, enrolled, _ in calls if enrolled and kind != "stopped"]
    assert (made.asked, made.suspect) == (len(taking_part), sum(kind != "answered" for kind in taking_part))


@given(CALLS, st.integers(0, 30))
def test_two_workers_together_have_counted_what_one_would_have(calls, cut):
    merged, whole = counted(calls[:cut]), counted(calls)
    merged.merge(counted(calls[cut:]))

    exact = {"sum_ms", "squares", "total_ms"}
    for name in tally().__struct_fields__:
        ours, theirs = getattr(merged, name), getattr(whole, name)
        assert ours == (pytest.approx(theirs) if name in exact else theirs), name


def test_the_buckets_hold_answers_and_late_answers_and_nothing_that_was_never_timed():
    made = tally(cap_ms=250.0)
    made.answered(10, 10, 0.3)
    made.answered(1, 0, 2000.0)
    made.fell_back("deadline", 1, 1, 250.0)
    made.fell_back("breaker_open", 5, 5, 0.0)
    made.fell_back("raised", 5, 5, 0.1)

    assert sum(made.buckets) == 3
    assert (made.buckets[2], made.buckets[-1]) == (1, 1)
    assert (made.timed, made.sum_ms) == (2, pytest.approx(250.3))


def test_for_the_guards_no_latency_is_longer_than_the_deadline():
    made = tally(cap_ms=250.0)
    made.answered(1, 1, 60_000.0)

    assert (made.sum_ms, made.squares, made.total_ms) == (250.0, 62_500.0, 60_000.0)


def test_a_request_of_many_rows_counts_once_whether_it_is_answered_or_not():
    made = tally()
    made.fell_back("deadline", 100, 100, 250.0)
    made.answered(300, 300, 2.0)

    assert (made.asked, made.suspect, made.fallbacks) == (2, 1, {"deadline": [100, 100]})


def test_requests_that_were_answered_in_one_turn_are_counted_apart():
    made = tally()
    made.answered(64, 60, 2.0, requests=60)
    made.fell_back("breaker_open", 30, 30, 0.0, requests=3)

    assert (made.asked, made.suspect, made.timed) == (63, 3, 1)


def test_reasons_are_bounded():
    made = tally()
    for number in range(1000):
        made.fell_back(f"reason {number}", 1, 1, 0.0)

    assert len(made.fallbacks) == MOST_REASONS + 1
    assert made.fallbacks["other"] == [1000 - MOST_REASONS, 1000 - MOST_REASONS]


def test_the_rows_of_a_request_are_counted_as_one_call_of_each_variant():
    tallies = Tallies()
    champion = {"assigned": "champion", "served": "champion", "assigned_version": "v1.0.0", "version": "v1.0.0"}
    late = {"served": "champion", "version": "v1.0.0", "error": "deadline", "latency_ms": 250.0}
    tallies.count([predicted(0, **champion), predicted(1, **champion, enrolled=False)])
    tallies.count([predicted(0, **late), predicted(1, **late)])
    tallies.count([predicted(0, failed=True, score=None, error="champion_raised")])

    ours, theirs = tallies.of(plan_of(), "champion"), tallies.of(plan_of(), "challenger")

    assert (ours.rows, ours.enrolled, ours.timed) == (2, 1, 1)
    assert (theirs.fallbacks, theirs.errors) == ({"deadline": [2, 2]}, {"champion_raised": [1, 1]})
    assert (theirs.rows, theirs.asked, theirs.suspect) == (0, 2, 2)


def test_a_tally_is_the_same_until_the_phase_or_the_version_changes():
    tallies = Tallies()
    first = tallies.of(plan_of(), "challenger")

    assert tallies.of(plan_of(epoch=3), "challenger") is first
    assert tallies.of(plan_of(phase="next"), "challenger") is not first
    assert first.cap_ms == plan_of().guards.deadline_ms


def test_a_worker_of_many_phases_keeps_few_tallies_and_all_counts():
    tallies = Tallies()
    for number in range(300):
        tallies.of(plan_of(phase=f"p{number}"), "challenger").answered(1, 1, 1.0)
        tallies.fold({("m", f"p{number}")})

    kept = list(tallies)
    assert len(kept) <= MOST_PAST + 2
    assert sum(each.rows for each in kept) == 300
    assert {f"p{number}" for number in range(236, 300)} <= {each.phase for each in kept}


def test_a_worker_of_many_versions_has_room_for_all_counts_on_the_board():
    tallies = Tallies()
    for number in range(1000):
        arms = (plan_of().arms[0], Arm(variant="challenger", version=f"v1.{number}.0"))
        plan = plan_of(phase=f"p{number}", arms=arms)
        tallies.of(plan, "champion").answered(1, 1, 1.0)
        tallies.of(plan, "challenger").fell_back("deadline", 1, 1, 250.0)
        tallies.fold({("m", f"p{number}")})

    kept = list(tallies)
    assert not encoded(Report(tallies=kept), BUFFER - 16)[1]
    assert sum(each.rows for each in kept if each.variant == "champion") == 1000
    assert sum(each.fallbacks["deadline"][0] for each in kept if each.variant == "challenger") == 1000
    assert {each.version for each in kept if each.variant == "champion"} == {"v1.0.0"}


def test_a_tally_is_the_same_after_a_journey():
    made = counted([("answered", 3, 2, 1.0), ("raised", 1, 1, 0.0)])

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Tally) == made
