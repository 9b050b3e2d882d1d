"""Things that happen to a model, and what MLflow then shows of them."""

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from flows.config.load import parse_config, register_config
from flows.detection.fusion.decision import RetrainDecision
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.look import Look
from flows.tracking.entry import Trial
from flows.tracking.store import connect, mlflow_dir
from flows.tracking.tracker import Tracker
from registry.home import Settings
from registry.records.plan import Guards
from registry.records.policy import PromotionPolicy
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout, Step
from registry.records.verdict import Decision, Finding
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.store.registry import Registry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO = {"actor": "ann", "reason": "a test", "at": NOON}
EXPERIMENTS = (
    "automated_retraining",
    "drift_monitoring",
    "model_comparison",
    "model_deployment",
    "retraining_pipeline",
)
EVENT = "retrain_20260301_001"
ENTRIES = 8
"""That `note_everything` notes, with one look."""


def a_config(**tracking):
    features = {"numeric": ["age"], "categorical": ["plan"]}
    raw = {"model": "churn", "task": "binary", "target": "left", "features": features, "tracking": tracking}
    return parse_config(raw, "test")


def a_version(version="v1.0.0", **changes):
    fields = {
        "model": "churn",
        "version": version,
        "task": "binary",
        "target": "left",
        "features": (Feature(name="age", kind="numeric"), Feature(name="plan", kind="categorical", levels=("a", "b"))),
        "algorithm": "xgboost",
        "params": {"eta": 0.1, "window": "180d"},
        "metrics": {"auc": 0.8, "loss": 0.2},
        "baseline_metrics": {"auc": 0.75},
        "data": TrainingData(rows=100, start=None, end=NOON, source="table.csv", fingerprint="f" * 64, new_rows=10),
        "artifact_digest": f"{int(version[1:].replace('.', '')):064x}",
        "parity": 0.0,
        "code_version": "0.1.0",
        "duration_s": 30.0,
        "created_at": NOON,
        "actor": "ann",
        "reason": "a test",
    }
    return ModelVersion(**fields | changes)


def an_event(**changes):
    fields = {
        "id": EVENT,
        "model": "churn",
        "trigger_type": "drift",
        "severity": "HIGH",
        "drift_type": "data",
        "trigger_reason": "age drifted",
        "execution_attempted": True,
        "execution_successful": True,
        "execution_metrics": {"outcome": "rollout"},
        "retrained_version": "v1.1.0",
        "improvement_accuracy": 2.5,
        "triggered_at": NOON,
        "completed_at": NOON + timedelta(minutes=5),
        "notes": "v1.1.0 goes into rollout",
    }
    return RetrainingEvent(**fields | changes)


def a_decision(name="d-1"):
    auc = Finding(name="auc (DeLong)", passed=True, said="better", estimate=0.05, low=0.01, high=0.09, n=500)
    return Decision(
        id=name,
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        kind="holdout",
        outcome="promote",
        headline="v1.1.0 is better",
        findings=(auc,),
        policy=PromotionPolicy(metric="auc"),
        metrics={"champion": {"auc": 0.75}, "challenger": {"auc": 0.8}},
        created_at=NOON,
    )


def a_look(at=NOON, event_id=EVENT):
    said = {"investigate": True, "confidence": 0.9, "drift_type": "data", "rule": "drift", "trigger": "drift"}
    decision = RetrainDecision(
        triggered=True,
        severity="HIGH",
        causes=("age drifted",),
        affected_features=("age",),
        recommendation="retrain",
        undecided=(),
        evidence={"max_psi": 0.4, "error": None},
        **said,
    )
    age = FeatureDrift(name="age", kind="numeric", n=500, reference_n=1000, psi=0.4, adjusted=0.001, drifted=True)
    drift = DriftReport(reference_rows=1000, rows=500, enough=True, said="1 of 2 features drifted", features=(age,))
    return Look(model="churn", at=at, champion="v1.0.0", decision=decision, drift=drift, event_id=event_id)


def a_rollout(step=0, revision=2):
    return Rollout(
        id="r-0001",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=0, min_s=1, max_s=2), Step(share=100_000, min_s=1, max_s=2)),
        policy=PromotionPolicy(metric="auc"),
        salt="churn.r-0001",
        step=step,
        revision=revision,
        step_started_at=NOON,
        created_at=NOON,
    )


def trials(count):
    """Half of them cut off."""
    return tuple(
        Trial(
            number=n,
            family="xgboost",
            params={"eta": 0.1 * (n + 1)},
            loss=None if n % 2 else 0.3 - 0.001 * n,
            state="pruned" if n % 2 else "complete",
        )
        for n in range(count)
    )


def furnish(*challengers, **tracking):
    """A registered model with a champion and some challengers."""
    where = Settings().prepare()
    register_config(a_config(**tracking), where)
    with Registry.open(where.registry_url) as registry:
        for version in ("v1.0.0", *challengers):
            registry.register_version(a_version(version))
        registry.install_first("churn", "v1.0.0", guards=Guards(), salt="churn.first", **WHO)
    return where


def note_everything(where, looks=1, tried=4):
    """One retraining with all that belongs to it; returns how many runs that makes."""
    tracker = Tracker.of(where, "churn")
    for n in range(looks):
        tracker.note_look(a_look(NOON - timedelta(hours=n), EVENT if n == 0 else None))
    version = a_version("v1.1.0")
    tracker.note_candidate(version, trials(tried), {"card.md": b"# churn", "contract.json": b"{}"})
    tracker.note_decision(a_decision())
    tracker.note_retraining(an_event(), version, a_decision())
    tracker.note_rollout(a_rollout(), "start", "shadow begins", NOON)
    tracker.note_rollout(a_rollout(step=1, revision=3), "advance", "10 %", NOON)
    return {
        "drift_monitoring": looks,
        "automated_retraining": 1,
        "retraining_pipeline": 1 + tried,
        "model_comparison": 1,
        "model_deployment": 2,
    }


@cache
def _empty_store() -> Path:
    """A store with its tables; making them takes seconds."""
    place = Path(mkdtemp(prefix="understudy-mlflow-"))
    settings = Settings(home=place)
    connect(settings, uri_of(settings))
    return mlflow_dir(settings) / "mlflow.db"


def with_store(where):
    """Give a state folder the store that its first sending would make."""
    folder = mlflow_dir(where)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_empty_store(), folder / "mlflow.db")
    return where


def uri_of(where):
    return f"sqlite:///{mlflow_dir(where)}/mlflow.db"


def client_of(where):
    return connect(where, uri_of(where))


def all_runs(client):
    found = {}
    for one in client.search_experiments():
        found[one.name] = list(client.search_runs([one.experiment_id], max_results=1000))
    return found


def name_of(run):
    return run.data.tags["understudy.origin"], run.data.tags["understudy.entry"]


def counts(client):
    """Runs by experiment; none may be there twice, or unfinished."""
    runs = all_runs(client)
    names = Counter(name_of(run) for some in runs.values() for run in some)
    assert max(names.values(), default=1) == 1, names.most_common(3)
    assert {run.info.status for some in runs.values() for run in some} <= {"FINISHED", "KILLED", "FAILED"}
    return {name: len(some) for name, some in runs.items() if some}
