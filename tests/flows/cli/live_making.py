"""A real admin port over the state folder of a test, with traffic in its log."""

import asyncio
import threading
import time

import uvicorn

from registry.eventlog.events import Observed, Predicted
from registry.eventlog.segments import SegmentWriter
from registry.home import Settings
from registry.store.registry import Registry
from router.admin import admin_app
from router.keeper import Keeper


class Control:
    """The admin port on the state folder's own address; it ingests at every `take`."""

    def __init__(self):
        self.settings = Settings().prepare()
        self.keeper = Keeper(self.settings, lambda: Registry.open(self.settings.registry_url))
        self._writer = SegmentWriter(self.settings.events_dir, "worker")
        self._server, self._thread = None, None
        self.asked, self.delay, self._takes = [], 0.0, 0

    def start(self):
        app = admin_app(self.keeper, self.settings.token(), self.settings)

        async def heard(scope, receive, send):
            if scope["type"] == "http":
                self.asked.append(scope["path"])
                await asyncio.sleep(self.delay)
            await app(scope, receive, send)

        config = uvicorn.Config(heard, port=self.settings.admin_port, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self):
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None

    def take(self, plan, requests=200, *, wrong=("champion",), failing=()):
        """So many requests of every arm, and their labels: whoever is in *wrong* is wrong every second time."""
        self._takes += 1
        for arm in plan.arms:
            for number in range(requests):
                self._writer.append(
                    _asked(plan, arm, f"{self._takes}-{number}", arm.variant in wrong, arm.variant in failing)
                )
        self.keeper.turn()
        while self.keeper.turn():
            pass


def _asked(plan, arm, place, wrong, failing):
    name, number = f"{plan.phase}-{arm.variant}-{place}", int(place.partition("-")[2])
    champion = plan.version_of("champion")
    asked = Predicted(
        model="churn",
        id=name,
        key=name,
        time=1000.0 + number,
        features={"age": 1.0},
        assigned=arm.variant,
        served="champion" if failing else arm.variant,
        assigned_version=arm.version,
        version=champion if failing else arm.version,
        epoch=plan.epoch,
        phase=plan.phase,
        enrolled=True,
        reason="bucket",
        score=0.9,
        prediction=1,
        latency_ms=2.0 + number % 5,
        error="raised" if failing else None,
    )
    value = 0.0 if wrong and number % 2 else 1.0
    return [asked, Observed(model="churn", id=f"o-{name}", prediction_id=name, metric="label", value=value, time=2e3)]
