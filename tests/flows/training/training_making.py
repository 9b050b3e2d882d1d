"""Small, quick rows with a known truth."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from flows.config.load import parse_config
from flows.config.model import ModelConfig

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = 3600.0


def make_config(task: str = "binary", **sections: Any) -> ModelConfig:
    """One model over `a`, `b` (numbers) and `c` (category); training is quick unless told otherwise."""
    training = {"min_rows": 200, "window": None, "trials": 3} | sections.pop("training", {})
    promotion = {"require_approval": False} | sections.pop("promotion", {})
    features = sections.pop("features", {"numeric": ["a", "b"], "categorical": ["c"]})
    whole = {"model": "churn", "task": task, "target": sections.pop("target", "y"), "features": features}
    sections = {"validation": {"enabled": False}} | sections  # a router for each test would take minutes
    return parse_config(whole | {"training": training, "promotion": promotion} | sections, "test")


def make_frame(rows: int = 1500, *, task: str = "binary", seed: int = 0, turn: int | None = None) -> pl.DataFrame:
    """
    Hourly rows that end at NOW; from row *turn* on, the truth is the opposite.

    A tenth of `a` and `c` is missing; `b` is noise.
    """
    dice = np.random.default_rng(seed)
    a, b = dice.normal(50, 10, rows), dice.normal(size=rows)
    c = dice.choice(["red", "green", "blue", "rare"], rows, p=[0.5, 0.3, 0.19, 0.01])
    value = (a - 50) / 10 + (c == "red") - (c == "green")
    if turn is not None:
        value[turn:] *= -1
    noisy = value + dice.normal(scale=0.7, size=rows)
    label = (noisy > 0).astype(float) if task == "binary" else 1000 + 100 * noisy
    missing = pl.Series(dice.random(rows) < 0.1)
    return pl.DataFrame(
        {
            "a": a,
            "b": b,
            "c": c,
            "_time": NOW.timestamp() - HOUR * np.arange(rows)[::-1],
            "_key": [str(n) for n in range(rows)],
            "_label": label,
        }
    ).with_columns(
        a=pl.when(missing).then(None).otherwise("a"),
        c=pl.when(missing.reverse()).then(None).otherwise("c"),
    )
