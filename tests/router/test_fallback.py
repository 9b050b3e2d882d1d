"""Whatever a challenger does, its caller gets the champion's answer in the same request."""

import asyncio
import dataclasses
import itertools
import threading
import time

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_making import Constant, Raises, Scoring, plan_of, snapshot_of

from router.decode import Row
from router.predict import answer

ROWS = [Row(key=f"k{i}", features={"x": float(i)}, id=f"p{i}", time=0.0) for i in range(20)]


class Hangs(Constant):
    def __init__(self):
        super().__init__(0.9)
        self.release = threading.Event()

    def score(self, rows):
        self.release.wait(20)
        return super().score(rows)


class Undecided(Constant):
    def predictions(self, scores):
        return []


def ask(seen, rows=ROWS):
    numbers = itertools.count()
    return asyncio.run(answer(seen, rows, clock=lambda: 0.0, new_id=lambda: f"n{next(numbers)}"))


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (Raises(0.9), "raised"),
        (Constant(float("nan")), "not_finite"),
        (Constant(float("inf")), "not_finite"),
        (Constant(1.2), "out_of_range"),
        (Scoring(lambda rows: np.full(len(rows) + 1, 0.9)), "wrong_shape"),
        (Scoring(lambda rows: np.full((len(rows), 2), 0.9)), "raised"),
        (Scoring(lambda rows: None), "raised"),
        (Undecided(0.9), "wrong_shape"),
    ],
)
def test_a_broken_challenger_is_answered_by_the_champion_and_counted(challenger, reason):
    events = ask(snapshot_of(challenger))

    theirs = [event for event in events if event.assigned == "challenger"]
    assert 0 < len(theirs) < len(events)
    assert {(event.served, event.score, event.version, event.failed) for event in events} == {
        ("champion", 0.1, "v1.0.0", False)
    }
    assert all(event.error == reason for event in theirs)
    assert all(event.error is None for event in events if event.assigned == "champion")


def test_a_hung_challenger_costs_its_deadline_once_and_then_nothing():
    hung = Hangs()
    seen = snapshot_of(hung, deadline_ms=50)
    spent = []
    try:
        for _ in range(8):
            began = time.perf_counter()
            events = ask(seen)
            spent.append(time.perf_counter() - began)
            assert all(event.score == 0.1 for event in events)
        reasons = {event.error for event in events if event.assigned == "challenger"}
    finally:
        hung.release.set()

    assert max(spent) < 2
    assert reasons == {"breaker_open"}


def test_a_good_challenger_answers_its_own_callers():
    events = ask(snapshot_of(Constant(0.9)))

    assert {(event.assigned, event.served, event.score) for event in events} == {
        ("champion", "champion", 0.1),
        ("challenger", "challenger", 0.9),
    }


def test_a_stopped_challenger_is_not_asked():
    events = ask(snapshot_of(Raises(0.9), stopped="guard"))

    assert {event.error for event in events if event.assigned == "challenger"} == {"stopped"}
    assert all(event.score == 0.1 for event in events)


def test_a_failing_champion_is_an_error_with_its_id_and_never_a_silent_promotion():
    events = ask(snapshot_of(Constant(0.9), champion=Raises(0.1)))

    champions = [event for event in events if event.assigned == "champion"]
    assert all(event.failed and event.score is None and event.served == "champion" for event in champions)
    assert [event.id for event in events] == [row.id for row in ROWS]


def test_rows_come_back_in_their_order():
    events = ask(snapshot_of(Constant(0.9)))

    assert [event.features["x"] for event in events] == [row.features["x"] for row in ROWS]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.floats() | st.integers() | st.text(max_size=3) | st.lists(st.floats()), max_size=25))
def test_whatever_a_challenger_says_every_caller_gets_a_number(said):
    events = ask(snapshot_of(Scoring(lambda _rows: said)))

    assert [event.id for event in events] == [row.id for row in ROWS]
    assert all(0 <= event.score <= 1 and event.prediction in (0, 1) for event in events)
    assert all((event.served == "champion") == (event.score == 0.1) for event in events if event.error)


def test_a_machine_without_threads_is_a_failure_of_the_challenger_only():
    seen = snapshot_of(Constant(0.9))
    seen.loaded["challenger"].pool.shutdown()

    events = ask(seen)

    assert all(event.score == 0.1 for event in events)
    assert {event.error for event in events if event.assigned == "challenger"} == {"raised"}


def test_a_hung_challenger_leaves_callers_of_the_champion_alone():
    hung = Hangs()
    seen = snapshot_of(hung, deadline_ms=1000)
    theirs = [row for row in ROWS if seen.plan.assign(row.key).variant == "challenger"]
    ours = [row for row in ROWS if seen.plan.assign(row.key).variant == "champion"]

    async def both():
        waiting = asyncio.create_task(answer(seen, theirs, clock=lambda: 0.0, new_id=str))
        await asyncio.sleep(0.01)
        began = time.perf_counter()
        await answer(seen, ours, clock=lambda: 0.0, new_id=str)
        spent, late = time.perf_counter() - began, waiting.done()
        hung.release.set()
        await waiting
        return spent, late

    spent, late = asyncio.run(both())

    assert spent < 0.5
    assert not late


def test_a_request_given_up_during_a_probe_does_not_keep_the_circuit_open_for_ever():
    hung = Hangs()
    seen = snapshot_of(hung, deadline_ms=5000)
    circuit = seen.breakers["challenger"]
    circuit._open_s = 0.0
    for _ in range(5):
        circuit.failed()

    async def given_up():
        task = asyncio.create_task(answer(seen, ROWS, clock=lambda: 0.0, new_id=str))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(given_up())
    hung.release.set()

    assert {event.score for event in ask(seen) if event.assigned == "challenger"} == {0.9}
    assert circuit.state == "closed"


def test_only_callers_of_the_champion_are_copied_to_shadows():
    seen = snapshot_of(Raises(0.9))
    plan = msgspec.structs.replace(seen.plan, shadows=("v1.2.0",), forced={"champion": ("k0",), "challenger": ("k1",)})
    events = ask(type(seen)(plan, seen.loaded, seen.breakers))

    copied = {event.id for event in events if event.shadows}
    assert copied == {event.id for event in events if event.served == "champion" and event.reason != "forced"}
    assert not {"p0", "p1"} & copied


def test_the_propensity_of_a_variant_is_logged_where_it_was_drawn_also_if_another_one_served():
    seen = snapshot_of(Raises(0.9))
    plan = plan_of(share=300_000, forced={"challenger": ("k1",)}, enrolment=50)
    events = ask(
        dataclasses.replace(seen, plan=plan), [*ROWS, Row(key=None, features={"x": 0.0}, id="nobody", time=0.0)]
    )

    drawn = {(event.assigned, event.weight) for event in events if event.enrolled}
    assert drawn == {("champion", 700_000), ("challenger", 300_000)}
    assert {event.weight for event in events if not event.enrolled} == {None}
    assert {event.reason for event in events if not event.enrolled} == {"forced", "holdout", "missing_key"}
