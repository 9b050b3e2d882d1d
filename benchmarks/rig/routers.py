"""The router under test: a registry of its own, versions, plans, and its processes."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import numpy as np

from flows.training.folding.fold import fold
from registry.artifacts import ArtifactStore
from registry.assignment import home_slices
from registry.home import Settings
from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import NumericColumn, ScorerSpec
from registry.store.base import Cause
from registry.store.plans import newest_plan, publish
from registry.store.registry import Registry
from registry.store.stages import promote
from registry.store.versions import one_version, production
from rig import served
from rig.processes import Processes, free_ports, python

AT = datetime(2026, 1, 1, tzinfo=UTC)
MODEL, NAMES = "m", [f"f{place}" for place in range(served.WIDTH)]
CHAMPION, CHALLENGER, SHADOW = "v1.0.0", "v1.1.0", "v1.2.0"
PARTS = ("control", "shadow")
GIVEN_UP_S = 9.9  # control waits for 10 s and then answers by what it has


class Router:
    """
    Router, control and shadow as real processes; the service is called by *name*, its parts `{name}-control` and so on.

    Args:
        home: State folder; empty, or one that was served from before.
        workers: Processes that answer callers.
    """

    def __init__(self, processes: Processes, home: Path, *, workers: int = 1, name: str = "router") -> None:
        self.name, self.workers, self._processes = name, workers, processes
        router_port, admin_port = free_ports(2)
        self.settings = Settings(
            home=home,
            host="127.0.0.1",
            router_port=router_port,
            admin_port=admin_port,
            router_workers=workers,
            database_url=None,
            admin_token=None,
        ).prepare()
        self.registry = Registry.open(self.settings.registry_url)
        self.http = httpx.Client(timeout=20, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"{self.settings.router_url}/v1/models/{MODEL}/predict"

    def register(self, version: str, files: Mapping[str, bytes], features: tuple[str, ...] = tuple(NAMES)) -> None:
        """Keep the files and register the version in staging."""
        digest = ArtifactStore(self.settings.models_dir).save(MODEL, version, files)
        self.registry.register_version(_record(version, digest, features))

    def install(self, version: str = CHAMPION, guards: Guards = Guards()) -> None:  # noqa: B008 - frozen
        """Make it the first champion."""
        self.registry.install_first(
            MODEL, version, guards=guards, salt="s", actor="benchmark", reason="benchmark", at=AT
        )

    def start(self, *parts: str) -> None:
        """The service and *parts*; returns when every worker answers."""
        words = ("serve", "router.service:UnderstudyRouter", "--host", "127.0.0.1")
        command = python("bentoml", *words, "--port", str(self.settings.router_port))
        self._processes.start(self.name, command, role="server", **self._environment())
        self.start_parts(*parts)
        self._processes.wait(self.name, self.ready)

    def start_parts(self, *parts: str) -> None:
        """Control or shadow; returns when control answers."""
        for part in parts:
            self._processes.start(f"{self.name}-{part}", python(f"router.{part}"), role="helper", **self._environment())
        if "control" in parts:
            self._processes.wait(f"{self.name}-control", self._controlled)

    def publish(self, share: int, **changes: Any) -> TrafficPlan:
        """Commit a plan that gives the challenger *share* parts per million; see `follow` for when it is obeyed."""
        newest = self.registry.plan(MODEL)
        assert newest is not None
        slices = home_slices({"challenger": share} if share else {})
        arms = (Arm(variant="champion", version=CHAMPION), Arm(variant="challenger", version=CHALLENGER))
        values: dict[str, Any] = {
            "epoch": newest.epoch + 1,
            "phase": f"p{newest.epoch + 1}",
            "slices": tuple(Slice(variant=variant, weight=weight) for variant, weight in slices),
            "arms": arms if share else arms[:1],
        }
        return self.registry.publish_plan(msgspec.structs.replace(newest, **(values | changes)))

    def crown(self, version: str, **changes: Any) -> TrafficPlan:
        """Make another version the champion, by a plan with *changes*, in one transaction as a promotion does."""
        cause = Cause("benchmark", "benchmark", AT)
        with self.registry._writes() as connection:
            champion, newest = production(connection, MODEL), newest_plan(connection, MODEL)
            assert newest is not None
            promote(connection, one_version(connection, MODEL, version), champion, cause)
            epoch = newest.epoch + 1
            return publish(connection, msgspec.structs.replace(newest, epoch=epoch, phase=f"p{epoch}", **changes))

    def obey(self, share: int, **changes: Any) -> TrafficPlan:
        """Publish, and wait until every worker answers by it."""
        plan = self.publish(share, **changes)
        self._processes.wait(self.name, lambda: set(self.epochs().values()) == {plan.epoch})
        return plan

    def epochs(self) -> dict[int, int]:
        """Epoch by worker, of as many workers as could be found by asking again and again."""
        return {pid: ready["epochs"].get(MODEL, 0) for pid, ready in self.readiness().items()}

    def readiness(self) -> dict[int, dict[str, Any]]:
        """What `/readyz` says, by worker; a connection lands on one of them, so it is asked until all have spoken."""
        found: dict[int, dict[str, Any]] = {}
        for _ in range(40 * self.workers):
            with suppress(httpx.TransportError, ValueError, KeyError):
                document = self._fresh(f"{self.settings.router_url}/readyz").json()
                found[document["worker"]] = document
            if len(found) == self.workers:
                break
        return found

    def ready(self) -> bool:
        """Every worker answers by a plan."""
        epochs = self.epochs() if self._answers() else {}
        return len(epochs) == self.workers and all(epochs.values())

    def settle(self, seconds: float = 120) -> dict[str, Any]:
        """Wait until index and shadow have caught up, so that the next measurement pays for itself; the metrics."""
        headers = {"Authorization": f"Bearer {self.settings.token()}", "X-Actor": "benchmark"}
        url = f"{self.settings.admin_url}/v1/models/{MODEL}/sync"
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            found: dict[str, Any] = self.http.post(url, headers=headers).raise_for_status().json()
            if time.monotonic() - asked < GIVEN_UP_S or time.monotonic() - began > seconds:
                return found

    def close(self) -> None:
        self.registry.close()
        self.http.close()

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self._fresh(f"{self.settings.router_url}/readyz").is_success
        return False

    def _controlled(self) -> bool:
        with suppress(httpx.TransportError):
            return self._fresh(f"{self.settings.admin_url}/healthz").is_success
        return False

    def _fresh(self, url: str) -> httpx.Response:
        # A connection of its own: one that is kept open stays with its worker.
        return self.http.get(url, headers={"Connection": "close"})

    def _environment(self) -> dict[str, str]:
        return {
            "UNDERSTUDY_HOME": str(self.settings.home),
            "UNDERSTUDY_ROUTER_PORT": str(self.settings.router_port),
            "UNDERSTUDY_ROUTER_WORKERS": str(self.workers),
            "UNDERSTUDY_ADMIN_PORT": str(self.settings.admin_port),
            "BENTOML_HOME": str(self.settings.models_dir),
            "BENTOML_DO_NOT_TRACK": "true",
        }


def scorer(seed: int, save: Callable[[Any], object] | None = None, *, trees: int = served.TREES) -> dict[str, bytes]:
    """What training makes of the served pipeline, with another booster; *save* gets the classifier as well."""
    trained = served.train(seed, trees)
    if save is not None:
        save(trained)
    return scorer_files(*fold(served.joined(trained), numeric=NAMES))


def linear(features: tuple[str, ...], weight: float) -> dict[str, bytes]:
    """The artifact of a small model, quickly made."""
    columns = tuple(NumericColumn(feature=name, fill=0.0) for name in features)
    weights = tuple(float(weight) for _ in np.arange(len(features)))
    return scorer_files(ScorerSpec(task="binary", kind="linear", columns=columns, coefficients=weights), None)


def _record(version: str, digest: str, features: tuple[str, ...]) -> ModelVersion:
    return ModelVersion(
        model=MODEL,
        version=version,
        task="binary",
        target="y",
        features=tuple(Feature(name=name, kind="numeric") for name in features),
        algorithm="xgboost",
        data=TrainingData(rows=served.ROWS, start=None, end=None, source="benchmark", fingerprint="0"),
        artifact_digest=digest,
        parity=0.0,
        created_at=AT,
        actor="benchmark",
        reason="benchmark",
    )
