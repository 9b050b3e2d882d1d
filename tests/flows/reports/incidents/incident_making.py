"""A registry in which a new champion was promoted and taken back, and a router that has counted: helpers."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from flows.errors import Unreachable
from registry.home import Settings
from registry.ramp import promotion_plan, step_plan
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.plan import Guards
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.store.registry import Registry
from registry.watching import watch_of

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "raised: could not convert 'jane.doe@example.org' to float"


def version(name: str) -> ModelVersion:
    return ModelVersion(
        model="churn",
        version=name,
        task="binary",
        target="left",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="xgboost",
        data=TrainingData(rows=12_000, start=None, end=None, source="table", fingerprint="f"),
        artifact_digest=("ab" if name == "v1.0.0" else "cd") * 32,
        parity=0.0,
        created_at=START,
        actor="test",
        reason="test",
    )


class Counted:
    """A router that has counted both phases; may be away."""

    def __init__(self) -> None:
        self.away = False
        self.notes: list[dict[str, Any]] = []

    def metrics(self, model: str, *, min_label_age: float = 0.0) -> ModelMetrics:
        if self.away:
            raise Unreachable("The router does not answer.", "It is away.", "Start it.")
        half = {"champion": _arm("v1.0.0", 500, 0), "challenger": _arm("v1.1.0", 490, 10, fallback=True)}
        promoted = {"champion": _arm("v1.1.0", 900, 100)}
        shadow = ShadowMetrics(
            version="v1.0.0", pairs=800, loss_difference=Moments(n=800, mean=0.03, m2=8.0), scored=990, copies=1000
        )
        phases = (
            PhaseMetrics(phase="r-0001.0", first_epoch=2, last_epoch=2, variants=half),
            PhaseMetrics(
                phase="r-0001.promoted", first_epoch=3, last_epoch=3, variants=promoted, shadows={"v1.0.0": shadow}
            ),
        )
        return ModelMetrics(model=model, epoch=4, phases=phases)

    def events(self, model: str, *, limit: int = 100) -> list[dict[str, Any]]:
        if self.away:
            raise Unreachable("The router does not answer.", "It is away.", "Start it.")
        return self.notes


def _arm(name: str, served: int, failed: int, *, fallback: bool = False) -> VariantMetrics:
    reasons = {"raised": failed} if failed else {}
    return VariantMetrics(
        version=name,
        assigned=served + failed,
        served=served,
        fallbacks=reasons if fallback else {},
        errors={} if fallback else reasons,
        latency_ms=Moments(n=served, mean=5.2, m2=served * 1.0),
        loss=Moments(n=served, mean=0.21, m2=served * 0.01),
        keys=served // 2,
    )


@dataclass
class Place:
    """What an incident is read from."""

    settings: Settings
    registry: Registry
    client: Counted = field(default_factory=Counted)


def promoted(place: Place) -> Rollout:
    """v1.0.0 first, v1.1.0 for half of the callers at 10, and for all of them at 11 o'clock."""
    registry = place.registry
    for name in ("v1.0.0", "v1.1.0"):
        registry.register_version(version(name))
    plan = registry.install_first(
        "churn", "v1.0.0", guards=Guards(), salt="churn.first", actor="ann", reason="first", at=START
    )
    rollout = Rollout(
        id="r-0001",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=500_000, min_s=0, max_s=0),),
        policy=PromotionPolicy(metric="brier", require_approval=False),
        salt="s",
        step_started_at=START,
        created_at=START,
        decision_id="d-0009",
    )
    registry.start_rollout(rollout, actor="ann", reason="it is better", at=START)
    half = step_plan(rollout, 0, plan, actor="rollout", reason="starts", at=START + HOUR)
    moved = msgspec.structs.replace(rollout, step=0, revision=2)
    registry.move_rollout(
        moved, plan=half, stages={"v1.1.0": "canary"}, actor="rollout", reason="starts", at=START + HOUR
    )
    return moved


def watched(place: Place) -> None:
    """Promote what half of the callers have seen."""
    rollout, at = promoted(place), START + 2 * HOUR
    plan = place.registry.plan("churn")
    assert plan is not None
    watch = watch_of(rollout, place.client.metrics("churn"), plan, at)
    new = promotion_plan(rollout, plan, actor="rollout", reason="won", at=at, watch=watch)
    done = msgspec.structs.replace(rollout, revision=3, status="succeeded")
    stages = {"v1.1.0": "production", "v1.0.0": "archived"}
    place.registry.move_rollout(done, plan=new, stages=stages, actor="rollout", reason="won", at=at, watch=watch)


def taken_back(place: Place) -> None:
    """By the watch, 90 seconds after the promotion."""
    watched(place)
    at = START + 2 * HOUR + timedelta(seconds=90)
    reason = "champion v1.1.0, which is being watched: 100 of the last 1000 requests failed, more than the 2.0% allowed"
    place.registry.roll_back("churn", to="v1.0.0", actor="router", reason=reason, at=at, kind="watch")
    place.client.notes = [
        {
            "sequence": 1,
            "at": at.timestamp(),
            "kind": "stopped",
            "said": f"epoch 3: {reason}; not in the registry yet: ",
        },
        {"sequence": 2, "at": at.timestamp(), "kind": "degraded", "said": f"m: {SECRET}"},
    ]
