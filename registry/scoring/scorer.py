"""Features in, scores out: numpy and one native model, nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.errors import ArtifactRefused, InvalidRecord
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec

SPEC_FILE = "scorer.json"
Rows = Sequence[Mapping[str, Any]]


class Scorer:
    """
    Score rows of features; immutable, and may be shared by threads.

    Args:
        spec: How features become a score.
        booster: Bytes of the native model (UBJ); needed by kind "xgboost" only.
    """

    def __init__(self, spec: ScorerSpec, booster: bytes | None = None) -> None:
        self.spec = spec
        self._encoder = _Encoder(spec)
        self._coefficients = np.array(spec.coefficients, dtype=np.float64)
        self._booster: Any
        self._booster, self._range = _load_booster(booster) if booster is not None else (None, (0, 0))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the files of an artifact; see `of`."""
        folder = Path(folder)
        try:
            return cls.of({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
        except OSError as error:
            raise _refused(f"{folder}: {error.strerror or error}") from error

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Self:
        """
        Build a scorer from verified bytes.

        Args:
            files: Content by file name, as `ArtifactStore.load` returns it.

        Raises:
            ArtifactRefused: If `scorer.json` or the booster is missing or unreadable.
        """
        if SPEC_FILE not in files:
            raise _refused(f"there is no {SPEC_FILE}")
        try:
            spec = ScorerSpec.from_json(files[SPEC_FILE])
        except (msgspec.MsgspecError, InvalidRecord) as error:
            raise _refused(f"{SPEC_FILE}: {error}") from error
        if spec.booster is None:
            return cls(spec)
        if spec.booster not in files:
            raise _refused(f"there is no {spec.booster}")
        return cls(spec, files[spec.booster])

    def encode(self, rows: Rows) -> NDArray[np.float32]:
        """
        Turn features into the columns that the model was fitted on.

        Args:
            rows: Each a mapping from feature name to value. Absent, None and NaN are
                missing; a level that was not seen in training is unknown. Extra names
                are ignored.

        Returns:
            Shape (n, width).

        Raises:
            ValueError: If a numeric feature is not a number.
        """
        return self._encoder.matrix(rows).astype(np.float32)

    def score(self, rows: Rows) -> NDArray[np.float64]:
        """
        Score rows; raises like `encode`.

        Returns:
            Shape (n,): probability of the positive class (binary), or the value (regression).
        """
        if not rows:
            return np.empty(0, dtype=np.float64)
        if self._booster is None:
            return self._linear(self._encoder.matrix(rows))
        scores = self._booster.inplace_predict(
            self.encode(rows), iteration_range=self._range, missing=np.nan, validate_features=False
        )
        return np.asarray(scores, dtype=np.float64)

    def predictions(self, scores: NDArray[np.float64]) -> list[int | float]:
        """Decide: 1 at or above the threshold, else 0 (binary); the score itself (regression)."""
        if self.spec.task == "regression":
            return [float(score) for score in scores]
        return [int(score >= self.spec.threshold) for score in scores]

    def _linear(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        value = matrix @ self._coefficients + self.spec.intercept
        if self.spec.task == "regression":
            return value
        return 0.5 * (1.0 + np.tanh(0.5 * value))  # the logistic function, without overflow


class _Encoder:
    """The columns of a spec, grouped so that numbers are handled all at once."""

    def __init__(self, spec: ScorerSpec) -> None:
        self._numeric: list[tuple[str, int]] = []
        self._categories: list[tuple[CategoryColumn, slice]] = []
        self.width = 0
        columns: list[NumericColumn] = []
        for column in spec.columns:
            if isinstance(column, NumericColumn):
                columns.append(column)
                self._numeric.append((column.feature, self.width))
            else:
                self._categories.append((column, slice(self.width, self.width + column.width)))
            self.width += column.width
        self._names = [name for name, _ in self._numeric]
        self._places = [place for _, place in self._numeric]
        self._fill = np.array([np.nan if c.fill is None else c.fill for c in columns], dtype=np.float64)
        self._shift = np.array([c.shift for c in columns], dtype=np.float64)
        self._scale = np.array([c.scale for c in columns], dtype=np.float64)

    def matrix(self, rows: Rows) -> NDArray[np.float64]:
        """Encode to shape (n, width), in double precision."""
        matrix = np.empty((len(rows), self.width), dtype=np.float64)
        if rows and self._names:
            raw = np.array([[_number(row, name) for name in self._names] for row in rows], dtype=np.float64)
            raw = np.where(np.isnan(raw), self._fill, raw)
            matrix[:, self._places] = (raw - self._shift) / self._scale
        for column, place in self._categories if rows else ():
            matrix[:, place] = [_lookup(column, row.get(column.feature)) for row in rows]
        return matrix


def scorer_files(spec: ScorerSpec, booster: bytes | None) -> dict[str, bytes]:
    """
    Name the bytes of a scorer, ready for `ArtifactStore.save`.

    Raises:
        ArtifactRefused: If the spec needs a booster and there is none, or the other way round.
    """
    if (spec.booster is None) != (booster is None):
        raise _refused(
            f"its spec names the booster {spec.booster}, but {'none' if booster is None else 'one'} is given"
        )
    files = {SPEC_FILE: spec.to_json()}
    return files if spec.booster is None or booster is None else files | {spec.booster: booster}


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if value is None:
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"feature {name!r} is {value!r}, not a number") from error


def _lookup(column: CategoryColumn, value: Any) -> tuple[float, ...]:
    if value is None or value != value:  # NaN alone differs from itself
        return column.missing
    return column.table.get(level_of(value), column.unknown)


def level_of(value: Any) -> str:
    """Name the level of a JSON value: text as it is, true and false as JSON writes them, numbers as decimal text."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _load_booster(raw: bytes) -> tuple[Any, tuple[int, int]]:
    """Load once, for one thread; trees after the best iteration of early stopping stay unused."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads must not burn the neighbours' time
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import xgboost

    try:
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(raw))
    except xgboost.core.XGBoostError as error:
        raise _refused(f"the booster is unreadable: {str(error).splitlines()[0]}") from error
    booster.set_param({"nthread": 1})
    best = booster.attr("best_iteration")
    return booster, (0, 0 if best is None else int(best) + 1)


def _refused(why: str) -> ArtifactRefused:
    return ArtifactRefused("The scorer was not loaded.", f"{why[0].upper()}{why[1:]}.", "Train the version again.")
