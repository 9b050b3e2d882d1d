"""What fitted pipelines say, how they are folded, and what a trial is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.config.data import Features
from flows.training.families.family import Fold
from flows.training.folding.fold import fold
from flows.training.folding.members import Folded
from registry.originals import by_class
from registry.records.version import Task

Floats = NDArray[np.float64]


def said(fitted: Any, features: Any, task: Task, classes: int = 0) -> Floats:
    """
    Ask a pipeline, or a model, that was fitted on numbers of classes, or on values.

    Returns:
        P(1) or the value, shape (n,); of several classes, shape (n, classes).
    """
    if task == "binary":
        return np.asarray(fitted.predict_proba(features)[:, 1], dtype=np.float64)
    if task == "multiclass":
        return by_class(fitted, fitted.predict_proba(features), classes)
    return np.asarray(fitted.predict(features), dtype=np.float64).reshape(-1)


def folded(fitted: Any, features: Features, classes: Sequence[str]) -> Folded:
    """Fold a pipeline that was fitted on the features in their order."""
    return fold(fitted, numeric=features.numbers, categorical=features.categorical, classes=classes)


def loss_of(task: Task, labels: Floats, scores: Floats) -> float:
    """Judge by a proper loss, so that probabilities stay honest: log loss, or root of the mean squared error."""
    if task == "regression":
        return float(np.sqrt(np.mean((scores - labels) ** 2)))
    both = scores if scores.ndim == 2 else np.stack([1 - scores, scores], axis=1)
    told = both[np.arange(len(labels)), labels.astype(np.int64)]
    return float(-np.mean(np.log(np.clip(told, 1e-15, 1.0))))


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """
    One fold, encoded once; plain arrays, so that it can be sent to other processes.

    Attributes:
        past, future: Encoded features, shape (rows, columns).
        learned, judged: Labels of both.
        weights: Of the past; None: all alike.
    """

    past: Floats
    future: Floats
    learned: Floats
    judged: Floats
    weights: Floats | None

    @classmethod
    def of(cls, encoder: Any, fold: Fold) -> "Encoded":
        """Fit *encoder* to the past."""
        seen = encoder.fit_transform(fold.past.features, fold.past.labels)
        return cls(
            past=np.asarray(seen, dtype=np.float64),
            future=np.asarray(encoder.transform(fold.future.features), dtype=np.float64),
            learned=fold.past.labels,
            judged=fold.future.labels,
            weights=fold.past.weights,
        )
