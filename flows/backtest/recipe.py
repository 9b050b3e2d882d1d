"""A quick fit, so that hundreds of them take a minute: boosted trees of fixed settings on one thread."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Window
from flows.backtest.table import Table
from flows.training.families.encoding import target_encoder
from flows.training.windows import fading
from registry.records.version import Task

Floats = NDArray[np.float64]

USUAL: dict[Task, tuple[int, float]] = {"binary": (4, 0.1), "regression": (6, 0.15)}  # depth and rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """
    Settings of every fit of a replay; a policy chooses only when, and from which rows.

    Attributes:
        rounds: Trees.
        rate: Learning rate; None: 0.1 for a probability, 0.15 for a value.
        depth: Of a tree; None: 4 for a probability, 6 for a value. Labels of 0 and 1 hold little
            information each, and deep trees learn their noise.
        weight: Least weight of rows in a leaf.
        absolute: Minimise the absolute instead of the squared error (regression).
        seed: The same seed and rows give the same model, byte for byte.
    """

    rounds: int = 80
    rate: float | None = None
    depth: int | None = None
    weight: float = 5.0
    absolute: bool = False
    seed: int = 0

    def scores(self, table: Table, window: Window) -> Floats:
        """Fit on *window*, and score every row from its end on: shape (table.rows - window.stop,)."""
        import xgboost

        encoder = target_encoder("regression", self.seed) if table.codes.shape[1] else None
        seen = slice(window.start, window.stop)
        labels = table.labels[seen]
        past = _matrix(table, seen, encoder.fit_transform(table.codes[seen], labels) if encoder else None)
        weights = fading(table.times[seen], window.half_life)
        booster = xgboost.train(
            {**self._settings(table.task), "base_score": _start(table.task, labels, weights)},
            xgboost.QuantileDMatrix(past, label=labels, weight=weights, max_bin=64, nthread=1),
            num_boost_round=self.rounds,
        )
        new = slice(window.stop, table.rows)
        if new.start == new.stop:
            return np.empty(0)
        ahead = _matrix(table, new, encoder.transform(table.codes[new]) if encoder else None)
        return np.asarray(booster.inplace_predict(ahead), dtype=np.float64)

    def _settings(self, task: Task) -> dict[str, Any]:
        plain = "reg:absoluteerror" if self.absolute else "reg:squarederror"
        depth, rate = USUAL[task]
        return {
            "objective": "binary:logistic" if task == "binary" else plain,
            "learning_rate": rate if self.rate is None else self.rate,
            "max_depth": depth if self.depth is None else self.depth,
            "min_child_weight": self.weight,
            "tree_method": "hist",
            "max_bin": 64,
            "nthread": 1,
            "seed": self.seed,
            "verbosity": 0,
        }


def _start(task: Task, labels: Floats, weights: Floats | None) -> float:
    """Where the trees begin: the mean, off the ends of the unit interval for a single class."""
    mean = float(np.average(labels, weights=weights))
    return min(max(mean, 1e-3), 1 - 1e-3) if task == "binary" else mean


def _matrix(table: Table, rows: slice, encoded: Floats | None) -> Floats:
    values = table.values[rows]
    return values if encoded is None else np.column_stack([values, encoded])
