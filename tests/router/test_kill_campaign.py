"""Many kill -9 at random moments under load: nothing acknowledged is lost, nothing counts twice."""

import json
import random
import threading
import time

import httpx
import psutil
import pytest
from router_live import Live, plan_after, wait_for

from registry.store.registry import Registry

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
KILLS, CALLERS = 24, 4


class Caller(threading.Thread):
    """Sends predictions and outcomes, and remembers what was acknowledged."""

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.url, self.stop = number, url, stop
        self.answered: set[str] = set()
        self.accepted: set[str] = set()
        self.failures = 0

    def run(self) -> None:
        serial = 0
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as http:
            while not self.stop.is_set():
                ids = [f"c{self.number}-{serial + i}" for i in range(5)]
                serial += 5
                try:
                    self._once(http, ids)
                except httpx.TransportError:
                    self.failures += 1
                    time.sleep(0.05)

    def _once(self, http: httpx.Client, ids: list[str]) -> None:
        rows = [{"key": one, "features": {"x": 0.5, "c": "a"}, "id": one, "time": 1000.0} for one in ids]
        if http.post("/v1/models/m/predict", json={"rows": rows}).status_code != 200:
            self.failures += 1
            return
        self.answered.update(ids)
        labels = [{"prediction_id": one, "value": 1, "time": 2000.0} for one in ids]
        answer = http.post("/v1/models/m/outcomes", json=labels)
        if answer.status_code == 200:
            self.accepted.update(ids)


def test_a_campaign_of_kills_under_load_loses_and_doubles_nothing(live: Live, registry: Registry):
    live.start("router", "control", "shadow")
    registry.publish_plan(plan_after(registry, 300_000, shadows=("v1.1.0",)))
    live.wait_for_epoch(2)
    stop, rng = threading.Event(), random.Random(0)
    callers = [Caller(number, live.settings.router_url, stop) for number in range(CALLERS)]
    for caller in callers:
        caller.start()

    for _ in range(KILLS):
        time.sleep(rng.uniform(0.2, 1.5))
        kill(live, rng.choice(["worker", "router", "control", "shadow"]))
    time.sleep(1)
    stop.set()
    for caller in callers:
        caller.join(30)

    metrics = live.sync()
    logged = [row["prediction_id"] for row in all_rows(live)]
    answered = set().union(*(caller.answered for caller in callers))
    accepted = set().union(*(caller.accepted for caller in callers))
    print(
        f"{KILLS} kills, {len(answered)} answered, {len(accepted)} outcomes accepted, {len(logged)} logged,"
        f" {sum(caller.failures for caller in callers)} connection errors"
    )
    assert len(answered) > 500
    assert len(logged) == len(set(logged))
    assert answered <= set(logged)
    assert accepted <= {row["prediction_id"] for row in all_rows(live) if row["outcomes"] == {"label": 1.0}}
    assert set(metrics["outcomes"]) <= {"joined", "parked"}


def kill(live: Live, victim: str) -> None:
    if victim != "worker":
        live.kill(victim)
        live.start(victim)
        return
    try:
        worker = psutil.Process(live.http.get("/readyz").json()["worker"])
        worker.kill()
    except (psutil.NoSuchProcess, httpx.TransportError):
        return
    wait_for(lambda: live.http.get("/readyz").json()["worker"] != worker.pid, "new worker")


def all_rows(live: Live) -> list[dict]:
    answer = live.admin.get("/v1/models/m/rows")
    return [json.loads(line) for line in answer.text.splitlines()]
