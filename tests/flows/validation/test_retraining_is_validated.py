"""A retraining whose candidate fails is registered and rejected; production stays as it was."""

import numpy as np
import polars as pl
import pytest
from validation_making import AT, a_frame, linear, scores_of

from flows.config.load import parse_config
from flows.data.gather import Extracted
from flows.training.retraining import run_retraining
from flows.training.shop import Shop
from registry.artifacts import ArtifactStore
from registry.store.registry import Registry

pytestmark = pytest.mark.long


def a_shop(settings, registry, frame, **validation):
    config = parse_config(
        {
            "model": "churn",
            "task": "binary",
            "target": "left",
            "features": {"numeric": ["age", "spent"], "categorical": ["plan"]},
            "training": {"min_rows": 200, "window": None, "trials": 2, "families": ["xgboost"]},
            "promotion": {"require_approval": False},
            "validation": {"rows": 200, "latency_ms": 250.0} | validation,
        },
        "test",
    )
    return Shop(
        config=config,
        settings=settings,
        registry=registry,
        artifacts=ArtifactStore(settings.models_dir),
        extract=lambda *_: Extracted(frame=frame, source="a table", version=""),
        clock=lambda: AT,
    )


def labelled(n, seed=1):
    """Hourly rows that end now."""
    frame = a_frame(n, seed)
    truth = scores_of(linear(2.0, -1.0, 2.0), frame)
    label = (np.random.default_rng(seed).random(n) < truth).astype(float)
    return frame.with_columns(
        pl.Series("_label", label),
        pl.Series("_time", AT.timestamp() - 3600.0 * np.arange(n)[::-1]),
        pl.Series("_key", [f"{seed}-{i}" for i in range(n)]),
    )


def retrain(settings, registry, frame, **validation):
    return run_retraining(a_shop(settings, registry, frame, **validation), actor="ann", reason="a test")


def test_a_candidate_that_fails_a_test_is_rejected_with_its_words(settings, tmp_path, monkeypatch):
    (tmp_path / "house_rules.py").write_text(
        "def rich(version):\n    top = version.predict([{'age': 3.0, 'spent': 0.0, 'plan': 'a'}])[0]['score']\n"
        "    assert top < 0.1, f'nobody may score {top:.1f}'\n"
    )
    monkeypatch.chdir(tmp_path)
    first = labelled(1000)
    with Registry.open(settings.registry_url) as registry:
        installed = retrain(settings, registry, first)
        plans = registry.plans("churn")
        assert installed.outcome == "installed"
        assert installed.version.validation["passed"] is True

        done = retrain(settings, registry, first, tests=["house_rules:rich"])
        later = registry.version("churn", done.version.version)

        assert done.outcome == "rejected"
        assert "nobody may score" in done.said
        assert later.stage == "rejected"
        assert later.validation["passed"] is False
        assert registry.champion("churn").version == installed.version.version
        assert registry.plans("churn") == plans
        assert registry.rollouts("churn") == []
        assert registry.verify_audit() == []


def test_a_first_champion_that_fails_is_not_installed(settings):
    with Registry.open(settings.registry_url) as registry:
        done = retrain(settings, registry, labelled(1000), memory_mb=0.001)

        assert done.outcome == "rejected"
        assert "memory" in registry.version("churn", done.version.version).validation["checks"][0]["name"]
        assert registry.champion("churn") is None
