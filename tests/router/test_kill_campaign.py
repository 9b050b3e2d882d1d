"""
Many kill -9 at random moments under load: nothing acknowledged is lost, nothing counts twice.

Callers send again what was not acknowledged, as the documentation tells them to, and half of
them send their labels before the predictions. UNDERSTUDY_KILLS sets the number of kills.
"""

import json
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest
from router_live import Live, plan_after, wait_for

from registry.eventlog.events import Observed
from registry.eventlog.segments import ROLES, SegmentReader
from registry.store.registry import Registry
from router.index.ingest import Ingest
from router.index.schema import open_index

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
KILLS, CALLERS, SEED = int(os.environ.get("UNDERSTUDY_KILLS", "40")), 4, 0
VICTIMS = ("worker", "worker", "router", "router", "control", "shadow")


class Caller(threading.Thread):
    """Sends predictions and outcomes until each is acknowledged, and remembers what was."""

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.url, self.stop = number, url, stop
        self.answered: set[str] = set()
        self.accepted: set[str] = set()
        self.said: Counter[str] = Counter()
        self.failures = 0

    def run(self) -> None:
        serial = 0
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as http:
            while not self.stop.is_set():
                ids = [f"c{self.number}-{serial + i}" for i in range(5)]
                serial += 5
                for send in (self._predict, self._label)[:: -1 if self.number % 2 else 1]:
                    self._until_acknowledged(send, http, ids)

    def _until_acknowledged(self, send, http: httpx.Client, ids: list[str]) -> None:
        while not self.stop.is_set():
            try:
                if send(http, ids):
                    return
            except httpx.TransportError:
                pass
            self.failures += 1
            time.sleep(0.05)

    def _predict(self, http: httpx.Client, ids: list[str]) -> bool:
        rows = [{"key": one, "features": {"x": 0.5, "c": "a"}, "id": one, "time": 1000.0} for one in ids]
        answer = http.post("/v1/models/m/predict", json={"rows": rows})
        if answer.status_code == 200:
            self.answered.update(row["prediction_id"] for row in answer.json()["rows"])
        return answer.status_code == 200

    def _label(self, http: httpx.Client, ids: list[str]) -> bool:
        labels = [{"prediction_id": one, "value": 1, "time": 2000.0} for one in ids]
        answer = http.post("/v1/models/m/outcomes", json=labels)
        if answer.status_code == 200:
            self.said.update(row["status"] for row in answer.json()["rows"])
            self.accepted.update(ids)
        return answer.status_code == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_a_campaign_of_kills_under_load_loses_and_doubles_nothing(live: Live, registry: Registry, capsys, workers: int):
    live.workers = workers
    live.start("router", "control", "shadow")
    registry.publish_plan(plan_after(registry, 300_000, shadows=("v1.1.0",)))
    live.wait_for_epoch(2)
    stop, rng = threading.Event(), random.Random(SEED)
    callers = [Caller(number, live.settings.router_url, stop) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    killed: Counter[str] = Counter()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.0, 1.0))
        killed[kill(live, rng.choice(VICTIMS))] += 1
    time.sleep(1)
    stop.set()
    for caller in callers:
        caller.join(30)
    wait_for(lambda: every_copy_is_scored(live.sync()), "the shadow")

    metrics, rows = live.sync(), all_rows(live)
    answered, accepted = (set().union(*(getattr(c, name) for c in callers)) for name in ("answered", "accepted"))
    said = sum((caller.said for caller in callers), Counter())
    with capsys.disabled():
        print(
            f"\n{workers} workers: {sum(killed.values())} kills {dict(killed)}; {len(answered)} predictions answered;"
            f" {len(accepted)} outcomes acknowledged {dict(said)};"
            f" {len(rows)} predictions logged; index {metrics['outcomes']};"
            f" {sum(caller.failures for caller in callers)} requests sent again"
        )
    logged = Counter(row["prediction_id"] for row in rows)
    labelled = {row["prediction_id"] for row in rows if row["outcomes"] == {"label": 1.0}}
    assert sum(killed.values()) == KILLS
    assert len(answered) > 20 * KILLS
    assert set(logged.values()) == {1}
    assert answered <= set(logged)
    assert accepted & set(logged) <= labelled
    assert metrics["outcomes"]["joined"] == len(labelled)
    assert "conflict" not in metrics["outcomes"]
    assert said.keys() <= {"accepted", "duplicate"}
    the_log_says_the_same(live, rows, labelled, accepted, metrics["outcomes"])


def the_log_says_the_same(live: Live, rows: list[dict], labelled: set[str], accepted: set[str], counts: dict) -> None:
    """An index made again from the segments, and the segments themselves, agree with the one that was killed."""
    reader = SegmentReader(live.settings.events_dir, ROLES)
    events = [event for path in reader.segments() for event in whole(reader, path)]
    outcomes = [event for event in events if isinstance(event, Observed)]
    again = open_index(live.settings.home / "again.sqlite")
    Ingest(again, live.settings.events_dir).catch_up()

    assert reader.torn == 0
    assert accepted <= {event.prediction_id for event in outcomes}
    assert sum(counts.values()) == len(outcomes)
    assert ids(again, "SELECT id FROM predictions") == sorted(row["prediction_id"] for row in rows)
    assert ids(again, "SELECT p.id FROM outcomes JOIN predictions p USING (seq)") == sorted(labelled)


def whole(reader: SegmentReader, path: Path) -> list:
    found, offset = [], 0
    while offset < path.stat().st_size:
        events, end = reader.read(path, offset)
        if end == offset:
            break
        found, offset = found + events, end
    return found


def ids(connection: sqlite3.Connection, query: str) -> list[str]:
    return sorted(id_ for (id_,) in connection.execute(query))


def every_copy_is_scored(metrics: dict) -> bool:
    shadows = [shadow for phase in metrics["phases"] for shadow in phase["shadows"].values()]
    return bool(shadows) and all(shadow["scored"] == shadow["copies"] for shadow in shadows)


def kill(live: Live, victim: str) -> str:
    if victim != "worker":
        live.kill(victim)
        live.start(victim)
        return victim
    worker = psutil.Process(live.http.get("/readyz").json()["worker"])
    worker.kill()
    wait_for(lambda: live.http.get("/readyz").json()["worker"] != worker.pid, "new worker")
    return victim


def all_rows(live: Live) -> list[dict]:
    answer = live.admin.get("/v1/models/m/rows")
    return [json.loads(line) for line in answer.text.splitlines()]
