"""Features in, scores out."""

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
from registry.scoring.forest import Forest
from registry.scoring.layers import Layers
from registry.scoring.spec import ScorerSpec

__all__ = ["SPEC_FILE", "Rows", "Scorer", "level_of", "scorer_files"]

SPEC_FILE = "scorer.json"
Rows = Sequence[Mapping[str, Any]]


class Model(Protocol):
    """What scores where nothing is compiled."""

    def score(self, rows: Rows) -> NDArray[np.float64]:
        """Score each row; shape (n,)."""


class Scorer:
    """
    Score rows of features; immutable, and may be shared by threads.

    Args:
        spec: How features become a score.
        booster: Bytes of the native model (UBJ), or of the original pipeline.
        arrays: Bytes of the trees or layers.

    Attributes:
        compiled: Machine code that says the same; None where a library scores.

    Raises:
        ArtifactRefused: If the files do not fit the spec, or cannot be read.
    """

    def __init__(self, spec: ScorerSpec, booster: bytes | None = None, arrays: bytes | None = None) -> None:
        self.spec = spec
        self._encoder = Encoder(spec)
        self.compiled: Compiled | None = None
        self._model: Model | None = None
        if spec.kind == "linear" or spec.arrays is not None:
            self.compiled = compile_scorer(spec, _arrays(spec, arrays))
        else:
            self._model = _native(spec, self._encoder, booster)

    @property
    def serving(self) -> Serving:
        """Whether machine code scores, a native library, or the fitted pipeline itself."""
        if self.compiled is not None:
            return "compiled"
        return "original" if self.spec.kind == "original" else "native"

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
        missing = [name for name in (spec.arrays, spec.booster) if name is not None and name not in files]
        if missing:
            raise _refused(f"there is no {' and no '.join(missing)}")
        return cls(spec, *(None if name is None else files[name] for name in (spec.booster, spec.arrays)))

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
        if self.compiled is None:
            assert self._model is not None
            return self._model.score(rows)
        scores = np.empty(len(rows), dtype=np.float64)
        self.compiled.scores(fill_raw(rows, self.compiled.features, self.compiled.levels), len(rows), scores)
        return scores

    def predictions(self, scores: NDArray[np.float64]) -> list[int | float]:
        """Decide: 1 at or above the threshold, else 0 (binary); the score itself (regression)."""
        if self.spec.task == "regression":
            return [float(score) for score in scores]
        return [int(score >= self.spec.threshold) for score in scores]


def scorer_files(spec: ScorerSpec, booster: bytes | None, arrays: bytes | None = None) -> dict[str, bytes]:
    """
    Name the bytes of a scorer, ready for `ArtifactStore.save`.

    Raises:
        ArtifactRefused: If the spec names a file and there is none, or the other way round.
    """
    files = {SPEC_FILE: spec.to_json()}
    for what, name, content in (("booster", spec.booster, booster), ("arrays", spec.arrays, arrays)):
        if (name is None) != (content is None):
            raise _refused(f"its spec names the {what} {name}, but {'none' if content is None else 'one'} is given")
        if name is not None and content is not None:
            files[name] = content
    return files


def _arrays(spec: ScorerSpec, arrays: bytes | None) -> Forest | Layers | None:
    if spec.kind == "linear":
        return None
    if arrays is None:
        raise _refused(f"there is no {spec.arrays}")
    return (Layers if spec.kind == "mlp" else Forest).from_bytes(arrays, spec.width)


def _native(spec: ScorerSpec, encoder: Encoder, booster: bytes | None) -> Model:
    if booster is None:
        raise _refused(f"there is no {spec.booster}")
    if spec.kind == "original":
        from registry.originals import Original

        return Original.of(spec, booster)
    from registry.scoring.native import Booster

    return Booster(encoder, booster)


def _refused(why: str) -> ArtifactRefused:
    return ArtifactRefused("The scorer was not loaded.", f"{why[0].upper()}{why[1:]}.", "Train the version again.")
