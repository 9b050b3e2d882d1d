"""Small tables of scored rows, and champions whose holdout is known."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
from scipy import signal, special

from flows.config.load import parse_config
from flows.training.metrics import measure
from registry.records.version import Feature, ModelVersion, TrainingData

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_config(numeric=("x",), categorical=(), *, task="binary", **sections):
    whole = {
        "model": "churn",
        "task": task,
        "target": "y",
        "features": {"numeric": list(numeric), "categorical": list(categorical)},
    }
    return parse_config(whole | sections, "test")


def a_champion(task="binary", metrics=None):
    return ModelVersion(
        model="churn",
        version="v1.0.0",
        task=task,
        target="y",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="linear",
        metrics=metrics or {},
        data=TrainingData(rows=100, start=None, end=NOON, source="table.csv", fingerprint="f" * 64),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=NOON,
        actor="ann",
        reason="a test",
    )


def trained_on(frame, task="binary"):
    """A champion whose holdout was *frame*."""
    return a_champion(task, measure(task, frame["_label"].to_numpy(), frame["_score"].to_numpy()))


def wave(dice, n, memory):
    """Standard normal values that resemble their neighbours."""
    steps = dice.normal(size=n + 100) * np.sqrt(1 - memory**2)
    return signal.lfilter([1.0], [1.0, -memory], steps)[100:]


def classes(n, seed, *, drift=0.0, memory=0.0, labelled=1.0):
    """Calibrated scores of about .78 accuracy; *drift* moves what features mean, on the logit scale."""
    dice = np.random.default_rng(seed)
    x, luck = wave(dice, n, memory), special.ndtr(wave(dice, n, memory))
    labels = (luck < special.expit(2 * x - 1 + drift)).astype(np.float64)
    return _frame(x, special.expit(2 * x - 1), labels, labelled)


def values(n, seed, *, noise=1.0, memory=0.0, labelled=1.0):
    """Predictions whose errors grow with `x`."""
    dice = np.random.default_rng(seed)
    x, luck = wave(dice, n, memory), wave(dice, n, memory)
    return _frame(x, 3 * x, 3 * x + noise * np.exp(0.4 * x) * luck, labelled)


def _frame(x, scores, labels, labelled):
    known = np.arange(x.size) < labelled * x.size
    frame = pl.DataFrame({"x": x, "_score": scores, "_label": labels, "_time": np.arange(x.size, dtype=np.float64)})
    return frame.with_columns(
        _label=pl.when(pl.Series(known)).then(pl.col("_label")).otherwise(None), _version=pl.lit("v1.0.0")
    )
