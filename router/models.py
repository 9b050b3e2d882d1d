"""Loaded models and the snapshot that every request sees."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from registry.records.plan import CHAMPION, TrafficPlan
from registry.records.version import ModelVersion
from router.breaker import Breaker

_REASONS = {"wrong_shape", "not_finite", "out_of_range", "not_found"}


def reason_of(error: BaseException) -> str:
    """Name a failure in one word, for counting."""
    word = str(error).split(":")[0]
    return word if isinstance(error, ValueError) and word in _REASONS else "raised"


class Scores(Protocol):
    """What the request path needs of a scorer."""

    def score(self, rows: Sequence[dict[str, Any]]) -> Any:
        """One number per row."""

    def predictions(self, scores: Any) -> list[Any]:
        """What callers are told."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version, its scorer, and the only thread that may run it as a challenger."""

    version: ModelVersion
    scorer: Scores
    pool: ThreadPoolExecutor

    def answer(self, rows: Sequence[dict[str, Any]]) -> tuple[list[float], list[Any]]:
        """
        Score rows.

        Raises:
            ValueError: If the scorer answers with another length, NaN or infinity.
        """
        raw = self.scorer.score(rows)
        scores = [float(value) for value in raw]
        if len(scores) != len(rows):
            raise ValueError(f"wrong_shape: {len(scores)} scores for {len(rows)} rows")
        if not all(map(math.isfinite, scores)):
            raise ValueError("not_finite")
        predictions = self.scorer.predictions(raw)
        if len(predictions) != len(rows):
            raise ValueError(f"wrong_shape: {len(predictions)} predictions for {len(rows)} rows")
        return scores, predictions

    def prove(self, rows: Sequence[dict[str, Any]]) -> tuple[list[float], list[Any]]:
        """
        Answer as a challenger or shadow: who says 1.2 for a probability cannot be promoted.

        Raises:
            ValueError: Like `answer`; "out_of_range" besides.
        """
        scores, predictions = self.answer(rows)
        if self.version.task == "binary" and not all(0 <= score <= 1 for score in scores):
            raise ValueError("out_of_range")
        return scores, predictions


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    One plan with everything that is needed to answer by it.

    Attributes:
        breakers: Of each challenger.
        stopped: Why challengers are off although the plan names them; None if they are on.
    """

    plan: TrafficPlan
    loaded: dict[str, Loaded]
    breakers: dict[str, Breaker]
    stopped: str | None = None

    @property
    def champion(self) -> Loaded:
        """Who answers when nobody else can."""
        return self.loaded[CHAMPION]


class ModelCache:
    """
    Load each version once; former ones stay warm for a rollback.

    Args:
        load: Gives the scorer of a version, verified.
        keep: How many versions of a model stay warm.
    """

    def __init__(self, load: Callable[[ModelVersion], Scores], keep: int = 4) -> None:
        self._load, self._keep = load, keep
        self._loaded: dict[tuple[str, str], Loaded] = {}

    def get(self, version: ModelVersion) -> Loaded:
        """The loaded version; slow the first time."""
        key = (version.model, version.version)
        found = self._loaded.pop(key, None) or Loaded(
            version, self._load(version), ThreadPoolExecutor(1, thread_name_prefix=f"{version.model}-{version.version}")
        )
        self._loaded[key] = found
        self._forget(version.model)
        return found

    def _forget(self, model: str) -> None:
        keys = [key for key in self._loaded if key[0] == model]
        for key in keys[: -self._keep]:
            del self._loaded[key]


def artifact_loader(root: Path) -> Callable[[ModelVersion], Scores]:
    """Load scorers from the artifact store, digests checked."""

    def load(version: ModelVersion) -> Scores:
        from registry.artifacts import ArtifactStore
        from registry.scoring.scorer import Scorer

        files = ArtifactStore(root).load(version.model, version.version, version.artifact_digest)
        return Scorer.of(files)

    return load
