"""Choose what is served of a fitted pipeline: the folded one if it says the same, else the original."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flows.config.data import Features
from flows.training.errors import ParityRefused
from flows.training.folding.errors import CannotFold
from flows.training.folding.fold import fold
from flows.training.folding.members import Parts
from flows.training.parity import Parity, check_parity
from registry.errors import ArtifactRefused, InvalidRecord, Refusal
from registry.originals import original_spec, own_types, stored
from registry.records.version import Serving, Task
from registry.scoring.scorer import Scorer, scorer_files
from registry.scoring.spec import Calibration, ScorerSpec

_PARTLY = "Not every part could be folded."
Folding = Callable[[], Parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """
    What becomes of the probabilities, however they are made.

    Attributes:
        classes: Values of the target, if the task is multiclass.
        calibration: Corrects the probability, or that of each class.
        threshold: A binary score at or above it predicts 1.
    """

    classes: tuple[str, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    threshold: float = 0.5

    def on(self, spec: ScorerSpec) -> ScorerSpec:
        """Add it to a spec."""
        return msgspec.structs.replace(
            spec, classes=self.classes, calibration=self.calibration, threshold=self.threshold
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """
    Files of an artifact that were compared with the fitted pipeline.

    Attributes:
        files: Content by name.
        parity: How closely they agree.
        serving: Whether machine code scores, a native library or the pipeline itself.
        why: Why it is not compiled; empty if it is.
    """

    files: Mapping[str, bytes]
    parity: Parity
    serving: Serving
    why: str = ""


def pack(
    pipeline: Any,
    features: Features,
    task: Task,
    *,
    rows: Sequence[Mapping[str, Any]],
    expected: NDArray[np.float64],
    folding: Folding | None = None,
    order: Sequence[str] | None = None,
    ending: Ending | None = None,
    package: str = "",
) -> Packed:
    """
    Fold *pipeline*, compare, and fall back to the pipeline itself.

    Args:
        pipeline: Fitted on a table with the columns *order*.
        features: Which are numbers and which are categories.
        task: What the score means.
        rows: The holdout, as features arrive in JSON.
        expected: What the pipeline says of the same rows, shape (n,) or (n, classes); calibrated.
        folding: How it is folded; `fold` if absent.
        order: All features as the pipeline knows them; `features.names` if absent.
        ending: What becomes of its probabilities; nothing if absent.
        package: Whose types the stored pipeline may be made of, because the configuration names it.

    Raises:
        ParityRefused: If even the stored pipeline says something else of the same rows.
        ArtifactRefused: If it can neither be folded nor stored; with both reasons.
    """
    names, ending = tuple(order or features.names), ending or Ending()
    try:
        spec, *contents = _folded(pipeline, folding or (lambda: _fold(pipeline, features, names, ending)))
        files = scorer_files(ending.on(spec), *contents)
        parity = check_parity(files, rows, expected, task)
        serving = Scorer.of(files).serving
        return Packed(files=files, parity=parity, serving=serving, why="" if serving == "compiled" else _PARTLY)
    except (CannotFold, ParityRefused, InvalidRecord, ArtifactRefused) as refusal:
        spec = original_spec(task, features.numbers, features.categorical, names, ending.classes)
        return _original(pipeline, ending.on(spec), rows, expected, f"{refusal.what} {refusal.why}", package)


def _folded(pipeline: Any, folding: Folding) -> Parts:
    try:
        return folding()
    except Refusal:
        raise
    except Exception as error:  # folding reads private parts of libraries; other versions may lack them
        raise CannotFold(type(pipeline).__name__, f"folding failed with {type(error).__name__}: {error}") from error


def _fold(pipeline: Any, features: Features, order: Sequence[str], ending: Ending) -> Parts:
    return fold(
        pipeline, numeric=features.numbers, categorical=features.categorical, order=order, classes=ending.classes
    )


def _original(
    pipeline: Any,
    spec: ScorerSpec,
    rows: Sequence[Mapping[str, Any]],
    expected: NDArray[np.float64],
    why: str,
    package: str,
) -> Packed:
    try:
        trusted = own_types(pipeline, package)
        files = scorer_files(msgspec.structs.replace(spec, trusted=trusted), stored(pipeline, trusted))
    except ArtifactRefused as refusal:
        raise ArtifactRefused(
            refusal.what, f"{why} Nor can it be stored as it is: {refusal.why}", refusal.mend
        ) from refusal
    return Packed(files=files, parity=check_parity(files, rows, expected, spec.task), serving="original", why=why)
