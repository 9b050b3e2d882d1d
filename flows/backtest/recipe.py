"""A quick fit, so that hundreds of them take a minute: boosted trees of fixed settings on one thread."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Window
from flows.backtest.table import Table
from flows.training.encoding import target_encoder
from registry.records.version import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """
    Settings of every fit of a replay; a policy chooses only when, and from which rows.

    Attributes:
        rounds: Trees.
        rate: Learning rate.
        depth: Of a tree.
        weight: Least weight of rows in a leaf.
        absolute: Minimise the absolute instead of the squared error (regression).
        seed: The same seed and rows give the same model, byte for byte.
    """

    rounds: int = 80
    rate: float = 0.15
    depth: int = 6
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
        return {
            "objective": "binary:logistic" if task == "binary" else plain,
            "learning_rate": self.rate,
            "max_depth": self.depth,
            "min_child_weight": self.weight,
            "tree_method": "hist",
            "max_bin": 64,
            "nthread": 1,
            "seed": self.seed,
            "verbosity": 0,
        }


def fading(times: Floats, half_life: float | None) -> Floats | None:
    """Weight of each row by its age against the newest one; None where all count alike."""
    return None if half_life is None else np.exp2((times - times[-1]) / half_life)


def _start(task: Task, labels: Floats, weights: Floats | None) -> float:
    """Where the trees begin: the mean, off the ends of the unit interval for a single class."""
    mean = float(np.average(labels, weights=weights))
    return min(max(mean, 1e-3), 1 - 1e-3) if task == "binary" else mean


def _matrix(table: Table, rows: slice, encoded: Floats | None) -> Floats:
    values = table.values[rows]
    return values if encoded is None else np.column_stack([values, encoded])
