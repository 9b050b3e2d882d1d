"""Whether what is served says what was fitted: measured through the real files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.data.rows import by_parts
from flows.training.errors import ParityRefused
from flows.validation.checks.answers import PROBABILITY, RELATIVE
from registry.records.version import Task
from registry.scoring.scorer import Scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """
    How closely the files agree with the fitted pipeline.

    Attributes:
        scores: What the scorer says, shape (n,); of several classes, shape (n, classes).
        largest: Largest absolute difference to the pipeline.
        relative: Largest difference relative to the value; a value near zero counts as
            the mean absolute value.
    """

    scores: NDArray[np.float64]
    largest: float
    relative: float


def check_parity(
    files: Mapping[str, bytes], rows: Sequence[Mapping[str, Any]], expected: NDArray[np.float64], task: Task
) -> Parity:
    """
    Score *rows* by the files of an artifact, as the router would.

    Args:
        files: Content by name.
        rows: Features as they arrive in JSON.
        expected: What the fitted pipeline says of the same rows, shape (n,) or (n, classes).
        task: A probability may differ by 1e-4, a value by 1e-5 of itself.

    Raises:
        ParityRefused: If it differs by more, or is not finite.
    """
    scorer = Scorer.of(files)
    scores = by_parts(scorer.probabilities if task == "multiclass" else scorer.score, rows)
    difference = np.abs(scores - expected)
    size = np.maximum(np.abs(expected), np.mean(np.abs(expected)))
    relative = float(np.max(difference / np.where(size > 0, size, 1.0)))
    found = Parity(scores=scores, largest=float(np.max(difference)), relative=relative)
    within = found.relative <= RELATIVE if task == "regression" else found.largest <= PROBABILITY
    if not within:  # NaN is never within
        worst = np.nan_to_num(difference.reshape(len(rows), -1), nan=np.inf).max(axis=1)
        raise _refused(found, rows, int(np.argmax(worst)))
    return found


def _refused(found: Parity, rows: Sequence[Mapping[str, Any]], worst: int) -> ParityRefused:
    return ParityRefused(
        "The scorer was not registered.",
        f"It differs from the fitted pipeline by up to {found.largest:.2g} ({found.relative:.2g} relative), "
        f"most in holdout row {worst} of {len(rows)}.",
        "Check the features for values that JSON cannot carry; leave the family out in training.families meanwhile.",
    )
