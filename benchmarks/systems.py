"""The router and its peers as real processes on free ports, all with the same model."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import booster
import httpx
import msgspec
import numpy as np
import psutil

from registry.artifacts import ArtifactStore
from registry.assignment import home_slices
from registry.home import Settings
from registry.records.plan import Arm, Guards, Slice
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import NumericColumn, ScorerSpec
from registry.store.registry import Registry

HERE = Path(__file__).parent
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"f{i}" for i in range(booster.WIDTH)]
CHAMPION, CHALLENGER, SHADOW = "v1.0.0", "v1.1.0", "v1.2.0"


class Target(NamedTuple):
    """Where a system takes predictions, and the bodies that it takes, one per line."""

    port: int
    path: str
    bodies: Path


class Systems:
    """
    Everything that is measured; a context manager that leaves no process behind.

    Args:
        folder: Empty; state, model, bodies and the log of all processes go here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        router_port, admin_port, bentoml_port, starlette_port = free_ports(4)
        self.settings = Settings(
            home=folder / "state",
            host="127.0.0.1",
            router_port=router_port,
            admin_port=admin_port,
            database_url=None,
            admin_token=None,
        ).prepare()
        keyed, plain = folder / "keyed.ndjson", folder / "plain.ndjson"
        self.targets = {
            "router": Target(router_port, "/v1/models/m/predict", keyed),
            "bentoml": Target(bentoml_port, "/predict", plain),
            "starlette": Target(starlette_port, "/predict", plain),
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._http = httpx.Client(timeout=20, trust_env=False)

    def __enter__(self) -> Self:
        try:
            self._write_bodies()
            self._registry = Registry.open(self.settings.registry_url)
            self._register()
            self._start()
            self._agree()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def publish(self, share: int, shadows: tuple[str, ...]) -> None:
        """Give the challenger *share* parts per million, and wait until the router obeys."""
        plan = self._registry.plan("m")
        assert plan is not None
        arms = (Arm(variant="champion", version=CHAMPION), Arm(variant="challenger", version=CHALLENGER))
        slices = home_slices({"challenger": share} if share else {})
        changed = msgspec.structs.replace(
            plan,
            epoch=plan.epoch + 1,
            phase=f"p{plan.epoch}",
            slices=tuple(Slice(variant=v, weight=w) for v, w in slices),
            arms=arms if share else arms[:1],
            shadows=shadows,
        )
        self._registry.publish_plan(changed)
        self._wait(lambda: self._epoch() == changed.epoch, "the router's new plan")

    def settle(self) -> float:
        """Wait until index and shadow have caught up, so that the next measurement pays only for itself; seconds."""
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.settings.token()}", "X-Actor": "benchmark"}
        self._http.post(f"{self.settings.admin_url}/v1/models/m/sync", headers=headers).raise_for_status()
        return time.perf_counter() - began

    def _write_bodies(self) -> None:
        values = np.random.default_rng(2).normal(size=(512, booster.WIDTH)).round(4).tolist()
        keyed = [json.dumps({"key": f"k{i}", "features": row}) for i, row in enumerate(values)]
        self.targets["router"].bodies.write_text("\n".join(keyed))
        self.targets["bentoml"].bodies.write_text("\n".join(json.dumps({"features": row}) for row in values))

    def _register(self) -> None:
        for seed, version in enumerate((CHAMPION, CHALLENGER, SHADOW)):
            trained = booster.train(seed)
            if version == CHAMPION:
                trained.save_model(self._folder / "model.ubj")
            spec = ScorerSpec(
                task="binary",
                kind="xgboost",
                columns=tuple(NumericColumn(feature=name) for name in NAMES),
                booster="model.ubj",
            )
            files = scorer_files(spec, bytes(trained.save_raw("ubj")))
            digest = ArtifactStore(self.settings.models_dir).save("m", version, files)
            self._registry.register_version(_record(version, digest))
        self._registry.install_first(
            "m", CHAMPION, guards=Guards(), salt="s", actor="benchmark", reason="benchmark", at=AT
        )

    def _start(self) -> None:
        serve = ("-m", "bentoml", "serve")
        where = ("--host", "127.0.0.1", "--api-workers", "1", "--port")
        router, bentoml, starlette = (str(target.port) for target in self.targets.values())
        commands = [
            (*serve, "router.service:UnderstudyRouter", *where, router),
            ("-m", "router.control"),
            ("-m", "router.shadow"),
            (*serve, "peer_bentoml:Peer", *where, bentoml),
            ("-m", "uvicorn", "peer_starlette:app", "--factory", "--no-access-log", "--port", starlette),
        ]
        with (self._folder / "log").open("wb") as log:
            for command in commands:
                process = subprocess.Popen(
                    [sys.executable, *command],
                    env=self._environment(),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd=HERE,
                )
                self._processes.append(process)
        self._wait(lambda: self._http.get(f"{self.settings.admin_url}/healthz").is_success, "control")
        for name, target in self.targets.items():
            self._wait(lambda target=target: self._score(target) is not None, name)

    def _environment(self) -> dict[str, str]:
        # Settings of the caller's own router must not leak in.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
        return inherited | {
            "UNDERSTUDY_HOME": str(self.settings.home),
            "UNDERSTUDY_ROUTER_PORT": str(self.settings.router_port),
            "UNDERSTUDY_ADMIN_PORT": str(self.settings.admin_port),
            "BENTOML_HOME": str(self.settings.models_dir),
            "BENTOML_DO_NOT_TRACK": "true",
            "BENCHMARK_MODEL": str(self._folder / "model.ubj"),
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
            "OMP_NUM_THREADS": "1",
        }

    def _agree(self) -> None:
        scores = [self._score(target) for target in self.targets.values()]
        if None in scores or max(scores) - min(scores) > 1e-6:  # type: ignore[operator, type-var]
            raise SystemExit(f"The systems do not serve the same model; they answered {scores}.")

    def _score(self, target: Target) -> float | None:
        body = target.bodies.read_bytes().splitlines()[0]
        headers = {"Content-Type": "application/json"}
        answer = self._http.post(f"http://127.0.0.1:{target.port}{target.path}", content=body, headers=headers)
        return answer.json()["score"] if answer.is_success else None

    def _epoch(self) -> int | None:
        epochs: dict[str, Any] = self._http.get(f"{self.settings.router_url}/readyz").json()["epochs"]
        return epochs.get("m")

    def _wait(self, ready: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError, ValueError, KeyError):
                if ready():
                    return
            time.sleep(0.1)
        told = (self._folder / "log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"Waited {seconds:.0f} s in vain for {what}. The end of the log:\n{told}")

    def _stop(self) -> None:
        # BentoML's workers lead sessions of their own: a signal to the group would miss them.
        family = [child for process in self._processes for child in _family(process.pid)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        for process in self._processes:
            process.wait()
        self._http.close()
        if hasattr(self, "_registry"):
            self._registry.close()


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _record(version: str, digest: str) -> ModelVersion:
    return ModelVersion(
        model="m",
        version=version,
        task="binary",
        target="y",
        features=tuple(Feature(name=name, kind="numeric") for name in NAMES),
        algorithm="xgboost",
        data=TrainingData(rows=5000, start=None, end=None, source="benchmark", fingerprint="0"),
        artifact_digest=digest,
        parity=0.0,
        created_at=AT,
        actor="benchmark",
        reason="benchmark",
    )


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
