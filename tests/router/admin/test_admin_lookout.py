"""A split that is not the planned one is noted once and never by chance; so is how a shadow differs."""

import math

import numpy as np
import pytest
from router_live import plan_after

from registry.eventlog.events import Predicted, Shadowed
from registry.eventlog.segments import PREDICTIONS, SHADOWS, SegmentWriter
from router.admin.lookout import SRM_ALPHA, Lookout, log_split_evidence
from router.admin.workers import troubles
from router.board import Board
from router.report import Report

PLANNED = {"champion": 900_000, "challenger": 100_000}


def first_alarms(share: float, runs: int, looks: int, between: int, seed: int) -> list[int | None]:
    """Keys until the alarm in each of many runs, looked at every so many keys; None without one."""
    dealt = np.random.default_rng(seed).binomial(between, share, (runs, looks)).cumsum(axis=1)
    found: list[int | None] = []
    for run in dealt:
        keys = ((int(theirs), between * (look + 1)) for look, theirs in enumerate(run))
        alarms = (n for k, n in keys if log_split_evidence({"challenger": k, "champion": n - k}, PLANNED) >= bound())
        found.append(next(alarms, None))
    return found


def bound() -> float:
    return -math.log(SRM_ALPHA)


def test_a_split_as_planned_is_hardly_ever_suspected_however_often_one_looks():
    alarms = first_alarms(0.1, runs=3000, looks=50, between=400, seed=1)

    assert sum(alarm is not None for alarm in alarms) <= 9  # 3 expected at most; 10 or more once in 900 times


def test_a_split_of_twelve_instead_of_ten_percent_is_found():
    alarms = first_alarms(0.12, runs=200, looks=100, between=200, seed=2)

    assert None not in alarms
    assert np.quantile(alarms, 0.99) <= 15_000


def test_keys_where_nobody_was_to_be_are_no_chance():
    assert log_split_evidence({"a": 10, "b": 1}, {"a": 1, "b": 0}) == math.inf
    assert log_split_evidence({"a": 10}, {"a": 1, "b": 0}) == pytest.approx(0.0, abs=1e-9)
    assert log_split_evidence({}, PLANNED) == pytest.approx(0.0, abs=1e-9)


def prediction(number, variant, phase, **more):
    row = {"model": "m", "features": {"x": 1.0}, "served": variant, "assigned": variant, "epoch": 2, "phase": phase}
    row |= {"assigned_version": "v1.0.0", "version": "v1.0.0", "enrolled": True, "reason": "bucket", "weight": 10**5}
    row |= {"score": 0.6, "prediction": 1, "latency_ms": 1.0, "time": float(number)}
    return Predicted(**row, id=f"p{number}", key=f"k{number}", **more)


def test_a_lost_half_of_the_challengers_callers_is_noted_once(settings, keeper, registry):
    registry.publish_plan(plan_after(registry, 100_000))
    variants = ["challenger"] * 100 + ["champion"] * 1900
    events = [prediction(n, variant, "canary") for n, variant in enumerate(variants)]
    SegmentWriter(settings.events_dir, PREDICTIONS).append(events)
    keeper.turn()
    lookout = Lookout(keeper)

    [finding] = lookout.look("m")
    assert "challenger 100 keys, 200 expected" in finding.said
    assert lookout.look("m") == Lookout(keeper).look("m") == []
    assert [note["kind"] for note in keeper.notes("m", 10)] == ["srm"]


def test_a_shadow_is_described_after_a_hundred_copies(settings, keeper, registry):
    registry.publish_plan(plan_after(registry, 0, phase="shadow", shadows=("v1.1.0",)))
    events = [prediction(n, "champion", "shadow", shadows=("v1.1.0",)) for n in range(120)]
    SegmentWriter(settings.events_dir, PREDICTIONS).append(events)
    common = {"model": "m", "version": "v1.1.0"}
    copies = [Shadowed(**common, id=f"p{n}", score=0.4, prediction=0, latency_ms=2.0) for n in range(110)]
    SegmentWriter(settings.events_dir, SHADOWS).append([*copies, Shadowed(**common, id="p110", dropped="lag")])
    keeper.turn()

    [finding] = Lookout(keeper).look("m")
    assert finding.about == "shadow: v1.1.0 as a shadow, after 100 copies:"
    for figure in ("100.00% of another class", "score -0.2 on average", "2 ms each", "110 of 120 copies", "1 dropped"):
        assert figure in finding.said
    assert Lookout(keeper).look("m") == []


def test_a_champion_alone_is_not_looked_at(keeper, registry):
    assert Lookout(keeper).look("m") == []


def test_a_trouble_of_the_router_is_noted_when_it_begins_and_when_it_ends(keeper):
    told = iter([{}, {"event log": "full"}, {"event log": "full"}, None, {"m": "bad plan"}, {}])
    lookout = Lookout(keeper, lambda: next(told))
    for _ in range(6):
        lookout.look_at_router(["m"])

    assert [(note["kind"], note["said"]) for note in reversed(keeper.notes("m", 20))] == [
        ("degraded", "event log: full"),
        ("recovered", "event log: full"),
        ("degraded", "router: no worker answers"),
        ("degraded", "m: bad plan"),
        ("recovered", "router: no worker answers"),
        ("recovered", "m: bad plan"),
    ]


def test_a_router_that_is_not_there_is_told_from_one_without_troubles(live):
    assert troubles(live.settings.router_url) is None
    live.start("router")

    assert troubles(live.settings.router_url) == {}


def test_the_trouble_of_one_worker_does_not_end_while_another_has_none(settings):
    well, ill = Board.open(settings.run_dir, "worker"), Board.open(settings.run_dir, "worker")
    ill.publish(Report(troubles={"event log": "it cannot be written"}))
    well.publish(Report())

    assert troubles(settings.router_url, well.read()) == {"event log": "it cannot be written"}
    assert troubles(settings.router_url, []) is None
