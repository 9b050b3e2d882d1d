"""Plans, versions and scorers that behave as a test wants: helpers."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np

from registry.assignment import home_slices
from registry.errors import Refusal, StoreUnavailable
from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from registry.records.version import Feature, ModelVersion, TrainingData
from router.breaker import Breaker
from router.models import Loaded, Snapshot

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Constant:
    """Says the same of every row."""

    def __init__(self, value: float) -> None:
        self.value = value

    def score(self, rows: Any) -> Any:
        return np.full(len(rows), self.value)

    def predictions(self, scores: Any) -> list[Any]:
        return [int(score >= 0.5) for score in scores]


class Scoring(Constant):
    """Scores by any function of the rows."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(0.0)
        self.score = function


class Raises(Constant):
    def score(self, rows: Any) -> Any:
        raise RuntimeError("no such tree")


def version_of(version: str, model: str = "m", task: str = "binary") -> ModelVersion:
    return ModelVersion(
        model=model,
        version=version,
        task=task,
        target="y",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="linear",
        data=TrainingData(rows=1, start=None, end=None, source="test", fingerprint="0"),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=AT,
        actor="test",
        reason="test",
    )


def plan_of(share: int = 500_000, **changes: Any) -> TrafficPlan:
    arms = (Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v1.1.0"))
    values = {
        "model": "m",
        "epoch": 2,
        "phase": "canary",
        "salt": "s",
        "slices": tuple(Slice(variant=v, weight=w) for v, w in home_slices({"challenger": share} if share else {})),
        "arms": arms if share else arms[:1],
        "created_at": AT,
        "actor": "test",
        "reason": "test",
    }
    return TrafficPlan(**(values | changes))


def loaded_of(version: str, scorer: Any, **changes: Any) -> Loaded:
    return Loaded(version_of(version, **changes), scorer, ThreadPoolExecutor(1))


def snapshot_of(
    challenger: Any, *, champion: Any = None, deadline_ms: float = 100.0, stopped: str | None = None
) -> Snapshot:
    arms = {"champion": loaded_of("v1.0.0", champion or Constant(0.1)), "challenger": loaded_of("v1.1.0", challenger)}
    plan = plan_of(guards=Guards(deadline_ms=deadline_ms))
    return Snapshot(plan, arms, {"challenger": Breaker(5, 2.0, time.monotonic)}, stopped)


class Source:
    """A registry in memory, that can be gone, and hold records that make no sense."""

    def __init__(self, *plans: TrafficPlan) -> None:
        self.plans: dict[str, TrafficPlan | Refusal] = {}
        self.missing: set[str] = set()
        self.gone = False
        self._fresh = True
        for plan in plans:
            self.publish(plan)

    def publish(self, plan: TrafficPlan) -> None:
        self.plans[plan.model] = plan
        self._fresh = True

    def spoil(self, model: str, refusal: Refusal) -> None:
        self.plans[model] = refusal
        self._fresh = True

    def changed(self) -> bool:
        self._answer()
        fresh, self._fresh = self._fresh, False
        return fresh

    def models(self) -> list[str]:
        self._answer()
        return sorted(self.plans)

    def plan(self, model: str) -> TrafficPlan | None:
        self._answer()
        found = self.plans.get(model)
        if isinstance(found, Refusal):
            raise found
        return found

    def version(self, model: str, version: str) -> ModelVersion | None:
        self._answer()
        return None if version in self.missing else version_of(version, model)

    def _answer(self) -> None:
        if self.gone:
            self._fresh = True
            raise StoreUnavailable("The registry cannot be read.", "It is gone.", "Start it.")


class Clock:
    """Stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
