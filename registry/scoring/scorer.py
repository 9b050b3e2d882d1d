"""Features in, scores out."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.errors import ArtifactRefused, InvalidRecord
from registry.records.version import Serving
from registry.scoring.compiled import Compiled, compile_scorer
from registry.scoring.encoder import Encoder, fill_raw, level_of
from registry.scoring.finish import Finish
from registry.scoring.forest import Forest
from registry.scoring.layers import Layers
from registry.scoring.nodes import weighted
from registry.scoring.spec import ScorerSpec

__all__ = ["SPEC_FILE", "Rows", "Scorer", "level_of", "scorer_files"]

SPEC_FILE = "scorer.json"
Rows = Sequence[Mapping[str, Any]]


class Model(Protocol):
    """What scores where nothing is compiled."""

    def score(self, rows: Rows) -> NDArray[np.float64]:
        """Score each row; shape (n,), or (n, classes)."""


class Scorer:
    """
    Score rows of features; immutable, and may be shared by threads.

    Args:
        spec: How features become a score.
        booster: Bytes of the native model (UBJ), or of the original pipeline.
        arrays: Bytes of the trees or layers.
        files: Those of the members, by name.

    Attributes:
        compiled: Machine code that says the one number of each row; None where a library
            scores, or where there are several classes.

    Raises:
        ArtifactRefused: If the files do not fit the spec, or cannot be read.
    """

    def __init__(
        self,
        spec: ScorerSpec,
        booster: bytes | None = None,
        arrays: bytes | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.spec = spec
        self._encoder = Encoder(spec)
        given = {**(files or {})} | {n: raw for n, raw in ((spec.booster, booster), (spec.arrays, arrays)) if n and raw}
        self._code: Compiled | None = compile_scorer(spec, _arrays(spec, given)) if spec.is_compilable else None
        self.compiled = None if spec.outputs > 1 else self._code
        self._model: Model | None = None if self._code else _native(spec, self._encoder, given)
        self._finish = Finish(spec.calibration if self._model else (), spec.outputs)

    @property
    def us_per_row(self) -> float:
        """Microseconds of machine code, also where classes are several; infinite where a library scores."""
        code = self.compiled or self._code
        return math.inf if code is None else code.us_per_row

    @property
    def serving(self) -> Serving:
        """Whether machine code scores, a native library, or the fitted pipeline itself."""
        if self._code is not None:
            return "compiled"
        return "original" if _has_original(self.spec) else "native"

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
            ArtifactRefused: If `scorer.json` or a file that it names is missing or unreadable.
        """
        if SPEC_FILE not in files:
            raise _refused(f"there is no {SPEC_FILE}")
        try:
            spec = ScorerSpec.from_json(files[SPEC_FILE])
        except (msgspec.MsgspecError, InvalidRecord) as error:
            raise _refused(f"{SPEC_FILE}: {error}") from error
        missing = [name for name in spec.files if name not in files]
        if missing:
            raise _refused(f"there is no {' and no '.join(missing)}")
        return cls(spec, files={name: files[name] for name in spec.files})

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
            Shape (n,): probability of the positive class (binary), or of the likeliest one
            (multiclass), or the value (regression).
        """
        if self.spec.outputs > 1:
            return np.asarray(self.probabilities(rows).max(axis=1), dtype=np.float64)
        if not rows:
            return np.empty(0, dtype=np.float64)
        if self.compiled is None:
            return self.probabilities(rows)[:, 0]
        scores = np.empty(len(rows), dtype=np.float64)
        self.compiled.scores(fill_raw(rows, self.compiled.features, self.compiled.levels), len(rows), scores)
        return scores

    def probabilities(self, rows: Rows) -> NDArray[np.float64]:
        """
        Score rows; raises like `encode`.

        Returns:
            Shape (n, classes), in the order of `spec.classes` (multiclass); else the scores, shape (n, 1).
        """
        if not rows:
            return np.empty((0, self.spec.outputs), dtype=np.float64)
        if self._code is not None:
            return self._code.probabilities(fill_raw(rows, self._code.features, self._code.levels), len(rows))
        assert self._model is not None
        columns = np.array(np.atleast_2d(self._model.score(rows).T), dtype=np.float64, order="C")
        self._finish(columns)
        return columns.T

    def predictions(self, scores: NDArray[np.float64]) -> list[Any]:
        """
        Decide.

        Args:
            scores: As `score` gives them; of several classes, as `probabilities` does.

        Returns:
            1 at or above the threshold, else 0 (binary); the value of the target that is
            likeliest (multiclass); the score itself (regression).
        """
        if self.spec.task == "regression":
            return [float(score) for score in scores]
        if self.spec.outputs > 1:
            return [self.spec.classes[place] for place in scores.argmax(axis=1)]
        return [int(score >= self.spec.threshold) for score in scores]


def scorer_files(
    spec: ScorerSpec, booster: bytes | None, arrays: bytes | None = None, members: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """
    Name the bytes of a scorer, ready for `ArtifactStore.save`.

    Args:
        spec: How features become a score.
        booster, arrays: What it names itself.
        members: Files of its members, by name.

    Raises:
        ArtifactRefused: If the spec names a file and there is none, or the other way round.
    """
    files = {SPEC_FILE: spec.to_json()}
    for what, name, content in (("booster", spec.booster, booster), ("arrays", spec.arrays, arrays)):
        if (name is None) != (content is None):
            raise _refused(f"its spec names the {what} {name}, but {'none' if content is None else 'one'} is given")
        if name is not None and content is not None:
            files[name] = content
    files |= members or {}
    odd = sorted({*spec.files} ^ (files.keys() - {SPEC_FILE}))
    if odd:
        raise _refused(f"its members name other files than are given: {', '.join(odd)}")
    return files


def _arrays(spec: ScorerSpec, files: Mapping[str, bytes]) -> dict[str, Forest | Layers]:
    """Trees and layers of a spec and its members, read and checked."""
    found: dict[str, Forest | Layers] = {}
    for member in spec.members:
        found |= _arrays(member, files)
    if spec.arrays is not None:
        if spec.arrays not in files:
            raise _refused(f"there is no {spec.arrays}")
        found[spec.arrays] = (Layers if spec.kind == "mlp" else Forest).from_bytes(files[spec.arrays], spec.width)
    return found


def _native(spec: ScorerSpec, encoder: Encoder, files: Mapping[str, bytes]) -> Model:
    if spec.members:
        return _Mean([Scorer(member, files=files) for member in spec.members], spec.weights)
    if spec.booster is None or spec.booster not in files:
        raise _refused(f"there is no {spec.booster}")
    if spec.kind == "original":
        from registry.originals import Original

        return Original.of(spec, files[spec.booster])
    from registry.scoring.native import Booster

    return Booster(encoder, files[spec.booster])


class _Mean:
    """The weighted mean of scorers of which not all are compiled."""

    def __init__(self, members: Sequence[Scorer], weights: Sequence[float]) -> None:
        self._members, self._weights = members, weights

    def score(self, rows: Rows) -> NDArray[np.float64]:
        return weighted([member.probabilities(rows).T.copy() for member in self._members], self._weights).T


def _has_original(spec: ScorerSpec) -> bool:
    return spec.kind == "original" or any(_has_original(member) for member in spec.members)


def _refused(why: str) -> ArtifactRefused:
    return ArtifactRefused("The scorer was not loaded.", f"{why[0].upper()}{why[1:]}.", "Train the version again.")
