"""Small configurations and evidence; different only where a test says so."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
from scipy import special

from flows.config.load import parse_config
from flows.detection.fusion.decision import decide
from flows.detection.fusion.mapping import data_signal, error_signals
from flows.detection.fusion.signals import Drifted, Evidence, Signal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
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


def make_config(**sections):
    whole = {"model": "churn", "task": "binary", "target": "y", "features": {"numeric": ["x"], "categorical": ["c"]}}
    return parse_config(whole | sections, "test")


def drifted(*names, size=0.3):
    return tuple(Drifted(name=name, size=size, words=f"D = {size:.3f}") for name in names)


def priced(harm=0.3, error=0.02, kind="concept", **changes):
    fields = {"name": f"{kind} signal", "kind": kind, "strength": min(max(harm, 0), 1), "doubt": 0.001}
    return Signal(**fields | {"harm": harm, "harm_error": error, "words": f"{kind} rose"} | changes)


def evidence(metrics=None, *signals, features=(), weights=None):
    known = CALM | {"drifted_features": float(len(features))} | (metrics or {})
    data = data_signal(features, weights or {}, 1e-6)
    return Evidence(
        metrics=known,
        signals=(*error_signals(known), *signals, *([data] if data else [])),
        drifted=tuple(features),
        importance=weights or {},
    )


def decided(metrics=None, *signals, rules=None, fusion=None, in_service=None, **more):
    sections = {"rules": rules} if rules is not None else {}
    sections |= {"fusion": fusion} if fusion else {}
    config = make_config(**({"detection": sections} if sections else {}))
    return decide(config, evidence(metrics, *signals, **more), in_service=in_service)


def labelled_rows(rows, seed, *, change=0.0, task="regression", noise=1.0):
    """Features, the champion's scores and the labels; the effect of x0 has changed."""
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(rows, 4))
    was, now = x @ [1.0, -0.8, 0.5, 0.0], x @ [1.0 + change, -0.8, 0.5, 0.0]
    frame = pl.DataFrame({f"x{i}": x[:, i] for i in range(4)}).with_columns(c=pl.Series(dice.choice(["a", "b"], rows)))
    if task == "regression":
        return frame, was, now + noise * dice.normal(size=rows)
    return frame, special.expit(was), (dice.random(rows) < special.expit(now)).astype(float)
