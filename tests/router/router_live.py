"""A registry with two linear versions, and a real router on free ports: helpers."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from registry.artifacts import ArtifactStore
from registry.assignment import home_slices
from registry.home import Settings
from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec
from registry.store.registry import Registry

AT = datetime(2026, 1, 1, tzinfo=UTC)
FEATURES = (Feature(name="x", kind="numeric"), Feature(name="c", kind="categorical", levels=("a", "b")))


def spec(weight: float) -> ScorerSpec:
    return ScorerSpec(
        task="binary",
        kind="linear",
        columns=(
            NumericColumn(feature="x", fill=0.0),
            CategoryColumn(feature="c", table={"a": (1.0,), "b": (-1.0,)}, unknown=(0.0,), missing=(0.0,)),
        ),
        coefficients=(weight, 0.5),
    )


def register(
    settings: Settings, registry: Registry, version: str, weight: float, *, task: str = "binary"
) -> ModelVersion:
    scorer = msgspec.structs.replace(spec(weight), task=task)
    digest = ArtifactStore(settings.models_dir).save("m", version, scorer_files(scorer, None))
    record = ModelVersion(
        model="m",
        version=version,
        task="binary",
        target="y",
        features=FEATURES,
        algorithm="linear",
        data=TrainingData(rows=1, start=None, end=None, source="test", fingerprint="0"),
        artifact_digest=digest,
        parity=0.0,
        created_at=AT,
        actor="test",
        reason="test",
    )
    registry.register_version(record)
    return record


def plan_after(registry: Registry, share: int, **changes: object) -> TrafficPlan:
    newest = registry.plan("m")
    assert newest is not None
    values = {
        "model": "m",
        "epoch": newest.epoch + 1,
        "phase": "canary",
        "salt": "canary",
        "slices": tuple(Slice(variant=v, weight=w) for v, w in home_slices({"challenger": share})),
        "arms": (Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v1.1.0")),
        "guards": Guards(),
        "created_at": AT,
        "actor": "test",
        "reason": "test",
        **changes,
    }
    return TrafficPlan(**values)


class Live:
    """Router, control and shadow as real processes, started as `understudy up` starts them."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.workers = settings, 1
        self.environ: dict[str, str] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(base_url=settings.router_url, timeout=20, trust_env=False)
        self.admin = httpx.Client(
            base_url=settings.admin_url,
            timeout=20,
            trust_env=False,
            headers={"Authorization": f"Bearer {settings.token()}", "X-Actor": "test"},
        )

    def start(self, *names: str) -> None:
        self.spawn(*names)
        if "router" in names:
            wait_for(lambda: self._runs("router") and self.http.get("/readyz").json()["epochs"].get("m"), "router")
        if "control" in names:
            wait_for(lambda: self._runs("control") and self.admin.get("/healthz").status_code == 200, "control")

    def _runs(self, name: str) -> bool:
        log = self.settings.logs_dir / f"{name}.log"
        assert self.processes[name].poll() is None, f"{name} has ended: {log.read_text()[-2000:]}"
        return True

    def spawn(self, *names: str) -> None:
        """Start, and do not wait; call it in the main thread, whose end would end them."""
        modules = {"router": "router.serve", "control": "router.control", "shadow": "router.shadow"}
        environ = {
            **os.environ,
            "UNDERSTUDY_HOME": str(self.settings.home),
            "UNDERSTUDY_ROUTER_PORT": str(self.settings.router_port),
            "UNDERSTUDY_ROUTER_WORKERS": str(self.workers),
            "UNDERSTUDY_ADMIN_PORT": str(self.settings.admin_port),
            "BENTOML_HOME": str(self.settings.models_dir),
            **self.environ,
        }
        for name in names:
            with (self.settings.logs_dir / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", modules[name]],
                    env=environ,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=die_with_tests,
                    cwd=Path(__file__).parents[2],
                )

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.http.close()
        self.admin.close()

    def predict(self, rows: list[dict]) -> list[dict]:
        answer = self.http.post("/v1/models/m/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"]

    def wait_for_epoch(self, epoch: int) -> None:
        wait_for(lambda: self.http.get("/readyz").json()["epochs"].get("m") == epoch, f"epoch {epoch}")

    def sync(self) -> dict:
        answer = self.admin.post("/v1/models/m/sync")
        assert answer.status_code == 200, answer.text
        return answer.json()


_libc = ctypes.CDLL(None)


def die_with_tests() -> None:
    """In a new process: end when the thread that started it ends, so that a killed run of tests leaves nothing."""
    _libc.prctl(1, signal.SIGKILL)


def wait_for(ready: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except (httpx.TransportError, ValueError, KeyError):
            pass
        time.sleep(0.03)
    raise AssertionError(f"{what} did not come up in {seconds} s")


def free_ports(count: int) -> list[int]:
    """Below those that the kernel gives to connections, so that none of them takes one before its server does."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)
