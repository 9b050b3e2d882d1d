"""A retraining and MLflow: neither waits for the other."""

import socket

import pytest
from training_making import make_config, make_frame

from flows.config.load import register_config
from flows.errors import DataError
from flows.tracking.outbox import Outbox
from flows.tracking.send import send
from flows.tracking.store import VARIABLE, connect, tracking_uri
from flows.training.retraining import run_retraining

QUICK = {"trials": 3, "families": ["xgboost"], "min_rows": 200}
EASY = {"min_improvement": 0.0, "min_holdout": 50, "require_approval": False}


@pytest.fixture
def nowhere(monkeypatch):
    """No server listens at the address of the environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{probe.getsockname()[1]}")
        yield


@pytest.fixture
def config(settings):
    made = make_config(training=QUICK, promotion=EASY, validation={"enabled": False})
    register_config(made, settings)
    return made


def runs_of(settings):
    client = connect(settings, tracking_uri(settings, None))
    return {one.name: client.search_runs([one.experiment_id]) for one in client.search_experiments()}


def test_mlflow_is_away_while_a_model_is_retrained_and_everything_arrives_later_once(
    settings, config, make_shop, nowhere, monkeypatch
):
    run_retraining(make_shop(make_frame(1500).head(800), config), trigger="initial", actor="ann")
    done = run_retraining(make_shop(make_frame(1500, turn=700), config), actor="ann")
    away = send(settings)
    monkeypatch.delenv(VARIABLE)
    back, again = send(settings), send(settings)

    runs = runs_of(settings)
    versions = [run for run in runs["retraining_pipeline"] if "mlflow.parentRunId" not in run.data.tags]
    (run,) = [run for run in versions if run.data.tags["understudy.entry"] == done.version.experiment]
    nested = [one for one in runs["retraining_pipeline"] if one.data.tags.get("mlflow.parentRunId") == run.info.run_id]
    assert done.outcome in ("rollout", "rejected")
    assert (away.sent, away.waiting > 0) == (0, True)
    assert (back.waiting, back.mirrored, again.sent) == (0, ("churn",), 0)
    assert {run.data.tags["version"] for run in versions} == {"v1.0.0", "v1.1.0"}
    assert len(versions) == 2
    assert len(nested) == QUICK["trials"]
    assert run.data.tags["verdict"] == done.decision.outcome
    assert [len(runs[name]) for name in ("automated_retraining", "model_comparison", "model_deployment")] == [2, 1, 1]


def test_a_retraining_that_fails_is_noted_too(settings, config, make_shop, nowhere):
    with pytest.raises(DataError):
        run_retraining(make_shop(make_frame(100), config), actor="ann")

    noted = [one.entry for one in Outbox(settings).waiting()]

    assert {entry.experiment for entry in noted} == {"automated_retraining", "retraining_pipeline"}
    assert {entry.status for entry in noted} == {"FAILED"}
    assert "100" in next(entry.tags["error"] for entry in noted if "error" in entry.tags)
