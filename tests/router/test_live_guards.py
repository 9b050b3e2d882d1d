"""A challenger that fails is off within two seconds, with nothing but the router's own workers."""

import time

import httpx
import pytest
from router_live import Live, plan_after, register, wait_for

from registry.home import Settings
from registry.records.plan import Arm, Guards
from registry.store.registry import Registry

pytestmark = pytest.mark.timeout(120)
ARMS = (Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v2.0.0"))


@pytest.fixture
def broken(settings: Settings, registry: Registry) -> None:
    """Says 1e309 for a probability, which no float holds."""
    register(settings, registry, "v2.0.0", 1e308, task="regression")


def ask(live: Live, number: int) -> dict:
    row = {"key": f"k{number}", "features": {"x": 10.0, "c": "a"}}
    answer = live.http.post("/v1/models/m/predict", json=row)
    assert answer.status_code == 200, answer.text
    return answer.json()


def circuits(settings: Settings, asked: int) -> dict[int, str]:
    """By worker; each time over another connection, so that another worker may answer."""
    ready = [httpx.get(f"{settings.router_url}/readyz", trust_env=False).json() for _ in range(asked)]
    return {each["worker"]: each["breakers"]["m"]["challenger"] for each in ready}


def test_two_workers_stop_it_together_without_registry_or_control_and_control_tells_the_registry_later(
    live: Live, registry: Registry, settings: Settings, broken: None
):
    live.workers = 2
    live.start("router")
    # A circuit that never opens, so that the error rate alone decides.
    registry.publish_plan(plan_after(registry, 100_000, arms=ARMS, guards=Guards(breaker_failures=10**6)))
    live.wait_for_epoch(2)
    registry.close()
    moved = [path.rename(path.with_name(f"gone-{path.name}")) for path in settings.home.glob("registry.sqlite*")]

    began, last_tried, answers = time.monotonic(), 0.0, []
    while time.monotonic() - began < 3:
        answers.append(ask(live, len(answers)))
        if answers[-1]["reason"] == "not_finite":
            last_tried = time.monotonic() - began
        time.sleep(0.004)

    tried = sum(answer["reason"] == "not_finite" for answer in answers)
    assert {answer["variant"] for answer in answers} == {"champion"}
    assert 9 <= tried <= 40
    assert last_tried <= 2.0
    assert {answer["reason"] for answer in answers[-100:]} == {"bucket", "stopped"}
    stopped = live.http.get("/readyz").json()["stopped"]["m"]
    assert "requests failed, more than the 2.0% allowed" in stopped

    for path in moved:
        path.rename(path.with_name(path.name.removeprefix("gone-")))
    live.start("control")
    wait_for(lambda: live.admin.get("/v1/models/m/plan").json()["epoch"] == 3, "the rollback")
    assert live.admin.get("/v1/models/m/plan").json()["reason"] == stopped


def test_a_circuit_that_one_worker_opens_is_open_in_all_within_a_second(
    live: Live, registry: Registry, settings: Settings, broken: None
):
    live.workers = 3
    live.start("router")
    # No error rate is too high, so that the circuit alone decides.
    guards = Guards(error_rate=0.99, alpha=1e-300, breaker_open_s=30.0, breaker_rollback_s=600.0)
    registry.publish_plan(plan_after(registry, 500_000, arms=ARMS, guards=guards))
    live.wait_for_epoch(2)
    number = 0
    while "open" not in circuits(settings, 1).values():
        ask(live, number := number + 1)
    time.sleep(1.0)
    states = {}
    wait_for(lambda: len(states.update(circuits(settings, 10)) or states) == 3, "all three workers to answer")

    assert set(states.values()) == {"open"}
