"""Versions that are well or ill, each in its own way: helpers."""

from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import polars as pl
import psutil

from flows.config.load import parse_config
from flows.validation.holdout import HeldOut
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import Scorer, scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec

AT = datetime(2026, 3, 1, tzinfo=UTC)
FEATURES = (
    Feature(name="age", kind="numeric"),
    Feature(name="spent", kind="numeric"),
    Feature(name="plan", kind="categorical", levels=("a", "b")),
)


def a_config(task="binary", **validation):
    features = {"numeric": ["age", "spent"], "categorical": ["plan"]}
    budget = {"rows": 120, "latency_ms": 250.0}  # of a machine that runs other tests besides
    return parse_config(
        {"model": "churn", "task": task, "target": "left", "features": features, "validation": budget | validation},
        "test",
    )


def a_version(task="binary", **changes):
    fields = {
        "model": "churn",
        "version": "v1.1.0",
        "task": task,
        "target": "left",
        "features": FEATURES,
        "algorithm": "linear",
        "data": TrainingData(rows=1, start=None, end=None, source="test", fingerprint="0"),
        "artifact_digest": "0" * 64,
        "parity": 0.0,
        "created_at": AT,
        "actor": "test",
        "reason": "test",
    }
    return ModelVersion(**fields | changes)


def linear(*weights, task="binary"):
    """A compiled scorer; weights of age, spent and plan."""
    columns = (
        NumericColumn(feature="age", fill=0.0),
        NumericColumn(feature="spent", fill=0.0),
        CategoryColumn(feature="plan", table={"a": (1.0,), "b": (-1.0,)}, unknown=(0.0,), missing=(0.0,)),
    )
    spec = ScorerSpec(task=task, kind="linear", columns=columns, coefficients=weights or (0.5, -0.3, 0.8))
    return scorer_files(spec, None)


def a_frame(n=300, seed=1):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": rng.normal(size=n),
            "spent": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "plan": rng.choice(["a", "b"], size=n),
        }
    ).with_columns(pl.col("spent").fill_nan(None))


def scores_of(files, frame):
    return Scorer.of(files).score(frame.to_dicts())


def a_holdout(files=None, n=300, **changes):
    frame = a_frame(n)
    truth = scores_of(linear(), frame)
    labels = (np.random.default_rng(2).random(n) < truth).astype(np.float64)
    expected = scores_of(files, frame) if files else None
    return HeldOut(**{"frame": frame, "labels": labels, "expected": expected} | changes)


def processes_of(home):
    """Living processes whose state folder lies within *home*."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.environ().get("UNDERSTUDY_HOME", "").startswith(str(home) + "/"):
                found.append(one.pid)
    return found


def checks_of(report):
    return {check.name: check for check in report.checks}
