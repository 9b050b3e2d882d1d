"""Looks at models of several classes."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest

from flows.config.model import ModelConfig
from flows.detection.classes import as_hits
from flows.detection.drift import drift, drift_between
from flows.detection.measuring import Seen, looked
from flows.detection.performance.calibrators import NONE
from flows.detection.performance.estimate import Options, estimates
from flows.detection.performance.expected import HITS
from flows.detection.performance.rows import scored
from flows.detection.standard import Kept, standard_of
from flows.detection.univariate.profile import ReferenceProfile, category_profile, profile
from registry.records.version import Feature, ModelVersion, TrainingData

CLASSES = ("ant", "bee", "cat", "dog")
START = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = ModelConfig.model_validate(
    {
        "model": "m",
        "task": "multiclass",
        "target": "y",
        "features": {"numeric": ["x"]},
        "data": {"classes": CLASSES},
        "detection": {"window": 1000, "min_rows": 100},
    }
)


def rows(n=1000, right=0.8, shares=(0.25, 0.25, 0.25, 0.25), seed=1, labelled=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, n, p=shares)
    said = np.where(rng.random(n) < right, labels, (labels + 1) % 4)
    known = rng.random(n) < labelled
    return pl.DataFrame(
        {
            "x": rng.normal(size=n),
            "_time": START.timestamp() + 60.0 * np.arange(n),
            "_score": np.clip(rng.normal(0.8, 0.05, n), 0, 1),
            "_prediction": said.astype(float),
            "_label": [float(label) if there else None for label, there in zip(labels, known, strict=True)],
            "_version": ["v1.0.0"] * n,
        }
    )


def reference(frame) -> ReferenceProfile:
    kept = {
        name: category_profile(frame[column].cast(pl.Int64).replace_strict(dict(enumerate(CLASSES))))
        for name, column in (("score", "_prediction"), ("label", "_label"))
    }
    return msgspec.structs.replace(profile(frame.select("x", "_time"), CONFIG), classes=kept)


def champion(accuracy=0.8) -> ModelVersion:
    return ModelVersion(
        model="m",
        version="v1.0.0",
        task="multiclass",
        classes=CLASSES,
        target="y",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="xgboost",
        metrics={"accuracy": accuracy, "loss": 1 - accuracy, "log_loss": 0.7},
        data=TrainingData(rows=1, start=None, end=None, source="t", fingerprint="0"),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=START,
        actor="t",
        reason="t",
    )


def test_a_profile_of_classes_survives_its_file_and_others_stay_as_they_were():
    kept = reference(rows())

    assert ReferenceProfile.from_json(kept.to_json()) == kept
    assert b"classes" not in msgspec.structs.replace(kept, classes={}).to_json()


def test_drift_of_classes_is_that_of_a_category_by_name():
    kept = reference(rows())

    same = drift(kept, rows(seed=2), CONFIG)
    other = drift(kept, rows(seed=3, shares=(0.7, 0.1, 0.1, 0.1)), CONFIG)

    assert same.metrics()["prediction_drift"] == same.metrics()["label_drift"] == 0.0
    assert other.metrics()["prediction_drift"] == other.metrics()["label_drift"] == 1.0
    assert other.label_drift is not None
    assert (other.label_drift.kind, other.drifted) == ("categorical", ())


def test_two_tables_are_compared_by_names_of_classes_too():
    told = drift_between(rows(), rows(seed=3, shares=(0.7, 0.1, 0.1, 0.1)), CONFIG)

    assert told.label_drift is not None
    assert told.label_drift.kind == "categorical"
    assert told.metrics()["prediction_drift"] == 1.0


def test_what_is_a_hit_remains_one():
    once = as_hits(CONFIG, rows(labelled=0.5))

    assert as_hits(CONFIG, once).equals(once)
    assert once["_label"].mean() == pytest.approx(0.8, abs=0.05)
    assert once["_label"].null_count() == rows(labelled=0.5)["_label"].null_count()


def look(now_right, labelled=1.0):
    before = as_hits(CONFIG, rows(seed=9))
    held = {"times": before["_time"], "scores": before["_score"], "labels": before["_label"]}
    standard = standard_of(CONFIG, rows(seed=9), {n: c.to_numpy() for n, c in held.items()}, {"x": 1.0}, 1)
    frame = rows(2000, right=now_right, seed=4, labelled=labelled)
    known = frame.filter(pl.col("_label").is_not_null())
    seen = Seen(frame, known, new_rows=2000, first_trained=START)
    return looked(CONFIG, seen, champion(), Kept(reference(rows(seed=9)), standard), START)


def test_a_look_measures_accuracy_and_calls_a_fall_degradation():
    steady, worse = look(0.8), look(0.5)

    assert steady.decision.evidence["accuracy"] == pytest.approx(0.8, abs=0.04)
    assert steady.decision.evidence["degraded"] == 0.0
    assert worse.decision.evidence["degraded"] == 1.0
    assert worse.decision.evidence["baseline_increase"] > 0.5
    assert worse.decision.evidence["calibration_error"] > 0.2
    assert worse.decision.evidence["recoverable"] is None


def test_accuracy_is_estimated_where_labels_are_missing():
    told = look(0.8, labelled=0.3).performance
    [guessed] = [one for one in told.measures if one.estimated]

    assert guessed.name == "accuracy"
    assert guessed.low <= 0.8 <= guessed.high


def test_without_calibration_the_estimate_is_the_mean_of_the_probabilities_of_what_was_said():
    frame = as_hits(CONFIG, rows(labelled=0.0))
    options = Options(confidence=0.95, blind_gap=0.02, least=100)
    [measure], checks = estimates(scored("multiclass", frame), NONE, options, HITS)

    assert measure.value == pytest.approx(frame["_score"].mean())
    assert checks == []
