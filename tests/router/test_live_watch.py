"""A new champion that turns bad after its promotion is taken back by the router itself, under load."""

import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest
from router_live import register, wait_for
from turning_making import Load, Turning, begin, promote, register_turning

from registry.records.live import ModelMetrics
from registry.records.watch import WatchLimits
from registry.store.registry import Registry

pytestmark = pytest.mark.timeout(180)
LIMITS = WatchLimits(min_labelled=100)


@pytest.fixture
def turning(settings, registry) -> Iterator[Turning]:
    steady, made = Turning(), Turning()
    register_turning(settings, registry, steady, "v1.5.0")
    register_turning(settings, registry, made)
    promote(registry, begin(registry, LIMITS, watch_s=0, challenger="v1.5.0"), None)
    yield made
    steady.close()
    made.close()


def by(version):
    return lambda status, body: status == 200 and body["model_version"] == version


def promoted(live, registry, load, *, requests=250):
    """Half of the callers, then all of them, watched."""
    rollout = begin(registry, LIMITS)
    live.wait_for_epoch(4)
    before = len(load.answers)
    wait_for(lambda: len(load.answers) - before > 2 * requests, "answers of both")
    metrics = ModelMetrics.from_json(live.admin.post("/v1/models/m/sync").content)
    plan = promote(registry, rollout, metrics)
    live.wait_for_epoch(plan.epoch)
    load.wait(50, by("v2.0.0"))
    return plan


def taken_back(load, since, *, also=lambda status, body: False):
    load.wait(200, by("v1.5.0"))
    bad = load.last(lambda status, body: status != 200 or body["model_version"] == "v2.0.0" or also(status, body))
    return bad - since


@pytest.mark.long
@pytest.mark.parametrize(
    ("mood", "share", "seconds", "said"),
    [
        ("500", 1.0, 2.0, "requests failed, more than the 2.0% allowed"),
        ("500", 0.1, 15.0, "requests failed, more than the 2.0% allowed"),
        ("slow", 1.0, 15.0, "mean latency"),
        ("wrong", 1.0, 30.0, "mean loss"),
        ("wrong", 0.05, 60.0, "mean loss"),
    ],
)
def test_a_champion_that_turns_bad_is_taken_back(live, registry, turning, mood, share, seconds, said):
    live.workers = 1 if share == 1 and mood == "500" else 2
    live.start("router", "control", *(["shadow"] if mood == "wrong" else []))
    with Load(live, outcomes=mood == "wrong") as load:
        plan = promoted(live, registry, load)
        turning.share, turning.mood, since = share, mood, time.monotonic()
        took = taken_back(load, since)
        asked = sum(moment > since and body.get("model_version") != "v1.5.0" for moment, _, body in load.answers)
        wait_for(lambda: registry.plan("m").epoch == plan.epoch + 1, "the registry to know")

    print(f"{mood} in {share:.0%}: taken back after {took:.2f} s and {asked} requests")
    assert took < seconds
    stages = {version.version: version.stage for version in registry.versions("m")}
    assert sorted(name for name, stage in stages.items() if stage == "production") == ["v1.5.0"]
    incident = registry.incidents("m")[0]
    assert (incident.kind, incident.version, incident.restored) == ("watch", "v2.0.0", "v1.5.0")
    assert said in incident.cause
    assert registry.watch("m") is None
    assert registry.watches("m")[0].status == "rolled_back"
    assert registry.plan("m").shadows == ()


def test_without_registry_and_control_the_workers_bring_the_former_champion_back_and_tell_it_later(
    live, registry, settings, turning
):
    live.workers = 2
    live.start("router", "control")
    with Load(live, outcomes=False) as load:
        plan = promoted(live, registry, load)
        registry.close()
        live.kill("control")
        moved = [path.rename(path.with_name(f"gone-{path.name}")) for path in settings.home.glob("registry.sqlite*")]
        turning.mood, since = "500", time.monotonic()
        took = taken_back(load, since)
        told = {body["epoch"] for _, status, body in load.answers[-50:] if status == 200}
        for path in moved:
            path.rename(path.with_name(path.name.removeprefix("gone-")))
        live.start("control")
        wait_for(lambda: live.admin.get("/v1/models/m/plan").json()["epoch"] == plan.epoch + 1, "the rollback")

    print(f"without registry and control: taken back after {took:.2f} s")
    assert took < 2.0
    assert told == {plan.epoch}
    newest = live.admin.get("/v1/models/m/plan").json()
    assert newest["arms"] == [{"variant": "champion", "version": "v1.5.0"}]
    assert "which is being watched" in newest["reason"]
    with Registry.open(settings.registry_url) as again:
        stages = {version.version: version.stage for version in again.versions("m")}
        assert [name for name, stage in stages.items() if stage == "production"] == ["v1.5.0"]
        assert [(one.kind, one.version, one.restored) for one in again.incidents("m")] == [
            ("watch", "v2.0.0", "v1.5.0")
        ]
        assert again.watch("m") is None


@pytest.mark.long
def test_a_person_takes_it_back_while_somebody_else_holds_the_registry(live, registry, settings, turning):
    live.workers = 2
    live.start("router", "control")
    with Load(live, outcomes=False) as load:
        plan = promoted(live, registry, load)
        with sqlite3.connect(settings.home / "registry.sqlite", isolation_level=None) as held:
            held.execute("BEGIN IMMEDIATE")
            since = time.monotonic()
            asking = threading.Thread(
                target=live.admin.post, args=("/v1/models/m/rollback",), kwargs={"json": {"reason": "complaints"}}
            )
            asking.start()
            took = taken_back(load, since)
            known = registry.plan("m").epoch
            held.execute("ROLLBACK")
        asking.join(30)
        wait_for(lambda: registry.plan("m").version_of("champion") == "v1.5.0", "the registry to know")

    print(f"by a person, registry held by another writer: {took:.2f} s after the call")
    assert took < 2.0
    assert known == plan.epoch
    assert registry.incidents("m")[0].kind == "person"


@pytest.mark.long
def test_a_compiled_champion_is_taken_back_on_the_short_path(live, registry, settings):
    register(settings, registry, "v3.0.0", 1e308, task="regression")
    live.start("router", "control")
    live.wait_for_epoch(1)
    plan = promote(registry, begin(registry, LIMITS, challenger="v3.0.0"), None)
    live.wait_for_epoch(plan.epoch)
    fine = live.http.post("/v1/models/m/predict", json={"key": "k", "features": {"x": 0.5, "c": "a"}}).json()

    since, statuses, versions = time.monotonic(), [], []
    while time.monotonic() - since < 3 and "v1.0.0" not in versions[-1:]:
        answer = live.http.post("/v1/models/m/predict", json={"key": "k", "features": {"x": 10.0, "c": "a"}})
        statuses.append(answer.status_code)
        versions.append(answer.json().get("model_version"))
    took = time.monotonic() - since
    wait_for(lambda: registry.plan("m").version_of("champion") == "v1.0.0", "the registry to know")

    print(f"compiled: taken back after {took:.3f} s and {statuses.count(500)} errors")
    assert fine["model_version"] == "v3.0.0"
    assert (statuses[-1], versions[-1]) == (200, "v1.0.0")
    assert took < 2.0


@pytest.mark.long
def test_a_healthy_champion_stays(live, registry, turning):
    live.start("router", "control", "shadow")
    with Load(live) as load:
        plan = promoted(live, registry, load)
        count = len(load.answers)
        wait_for(lambda: len(load.answers) > count + 1000, "a thousand more answers")

    assert registry.plan("m").epoch == plan.epoch
    assert by("v2.0.0")(*load.answers[-1][1:])
