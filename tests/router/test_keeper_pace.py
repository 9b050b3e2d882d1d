"""However long the statistics of a phase take, others get their turn, a rollback acts at once, and the guards look."""

import threading
import time

import pytest
from router_live import plan_after

from registry.eventlog.events import Predicted
from registry.eventlog.segments import SegmentWriter
from registry.store.registry import Registry
from router.keeper import Keeper
from router.lastgood import override_of

SLOW_S = 0.3


def failed(number):
    return Predicted(
        model="m",
        id=f"p{number}",
        key="k",
        time=1000.0,
        features={"x": 1.0, "c": "a"},
        assigned="challenger",
        served="champion",
        assigned_version="v1.1.0",
        version="v1.0.0",
        epoch=2,
        phase="canary",
        enrolled=True,
        reason="bucket",
        score=0.5,
        prediction=1,
        latency_ms=1.0,
        error="raised",
    )


@pytest.fixture
def looks(monkeypatch):
    """When the guards looked; each look takes long."""
    times = []

    def slow(*_, **__):
        times.append(time.monotonic())
        began = time.thread_time()
        while time.thread_time() - began < SLOW_S:
            sum(range(1000))

    monkeypatch.setattr("router.keeper.trips", slow)
    return times


@pytest.fixture
def keeper(settings, registry):
    registry.publish_plan(plan_after(registry, 300_000))
    return Keeper(settings, lambda: Registry.open(settings.registry_url))


def test_slow_guards_leave_most_of_the_time_to_others_and_owe_no_look(settings, keeper, looks):
    writer, began = SegmentWriter(settings.events_dir, "worker"), time.monotonic()
    for number in range(40):
        writer.append([failed(number)])
        keeper.turn()
        time.sleep(0.01)
    assert len(looks) * SLOW_S < 0.6 * (time.monotonic() - began) + SLOW_S
    before = len(looks)

    deadline = time.monotonic() + 20
    while len(looks) == before and time.monotonic() < deadline:
        keeper.turn()
        time.sleep(0.01)

    assert len(looks) == before + 1


def test_a_rollback_stops_the_challenger_while_the_guards_still_look(settings, keeper, looks):
    keeper.plan("m")
    SegmentWriter(settings.events_dir, "worker").append([failed(1)])
    looking = threading.Thread(target=keeper.turn)
    looking.start()
    while not looks:
        time.sleep(0.001)

    asking = threading.Thread(target=keeper.roll_back, args=("m",), kwargs={"actor": "ann", "reason": "now"})
    asking.start()
    while override_of(settings.run_dir / "plans", "m") is None and looking.is_alive():
        time.sleep(0.001)
    still_looking = looking.is_alive()
    looking.join()
    asking.join()

    assert still_looking
    assert keeper.plan("m").challengers == ()
