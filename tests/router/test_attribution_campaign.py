"""
Labels that come shuffled, late and twice, over a ramp and a rollback of the live service, join what was served.

UNDERSTUDY_ATTRIBUTION sets the number of predictions; a million of them straight into the index are in
`tests/router/index/test_index_attribution.py`.

    UNDERSTUDY_ATTRIBUTION=100000 pytest -m long -s tests/router/test_attribution_campaign.py
"""

import os
import random
import sqlite3
import time
from collections import Counter
from typing import Any

import pytest
from router_live import Live, plan_after, register, wait_for

from registry.home import Settings
from registry.records.plan import Arm, Guards
from registry.store.registry import Registry

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
SHARES, BATCH = (100_000, 250_000, 500_000, 750_000, 1_000_000), 20
COUNT = max(1, int(os.environ.get("UNDERSTUDY_ATTRIBUTION", "20000")) // 600) * 600
# The challenger fails on one request in twenty, and must stay all the same.
PATIENT = Guards(error_rate=0.9, kpi="none", breaker_failures=1000, alpha=1e-9)


class Traffic:
    """
    Predictions and their labels.

    Attributes:
        given: What callers were told of each: assigned, served, version.
        label: Of each.
        due: Labels that were not sent yet.
        sent: Those that were, to be sent again.
    """

    def __init__(self, live: Live) -> None:
        self._live, self._dice = live, random.Random(3)
        self.given: dict[str, tuple[str, str, str]] = {}
        self.label: dict[str, int] = {}
        self.due: list[str] = []
        self.sent: list[str] = []
        self.said: Counter[str] = Counter()

    def predict(self, count: int) -> None:
        """Some requests bring numbers that only the challenger cannot take."""
        for _ in range(count // BATCH):
            x = 100.0 if self._dice.random() < 0.05 else 0.0
            ids = [f"p{len(self.given) + place}" for place in range(BATCH)]
            rows = [{"key": f"k{one}", "id": one, "features": {"x": x, "c": "a"}} for one in ids]
            for row in self._live.predict(rows):
                self.given[row["prediction_id"]] = row["assigned"], row["variant"], row["model_version"]
            self.label |= {one: self._dice.randrange(2) for one in ids}
            self.due += ids

    def tell(self, count: int, again: int) -> None:
        """Labels of any predictions so far, in any order, and some of those sent before."""
        self._dice.shuffle(self.due)
        fresh, self.due = self.due[:count], self.due[count:]
        self.sent += fresh
        mixed = [*fresh, *self._dice.sample(self.sent, again)]
        self._dice.shuffle(mixed)
        for start in range(0, len(mixed), 200):
            self._post([self._outcome(one) for one in mixed[start : start + 200]])

    def _outcome(self, one: str) -> dict[str, Any]:
        by_key = int(one[1:]) % 20 == 0
        where = {"key": f"k{one}", "id": f"label of {one}"} if by_key else {"prediction_id": one}
        return {**where, "value": self.label[one]}

    def _post(self, outcomes: list[dict[str, Any]]) -> None:
        answer = self._live.http.post("/v1/models/m/outcomes", json=outcomes).raise_for_status()
        self.said.update(row["status"] for row in answer.json()["rows"])


def test_labels_shuffled_late_and_twice_over_a_ramp_and_a_rollback_join_the_variant_that_served(
    live: Live, registry: Registry, settings: Settings, capsys: pytest.CaptureFixture
):
    traffic = ramped(live, registry, settings)
    metrics = read(live, 2 * COUNT)

    index = sqlite3.connect(f"file:{settings.home / 'index.sqlite'}?mode=ro", uri=True)
    joined = index.execute(
        "SELECT p.id, p.assigned, p.served, p.version, o.value FROM outcomes o JOIN predictions p USING (seq)"
    ).fetchall()
    measured = Counter[str]()
    for phase in metrics["phases"]:
        measured.update({name: variant["loss"]["n"] for name, variant in phase["variants"].items()})
    fell_back = sum(assigned != served for assigned, served, _ in traffic.given.values())
    with capsys.disabled():
        print(f"\n{len(traffic.given)} predictions, {fell_back} of them answered by the champion instead;")
        print(f"{len(joined)} labels joined, index {metrics['outcomes']}; callers were told {dict(traffic.said)}")
    assert {id_: (assigned, served, version) for id_, assigned, served, version, _ in joined} == traffic.given
    assert {id_: value for id_, *_, value in joined} == traffic.label
    assert len(joined) == COUNT
    assert metrics["outcomes"]["joined"] == COUNT
    assert metrics["outcomes"].keys() <= {"joined", "duplicate"}
    assert traffic.said.keys() <= {"accepted", "duplicate"}
    assert traffic.said["accepted"] - metrics["outcomes"].get("duplicate", 0) == COUNT
    assert measured == Counter(assigned for assigned, *_ in traffic.given.values()), "each counts in its own arm, once"
    assert fell_back > COUNT // 100


def ramped(live: Live, registry: Registry, settings: Settings) -> Traffic:
    """Five steps and a rollback; labels come over all of it, the last ones when all is over."""
    register(settings, registry, "v2.0.0", 1e307, task="regression")
    live.workers = 2
    live.start("router", "control", "shadow")
    traffic = Traffic(live)
    arms = (Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v2.0.0"))
    for step, share in enumerate(SHARES):
        plan = plan_after(registry, share, phase=f"r-0001.{step}", arms=arms, guards=PATIENT)
        registry.publish_plan(plan)
        on_all_workers(live, plan.epoch)
        traffic.predict(COUNT // 6)
        traffic.tell(COUNT // 10, COUNT // 100)
    live.admin.post("/v1/models/m/rollback", json={"reason": "campaign"}).raise_for_status()
    on_all_workers(live, len(SHARES) + 2)
    traffic.predict(COUNT - len(traffic.given))
    traffic.tell(COUNT, COUNT // 20)
    return traffic


def on_all_workers(live: Live, epoch: int) -> None:
    def epochs() -> set[int]:
        states = live.admin.get("/v1/workers").raise_for_status().json()["workers"]
        return {state["epochs"]["m"] for state in states}

    wait_for(lambda: epochs() == {epoch}, f"epoch {epoch}")


def read(live: Live, most_s: float) -> dict[str, Any]:
    """The metrics document, when nothing more comes."""
    found, before = live.sync(), None
    until = time.monotonic() + most_s
    while found != before and time.monotonic() < until:
        before, found = found, live.sync()
    return found
