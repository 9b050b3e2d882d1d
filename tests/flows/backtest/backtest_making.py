"""A small world whose relation turns over in the middle."""

import numpy as np
import polars as pl

from flows.backtest.batches import Plan
from flows.backtest.engine import Setting
from flows.backtest.memory import Sliding
from flows.backtest.recipe import Recipe
from flows.backtest.table import read
from flows.backtest.workshop import Workshop
from flows.config.load import parse_config

QUICK = Recipe(rounds=5, depth=2, rate=0.15)
HOUR = 3600.0
MODEL = {
    "model": "turning",
    "task": "binary",
    "target": "y",
    "features": {"numeric": ["x", "z"], "categorical": ["place"]},
    "data": {"row_every": "1h", "label_delay": "2d"},
    "training": {"window": None, "min_rows": 100},
    "promotion": {"metric": "accuracy"},
}


def config(**changes):
    return parse_config(MODEL | changes, "turning.yaml")


def frame(rows=1600, turn=0.5, seed=0):
    """The label follows x, and after the turn the opposite."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    sign = np.where(np.arange(rows) < turn * rows, 1.0, -1.0)
    return pl.DataFrame(
        {
            "x": x,
            "z": rng.normal(size=rows),
            "place": rng.choice(["a", "b", None], size=rows).tolist(),
            "y": (sign * x + 0.3 * rng.normal(size=rows) > 0).astype(int),
        }
    )


def table(rows=1600, **options):
    return read(config(), frame(rows, **options))


def setting(folder, made=None, *, batch="100", warmup=4, window=None, recipe=QUICK):
    made = made if made is not None else table()
    return Setting(
        workshop=Workshop(made, recipe, folder),
        edges=Plan(batch=batch, warmup=warmup).edges(made.times),
        metric="accuracy",
        choose=Sliding(window),
    )
