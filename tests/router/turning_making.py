"""A version that is good until it is told to turn bad, and its promotion: helpers."""

import json
import random
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from router_live import AT, FEATURES, Live, register

from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.ramp import promotion_plan, step_plan
from registry.records.live import ModelMetrics
from registry.records.plan import TrafficPlan
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.upstream import UPSTREAM_FILE, Upstream
from registry.records.version import ModelVersion, TrainingData
from registry.records.watch import WatchLimits
from registry.store.registry import Registry
from registry.watching import watch_of

KINDS = {"500": "errors", "slow": "latency", "wrong": "loss"}
SLOW_S = 0.06


class Turning:
    """
    A model server whose answers are those of a good model until its mood is "500", "slow" or "wrong".

    Attributes:
        share: Of its requests that the mood spoils.
    """

    def __init__(self) -> None:
        turning = self
        self.mood, self.share = "good", 1.0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
                mood = turning.mood if random.random() < turning.share else "good"
                if mood == "slow":
                    time.sleep(SLOW_S)
                scores = [0.9 if (row["x"] > 0) != (mood == "wrong") else 0.1 for row in rows]
                body = json.dumps({"predictions": scores}).encode()
                self.send_response(500 if mood == "500" else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/score"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def register_turning(settings: Settings, registry: Registry, turning: Turning, version: str = "v2.0.0") -> None:
    upstream = Upstream(url=turning.url, protocol="json", scores="/predictions", deadline_ms=200.0)
    digest = ArtifactStore(settings.models_dir).save("m", version, {UPSTREAM_FILE: upstream.to_json()})
    record = ModelVersion(
        model="m",
        version=version,
        task="binary",
        target="y",
        features=FEATURES,
        algorithm="remote",
        data=TrainingData(rows=1, start=None, end=None, source="test", fingerprint="0"),
        artifact_digest=digest,
        parity=0.0,
        created_at=AT,
        actor="test",
        reason="test",
    )
    registry.register_version(record)


def begin(registry: Registry, limits: WatchLimits, watch_s: float = 172_800.0, challenger: str = "v2.0.0") -> Rollout:
    """A rollout at its only step: half of the callers."""
    plan = registry.plan("m")
    assert plan is not None
    step = Step(share=500_000, min_s=0, max_s=0)
    policy = PromotionPolicy(metric="brier", require_approval=False)
    rollout = Rollout(
        id=registry.next_rollout_id("m"),
        model="m",
        champion=plan.version_of("champion"),
        challenger=challenger,
        steps=(step,),
        policy=policy,
        salt="turn",
        step_started_at=AT,
        created_at=AT,
        watch=limits,
        watch_s=watch_s,
    )
    registry.start_rollout(rollout, actor="test", reason="test", at=AT)
    moved = msgspec.structs.replace(rollout, step=0, revision=2)
    following = step_plan(rollout, 0, plan, actor="test", reason="half", at=AT)
    registry.move_rollout(moved, plan=following, stages={challenger: "canary"}, actor="test", reason="half", at=AT)
    return moved


def promote(registry: Registry, rollout: Rollout, metrics: ModelMetrics | None) -> TrafficPlan:
    """Make the challenger the champion, watched."""
    before = registry.plan("m")
    assert before is not None
    watch = watch_of(rollout, metrics, before, AT)
    plan = promotion_plan(rollout, before, actor="test", reason="won", at=AT, watch=watch)
    done = msgspec.structs.replace(rollout, revision=rollout.revision + 1, status="succeeded")
    registry.move_rollout(
        done,
        plan=plan,
        stages={rollout.challenger: "production", rollout.champion: "archived"},
        actor="test",
        reason="won",
        at=AT,
        watch=watch,
    )
    return plan


class Load:
    """Callers in a few threads, who also say how it turned out; every answer is kept with its moment."""

    def __init__(self, live: Live, threads: int = 2, *, outcomes: bool = True, pause_s: float = 0.002) -> None:
        self.live, self.outcomes, self.pause_s = live, outcomes, pause_s
        self.answers: list[tuple[float, int, dict]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _ask(self, which: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            x = 1.0 if number % 2 else -1.0
            row = {"key": f"k{which}-{number % 5000}", "features": {"x": x, "c": "a"}}
            answer = self.live.http.post("/v1/models/m/predict", json=row)
            body = answer.json()
            self.answers.append((time.monotonic(), answer.status_code, body))
            if self.outcomes and answer.status_code == 200:
                told = {"prediction_id": body["prediction_id"], "metric": "label", "value": int(x > 0)}
                self.live.http.post("/v1/models/m/outcomes", json=told)
            time.sleep(self.pause_s)

    def wait(self, count: int, good: Callable[[int, dict], bool], seconds: float = 60) -> None:
        """Until so many answers in a row are good."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            newest = self.answers[-count:]
            if len(newest) == count and all(good(status, body) for _, status, body in newest):
                return
            time.sleep(0.02)
        raise AssertionError(f"no {count} such answers in {seconds} s; newest: {self.answers[-2:]}")

    def last(self, bad: Callable[[int, dict], bool]) -> float:
        """Moment of the last bad answer."""
        return max(moment for moment, status, body in self.answers if bad(status, body))


__all__ = ["KINDS", "Load", "Turning", "begin", "promote", "register", "register_turning"]
