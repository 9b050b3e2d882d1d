"""Tables of any size with a known kind of truth: numbers with holes, categories of many levels, time."""

import numpy as np
import polars as pl

from flows.config.load import parse_config
from flows.config.model import ModelConfig

NUMERIC, LEVELS = 24, (3, 8, 20, 60, 200, 500)
START, HALF_YEAR = 1_700_000_000.0, 180 * 86_400.0
NUMBERS = tuple(f"n{place}" for place in range(NUMERIC))
NAMES = tuple(f"c{place}" for place in range(len(LEVELS)))


def table(rows: int, seed: int = 1) -> pl.DataFrame:
    """24 numbers (a tenth missing) and 6 categories of up to 500 levels, evenly over half a year; prepared."""
    dice = np.random.default_rng(seed)
    numbers = dice.normal(size=(rows, NUMERIC)).astype(np.float32)
    codes = [dice.zipf(1.4, rows) % levels for levels in LEVELS]
    truth = _truth(numbers, codes, np.random.default_rng(7))
    label = (dice.random(rows) < 1 / (1 + np.exp(-truth))).astype(float)
    numbers[dice.random(numbers.shape) < 0.1] = np.nan
    columns = {name: pl.Series(numbers[:, place]).cast(pl.Float64) for place, name in enumerate(NUMBERS)}
    frame = pl.DataFrame(columns).fill_nan(None)
    named = [
        pl.Series(name, code).cast(pl.String).str.zfill(3).str.pad_start(5, "l")
        for name, code in zip(NAMES, codes, strict=True)
    ]
    order = pl.int_range(rows, eager=True)
    times = (order * (HALF_YEAR / rows) + START).cast(pl.Float64)
    return frame.with_columns(
        *named, times.alias("_time"), order.cast(pl.String).alias("_key"), pl.Series("_label", label)
    )


def _truth(numbers: np.ndarray, codes: list[np.ndarray], dice: np.random.Generator) -> np.ndarray:
    """Main effects, steps, products and one effect per level; it drifts slowly with time."""
    time = np.linspace(0, 1, len(numbers))
    truth = numbers[:, :8] @ dice.normal(scale=0.5, size=8) + 0.8 * numbers[:, 8] * numbers[:, 9]
    truth += 1.2 * (numbers[:, 10] > 0.5) * (numbers[:, 11] < 0) + 0.6 * np.sin(2 * numbers[:, 12])
    truth += (0.8 * time) * numbers[:, 13]
    for levels, code in zip(LEVELS, codes, strict=True):
        truth += dice.normal(scale=0.5, size=levels)[code]
    return truth - 1.0


def config(**training: object) -> ModelConfig:
    """A configuration for such tables."""
    given = {"window": None, "families": ["xgboost"], "time_budget": "2h"} | training
    return parse_config(
        {
            "model": "sizes",
            "task": "binary",
            "target": "y",
            "features": {"numeric": list(NUMBERS), "categorical": list(NAMES)},
            "training": given,
            "promotion": {"require_approval": False},
        },
        "benchmark",
    )
