"""Small tables, reports and decisions; different only where a test says so."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl

from flows.config.load import parse_config
from flows.detection.fusion.decision import decide
from flows.detection.fusion.mapping import evidence_of
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.look import Look
from registry.records.version import Feature, ModelVersion, TrainingData

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNKNOWN = dict.fromkeys(("error", "error_increase", "error_p", "baseline_increase", "baseline_p"))
CALM = {
    "error": 0.1,
    "error_increase": 0.0,
    "error_p": 0.5,
    "baseline_error": 0.1,
    "baseline_increase": 0.0,
    "baseline_p": 0.5,
    "drifted_features": 0.0,
    "high_drift_features": 0.0,
    "labelled": 500.0,
    "age_days": 1.0,
    "new_rows": 10.0,
}


def make_config(numeric=("x",), categorical=("c",), *, task="binary", **sections):
    whole = {
        "model": "churn",
        "task": task,
        "target": "y",
        "features": {"numeric": list(numeric), "categorical": list(categorical)},
    }
    return parse_config(whole | sections, "test")


def sample(rows, seed, shift=0.0, **columns):
    """`x` is normal, `c` one of three levels."""
    dice = np.random.default_rng(seed)
    frame = pl.DataFrame({"x": dice.normal(shift, 1, rows), "c": dice.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])})
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def feature(name="x", **changes):
    return FeatureDrift(**{"name": name, "kind": "numeric", "n": 1000, "reference_n": 5000} | changes)


def drifted(name="x", **changes):
    return feature(name, **{"drifted": True, "statistic": 0.3, "psi": 0.4, "adjusted": 1e-6} | changes)


def report(*features, **changes):
    values = {"reference_rows": 5000, "rows": 1000, "enough": True, "said": f"{len(features)} features"}
    return DriftReport(features=features, **values | changes)


def look(*features, metrics=None, config=None, **changes):
    seen = report(*features)
    made = Look(
        model="churn",
        at=NOON,
        champion="v1.0.0",
        decision=decide(config or make_config(), evidence_of(CALM | (metrics or {}), seen)),
        drift=seen,
    )
    return msgspec.structs.replace(made, **changes)


def a_version(version="v1.0.0", **changes):
    fields = {
        "model": "churn",
        "version": version,
        "task": "binary",
        "target": "y",
        "features": (Feature(name="x", kind="numeric"),),
        "algorithm": "linear",
        "metrics": {"loss": 0.2},
        "data": TrainingData(rows=100, start=None, end=NOON, source="table.csv", fingerprint="f" * 64),
        "artifact_digest": "0" * 64,
        "parity": 0.0,
        "created_at": NOON,
        "actor": "ann",
        "reason": "a test",
    }
    return ModelVersion(**fields | changes)
