"""Real processes in trouble: callers notice nothing, operators everything."""

import os
import signal
import time

import psutil
import pytest
from router_live import Live, plan_after, register, wait_for

from registry.home import Settings
from registry.records.plan import Arm, Guards
from registry.store.registry import Registry

pytestmark = pytest.mark.timeout(120)


def rows(count: int, start: int = 0) -> list[dict]:
    return [
        {"key": f"k{i}", "features": {"x": 10.0, "c": "a"}, "id": f"p{i}", "time": 1000.0 + i}
        for i in range(start, start + count)
    ]


def test_callers_of_a_challenger_that_breaks_get_the_champion_and_it_is_taken_off(
    live: Live, registry: Registry, settings: Settings
):
    # Says 1e309 for a probability, which no float holds.
    register(settings, registry, "v2.0.0", 1e308, task="regression")
    live.start("router", "control")
    arms = (Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v2.0.0"))
    # A circuit that never opens, so that every request is tried.
    registry.publish_plan(plan_after(registry, 500_000, arms=arms, guards=Guards(breaker_failures=10**6)))
    live.wait_for_epoch(2)

    answers = [answer for start in range(0, 200, 20) for answer in live.predict(rows(20, start=start))]

    theirs = sum(answer["assigned"] == "challenger" for answer in answers)
    assert 60 < theirs < 140
    assert {(answer["variant"], answer["model_version"]) for answer in answers} == {("champion", "v1.0.0")}
    assert {answer["reason"] for answer in answers if answer["assigned"] == "challenger"} == {"not_finite"}
    live.wait_for_epoch(3)
    phase = next(phase for phase in live.sync()["phases"] if phase["phase"] == "canary")
    assert phase["variants"]["challenger"]["fallbacks"] == {"not_finite": theirs}
    said = live.admin.get("/v1/models/m/events").json()["events"][0]["said"]
    assert "10 of the last 10 requests failed" in said


def test_a_shadow_and_a_control_that_hang_cost_callers_nothing_and_catch_up_later(live: Live, registry: Registry):
    live.start("router", "control", "shadow")
    registry.publish_plan(plan_after(registry, 0, phase="shadow", shadows=("v1.1.0",)))
    live.wait_for_epoch(2)
    hung = [psutil.Process(live.processes[name].pid) for name in ("control", "shadow")]
    for process in hung:
        process.suspend()

    spent = []
    for number in range(40):
        began = time.perf_counter()
        live.predict(rows(1, start=number))
        live.http.post("/v1/models/m/outcomes", json={"prediction_id": f"p{number}", "value": 1}).raise_for_status()
        spent.append(time.perf_counter() - began)
    for process in hung:
        process.resume()

    assert sorted(spent)[len(spent) // 2] < 0.5
    assert max(spent) < 5
    metrics = live.sync()
    shadow = metrics["phases"][-1]["shadows"]["v1.1.0"]
    assert (shadow["copies"], shadow["scored"], shadow["pairs"]) == (40, 40, 40)
    assert metrics["outcomes"] == {"joined": 40}


def test_an_artifact_that_was_altered_is_refused_and_the_plan_before_it_goes_on(
    live: Live, registry: Registry, settings: Settings
):
    live.start("router")
    [scorer] = [path for path in settings.models_dir.rglob("scorer.json") if b"1.2" in path.read_bytes()]
    scorer.chmod(0o600)
    scorer.write_bytes(scorer.read_bytes().replace(b"1.2", b"9.9"))
    registry.publish_plan(plan_after(registry, 500_000))

    wait_for(lambda: live.http.get("/readyz").json()["troubles"].get("m"), "the trouble")

    ready = live.http.get("/readyz").json()
    assert (ready["status"], ready["epochs"]) == ("degraded", {"m": 1})
    assert "plan of epoch 2 was refused" in ready["troubles"]["m"]
    assert {answer["variant"] for answer in live.predict(rows(50))} == {"champion"}


def test_a_router_that_is_told_to_stop_answers_what_it_has_and_leaves_no_process(live: Live):
    live.start("router")
    router = psutil.Process(live.processes["router"].pid)
    family = [router, *router.children(recursive=True)]
    live.predict(rows(5))

    os.kill(router.pid, signal.SIGTERM)

    live.processes["router"].wait(30)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_what_is_not_ours_is_answered_by_bentoml(live: Live):
    live.start("router")

    assert live.http.get("/schema.json").json()["name"] == "understudy"
    assert live.http.get("/nothing").status_code == 404
