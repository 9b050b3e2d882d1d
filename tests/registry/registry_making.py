"""Records for tests: valid, small, and different only where a test says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

from registry.assignment import TOTAL, home_slices
from registry.records.incident import Incident
from registry.records.notice import Notice
from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from registry.records.policy import PromotionPolicy
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout, Step
from registry.records.verdict import Decision, Finding
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.records.watch import Watch
from registry.store.registry import Registry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO: dict[str, Any] = {"actor": "ann", "reason": "a test", "at": NOON}


def a_version(version: str = "v1.0.0", **changes: Any) -> ModelVersion:
    fields: dict[str, Any] = {
        "model": "churn",
        "version": version,
        "task": "binary",
        "target": "left",
        "features": (Feature(name="age", kind="numeric"), Feature(name="plan", kind="categorical", levels=("a", "b"))),
        "algorithm": "xgboost",
        "params": {"max_depth": 3},
        "metrics": {"auc": 0.81},
        "data": TrainingData(rows=100, start=NOON, end=NOON, source="table.csv", fingerprint="f" * 64),
        "artifact_digest": "0" * 64,
        "parity": 1e-7,
        "created_at": NOON,
        "actor": "ann",
        "reason": "a test",
    }
    return ModelVersion(**fields | changes)


def a_plan(epoch: int = 1, champion: str = "v1.0.0", challenger: str | None = None, share: int = 0, **changes: Any):
    arms = [Arm(variant="champion", version=champion)]
    slices = [("champion", TOTAL)]
    if challenger is not None:
        arms.append(Arm(variant="challenger", version=challenger))
        slices = home_slices({"challenger": share})
    fields: dict[str, Any] = {
        "model": "churn",
        "epoch": epoch,
        "phase": f"phase.{epoch}",
        "salt": "churn.test",
        "slices": tuple(Slice(variant=variant, weight=weight) for variant, weight in slices),
        "arms": tuple(arms),
        "created_at": NOON,
        "actor": "ann",
        "reason": "a test",
    }
    return TrafficPlan(**fields | changes)


def a_rollout(name: str = "r-0001", **changes: Any) -> Rollout:
    fields: dict[str, Any] = {
        "id": name,
        "model": "churn",
        "champion": "v1.0.0",
        "challenger": "v1.1.0",
        "steps": (Step(share=0, min_s=60, max_s=120), Step(share=100_000, min_s=60, max_s=120)),
        "policy": PromotionPolicy(metric="auc"),
        "salt": f"churn.{name}",
        "step_started_at": NOON,
        "created_at": NOON,
    }
    return Rollout(**fields | changes)


def an_event(name: str = "retrain_20260301_001", **changes: Any) -> RetrainingEvent:
    fields: dict[str, Any] = {
        "id": name,
        "model": "churn",
        "trigger_type": "drift",
        "severity": "HIGH",
        "drift_type": "data",
        "trigger_reason": "age drifted",
        "triggered_at": NOON,
    }
    return RetrainingEvent(**fields | changes)


def a_decision(name: str = "d-1", **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "id": name,
        "model": "churn",
        "champion": "v1.0.0",
        "challenger": "v1.1.0",
        "kind": "holdout",
        "outcome": "promote",
        "headline": "It is better.",
        "findings": (Finding(name="auc", passed=True, said="up", estimate=0.02, low=0.01, high=0.03, n=500),),
        "policy": PromotionPolicy(metric="auc"),
        "created_at": NOON,
    }
    return Decision(**fields | changes)


def install(registry: Registry, *challengers: str, champion: str = "v1.0.0") -> TrafficPlan:
    """Register a champion and some challengers, and install the champion."""
    for version in (champion, *challengers):
        registry.register_version(a_version(version))
    return registry.install_first("churn", champion, guards=Guards(), salt="churn.first", **WHO)


def succeed(registry: Registry, challenger: str, name: str | None = None, **along: Any) -> None:
    """Take *challenger* through a whole rollout at once; *along* is written with its promotion."""
    import msgspec

    champion = registry.champion("churn")
    plan = registry.plan("churn")
    assert champion is not None
    assert plan is not None
    name = name or registry.next_rollout_id("churn")
    started = registry.start_rollout(a_rollout(name, champion=champion.version, challenger=challenger), **WHO)
    registry.move_rollout(
        msgspec.structs.replace(started, revision=2, status="succeeded"),
        plan=a_plan(plan.epoch + 1, champion=challenger),
        stages={challenger: "production", champion.version: "archived"},
        **WHO | along,
    )


def a_notice(key: str = "r-0001:promote:2", **changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "key": key,
        "model": "churn",
        "kind": "rollout.promoted",
        "title": "churn: v1.1.0 is champion",
        "body": "It was better.",
        "created_at": NOON,
        "next_at": NOON,
    }
    return Notice(**fields | changes)


def a_watch(name: str = "w-0001", **changes: Any) -> Watch:
    fields: dict[str, Any] = {
        "id": name,
        "model": "churn",
        "version": "v1.1.0",
        "former": "v1.0.0",
        "phase": "phase.2",
        "began_at": NOON,
        "until": NOON + timedelta(hours=48),
    }
    return Watch(**fields | changes)


def an_incident(name: str = "i-0001", **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": name,
        "model": "churn",
        "kind": "rollout",
        "version": "v1.1.0",
        "restored": "v1.0.0",
        "epoch": 2,
        "cause": "errors in 5 % of 400 requests",
        "at": NOON,
        "actor": "rollout",
    }
    return Incident(**fields | changes)
