"""Whatever a challenger does, its caller gets the champion's answer in the same request."""

import asyncio
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from registry.assignment import home_slices
from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from registry.records.version import Feature, ModelVersion, TrainingData
from router.breaker import Breaker
from router.decode import Row
from router.models import Loaded, Snapshot
from router.predict import answer

AT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [Row(key=f"k{i}", features={"x": float(i)}, id=f"p{i}", time=0.0) for i in range(20)]


class Constant:
    def __init__(self, value):
        self.value = value

    def score(self, rows):
        return np.full(len(rows), self.value)

    def predictions(self, scores):
        return [int(score >= 0.5) for score in scores]


class Raises(Constant):
    def score(self, rows):
        raise RuntimeError("no such tree")


class Short(Constant):
    def score(self, rows):
        return np.full(len(rows) + 1, 0.9)


class Hangs(Constant):
    def __init__(self):
        super().__init__(0.9)
        self.release = threading.Event()

    def score(self, rows):
        self.release.wait(20)
        return super().score(rows)


def loaded(version, scorer):
    record = ModelVersion(
        model="m",
        version=version,
        task="binary",
        target="y",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="linear",
        data=TrainingData(rows=1, start=None, end=None, source="test", fingerprint="0"),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=AT,
        actor="test",
        reason="test",
    )
    return Loaded(record, scorer, ThreadPoolExecutor(1))


def snapshot(challenger, *, champion=None, deadline_ms=100.0, stopped=None):
    plan = TrafficPlan(
        model="m",
        epoch=2,
        phase="canary",
        salt="s",
        slices=tuple(Slice(variant=v, weight=w) for v, w in home_slices({"challenger": 500_000})),
        arms=(Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v1.1.0")),
        guards=Guards(deadline_ms=deadline_ms),
        created_at=AT,
        actor="test",
        reason="test",
    )
    arms = {"champion": loaded("v1.0.0", champion or Constant(0.1)), "challenger": loaded("v1.1.0", challenger)}
    return Snapshot(plan, arms, {"challenger": Breaker(5, 2.0, time.monotonic)}, stopped)


def ask(seen, rows=ROWS):
    numbers = itertools.count()
    return asyncio.run(answer(seen, rows, clock=lambda: 0.0, new_id=lambda: f"n{next(numbers)}"))


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (Raises(0.9), "raised"),
        (Constant(float("nan")), "not_finite"),
        (Constant(float("inf")), "not_finite"),
        (Short(0.9), "wrong_shape"),
    ],
)
def test_a_broken_challenger_is_answered_by_the_champion_and_counted(challenger, reason):
    events = ask(snapshot(challenger))

    theirs = [event for event in events if event.assigned == "challenger"]
    assert 0 < len(theirs) < len(events)
    assert {(event.served, event.score, event.version, event.failed) for event in events} == {
        ("champion", 0.1, "v1.0.0", False)
    }
    assert all(event.error == reason for event in theirs)
    assert all(event.error is None for event in events if event.assigned == "champion")


def test_a_hung_challenger_costs_its_deadline_once_and_then_nothing():
    hung = Hangs()
    seen = snapshot(hung, deadline_ms=50)
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
    events = ask(snapshot(Constant(0.9)))

    assert {(event.assigned, event.served, event.score) for event in events} == {
        ("champion", "champion", 0.1),
        ("challenger", "challenger", 0.9),
    }


def test_a_stopped_challenger_is_not_asked():
    events = ask(snapshot(Raises(0.9), stopped="guard"))

    assert {event.error for event in events if event.assigned == "challenger"} == {"stopped"}
    assert all(event.score == 0.1 for event in events)


def test_a_failing_champion_is_an_error_with_its_id_and_never_a_silent_promotion():
    events = ask(snapshot(Constant(0.9), champion=Raises(0.1)))

    champions = [event for event in events if event.assigned == "champion"]
    assert all(event.failed and event.score is None and event.served == "champion" for event in champions)
    assert [event.id for event in events] == [row.id for row in ROWS]


def test_rows_come_back_in_their_order():
    events = ask(snapshot(Constant(0.9)))

    assert [event.features["x"] for event in events] == [row.features["x"] for row in ROWS]
