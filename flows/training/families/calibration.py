"""Probabilities that mean what they say: corrected on newer rows than the fit has seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.training.families.saying import loss_of
from flows.training.metrics import measure
from registry.records.version import Task
from registry.scoring.spec import Calibration

Floats = NDArray[np.float64]
Kind = Literal["none", "auto", "isotonic", "sigmoid"]
ENOUGH = 10_000
"""Rows from which on an isotonic map is better than two numbers; measured, see docs/training/families.md."""
FEWEST = 50
_EDGE = 1e-12  # as in the kernel: probabilities closer to 0 or 1 have no log-odds worth the name


class Later(NamedTuple):
    """
    Rows of one fold, scored by a fit that is older than all of them.

    Attributes:
        labels: Shape (n,), 0 or 1, or the number of the class.
        scores: Shape (n,), P(1); of several classes, shape (n, classes).
    """

    labels: Floats
    scores: Floats


@dataclass(frozen=True, slots=True)
class Calibrated:
    """
    What came of a calibration.

    Attributes:
        steps: None at all, one, or one for each class.
        said: How probabilities are corrected, and what that did to rows it was not fitted on; empty if they are not.
    """

    steps: tuple[Calibration, ...] = ()
    said: str = ""


def calibrate(task: Task, later: Sequence[Later], kind: Kind) -> Calibrated:
    """
    Fit a correction to *later* rows, and check it: on each fold by a correction fitted to the others.

    Args:
        task: Nothing is corrected of a regression.
        later: Folds in any order.
        kind: "auto" takes isotonic from 10,000 rows on, else sigmoid, and neither if the log
            loss of the check does not fall.

    Source:
        Niculescu-Mizil and Caruana (2005), ICML: which of the two for how many rows.
    """
    rows = sum(len(fold.labels) for fold in later)
    if kind == "none" or task == "regression" or rows < FEWEST:
        return Calibrated()
    chosen = kind if kind != "auto" else ("isotonic" if rows >= ENOUGH else "sigmoid")
    steps = _fitted(later, chosen)
    if not steps:
        return Calibrated()
    before, after = _checked(task, later, chosen)
    if kind == "auto" and after["log_loss"] >= before["log_loss"]:
        return Calibrated()
    checks = ", ".join(
        f"{name.replace('_', ' ')} {before[name]:.4f} -> {after[name]:.4f}" for name in ("log_loss", "calibration")
    )
    return Calibrated(steps, f"{chosen}, on {rows:,} rows later than the fit; where it was not fitted: {checks}")


def corrected(steps: Sequence[Calibration], scores: Floats) -> Floats:
    """
    Correct probabilities, as the scorer will; by other code, so that the two can be compared.

    Args:
        steps: None at all, one, or one for each class.
        scores: Shape (n,), or (n, classes).
    """
    if not steps:
        return scores
    if scores.ndim == 1:
        return _one(steps[0], scores)
    found = np.stack([_one(step, scores[:, number]) for number, step in enumerate(steps)], axis=1)
    total = found.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total != 0, found / np.where(total != 0, total, 1.0), 1.0 / len(steps)))


def _one(step: Calibration, scores: Floats) -> Floats:
    if step.kind == "isotonic":
        return np.interp(scores, step.x, step.y)
    return np.asarray(1 / (1 + np.exp(-(step.slope * _odds(scores) + step.intercept))), dtype=np.float64)


def _odds(scores: Floats) -> Floats:
    safe = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(safe / (1 - safe)), dtype=np.float64)


def _fitted(later: Sequence[Later], kind: str) -> tuple[Calibration, ...]:
    """One correction for each probability; none at all if one of them cannot be fitted."""
    labels = np.concatenate([fold.labels for fold in later])
    scores = np.concatenate([fold.scores for fold in later])
    make: Callable[[Floats, Floats], Calibration | None] = _isotonic if kind == "isotonic" else _sigmoid
    columns = [scores] if scores.ndim == 1 else list(scores.T)
    truths = [labels] if scores.ndim == 1 else [(labels == number).astype(float) for number in range(scores.shape[1])]
    found = [make(truth, column) for truth, column in zip(truths, columns, strict=True)]
    return tuple(step for step in found if step is not None) if None not in found else ()


def _isotonic(labels: Floats, scores: Floats) -> Calibration | None:
    from sklearn.isotonic import IsotonicRegression

    if not 0 < labels.mean() < 1:
        return None
    edge = 1 / (len(labels) + 2)  # nothing is certain after so many rows
    found = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(scores, labels)
    x, y = found.X_thresholds_.tolist(), found.y_thresholds_.tolist()
    return Calibration(kind="isotonic", x=tuple(x), y=tuple(y))


def _sigmoid(labels: Floats, scores: Floats) -> Calibration | None:
    from sklearn.linear_model import LogisticRegression

    if not 0 < labels.mean() < 1:
        return None
    found: Any = LogisticRegression(C=np.inf).fit(_odds(scores)[:, None], labels)
    slope = float(found.coef_[0, 0])
    if slope <= 0:  # it would turn the order of the rows round
        return None
    return Calibration(kind="sigmoid", slope=slope, intercept=float(found.intercept_[0]))


def _checked(task: Task, later: Sequence[Later], kind: str) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics before and after, each fold corrected by the others; by itself if it is the only one."""
    parts = []
    for number, fold in enumerate(later):
        others = [*later[:number], *later[number + 1 :]] or [fold]
        parts.append(corrected(_fitted(others, kind), fold.scores))
    labels = np.concatenate([fold.labels for fold in later])
    before, after = np.concatenate([fold.scores for fold in later]), np.concatenate(parts)
    return _proper(task, labels, before), _proper(task, labels, after)


def _proper(task: Task, labels: Floats, scores: Floats) -> dict[str, float]:
    return {"log_loss": loss_of(task, labels, scores), "calibration": measure(task, labels, scores)["calibration"]}
