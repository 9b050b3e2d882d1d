"""Fifty columns as tables have them, and single columns as they are measured."""

import numpy as np
import polars as pl

from flows.config.load import parse_config
from flows.detection.univariate.statistics import ColumnStatistics

LEVELS = (2, 3, 5, 8, 12, 20, 50, 100, 200, 200)
NUMERIC = tuple(f"x{i}" for i in range(40))
CATEGORICAL = tuple(f"c{i}" for i in range(10))
KINDS = {
    "normal": (lambda dice, n: dice.normal(size=n), 1.0),
    "t with 3 degrees": (lambda dice, n: dice.standard_t(3, n), 3**0.5),
    "lognormal": (lambda dice, n: dice.lognormal(0, 1, n), (np.e * (np.e - 1)) ** 0.5),
    "exponential": (lambda dice, n: dice.exponential(size=n), 1.0),
    "uniform": (lambda dice, n: dice.uniform(size=n), 12**-0.5),
    "Poisson": (lambda dice, n: dice.poisson(3, n).astype(float), 3**0.5),
    "rounded": (lambda dice, n: np.round(dice.normal(size=n), 1), 1.0),
    "mostly zero": (lambda dice, n: np.where(dice.random(n) < 0.6, 0.0, dice.gamma(2, 1, n)), 1.33),
    "ten integers": (lambda dice, n: dice.integers(0, 10, n).astype(float), 8.25**0.5),
    "Cauchy": (lambda dice, n: dice.standard_cauchy(n), np.nan),
}
DEVIATIONS = tuple(sd for _, sd in KINDS.values())


def make_config(numeric=NUMERIC, categorical=CATEGORICAL, **detection):
    features = {"numeric": list(numeric), "categorical": list(categorical)}
    return parse_config(
        {"model": "m", "task": "binary", "target": "y", "features": features, "detection": detection}, "test"
    )


def fifty(dice, rows):
    """40 numeric columns of ten kinds; 10 of levels, every second one by Zipf's law with rare levels."""
    made = [make for make, _ in KINDS.values()]
    numbers = {name: made[i % len(made)](dice, rows) for i, name in enumerate(NUMERIC)}
    levels = {
        name: dice.choice(k, rows, p=_chances(i, k))
        for i, (name, k) in enumerate(zip(CATEGORICAL, LEVELS, strict=True))
    }
    return pl.DataFrame(numbers | {name: pl.Series(values).cast(pl.String) for name, values in levels.items()})


def shifted(frame, names, by):
    """Shift columns by a share of the standard deviation of their kind."""
    return frame.with_columns(pl.col(name) + by * DEVIATIONS[NUMERIC.index(name) % len(DEVIATIONS)] for name in names)


def _chances(number, levels):
    chances = np.ones(levels) if number % 2 == 0 else 1 / np.arange(1, levels + 1) ** 1.2
    return chances / chances.sum()


def numbers(name="x", **changes):
    """A calm numeric column of a 5,000-row reference and a 1,000-row window."""
    values = {
        "name": name,
        "kind": "numeric",
        "n": 1000,
        "reference_n": 5000,
        "bins": 10,
        "ks": 0.02,
        "ks_p": 0.9,
        "moved": 0.02,
        "psi": 0.01,
        "jensen_shannon": 0.01,
    }
    return ColumnStatistics(**values | changes)


def moved(name="x", **changes):
    """A numeric column that moved by a quarter of a standard deviation."""
    return numbers(name, **{"ks": 0.1, "ks_p": 1e-9, "moved": 0.25, "psi": 0.3} | changes)


def levels(name="c", **changes):
    """A calm categorical column."""
    values = {
        "name": name,
        "kind": "categorical",
        "n": 1000,
        "reference_n": 5000,
        "bins": 4,
        "chi2": 3.0,
        "chi2_p": 0.4,
        "pooled_bins": 4,
        "pooled_p": 0.4,
        "pooled_v": 0.02,
        "psi": 0.01,
    }
    return ColumnStatistics(**values | changes)
