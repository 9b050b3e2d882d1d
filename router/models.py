"""Loaded models and the snapshot that every request sees."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from registry.records.plan import CHAMPION, TrafficPlan
from registry.records.upstream import UPSTREAM_FILE
from registry.records.version import ModelVersion
from registry.upstream.failed import REASONS as UPSTREAM_REASONS
from registry.watching import given_back
from router.breaker import Breaker
from router.classes import are_probabilities, chosen

if TYPE_CHECKING:
    from router.remote.remote import Remote

REASONS = frozenset({"wrong_shape", "not_finite", "out_of_range", "not_found", "raised", *UPSTREAM_REASONS})
QUICK_US = 50.0  # a row
_INLINE_US = 2_000.0  # all rows of a request: longer, and other callers would wait for the event loop


def reason_of(error: BaseException) -> str:
    """Name a failure in one word, for counting."""
    word = str(error).split(":")[0]
    return word if isinstance(error, ValueError) and word in REASONS else "raised"


class Scores(Protocol):
    """What the request path needs of a scorer; `compiled` besides, if it is."""

    def score(self, rows: Sequence[dict[str, Any]]) -> Any:
        """One number per row."""

    def predictions(self, scores: Any) -> list[Any]:
        """What callers are told."""


class Probabilities(Protocol):
    """What it needs of the scorer of a multi-class version."""

    def probabilities(self, rows: Sequence[dict[str, Any]]) -> Any:
        """Shape (rows, classes)."""


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


Answers = tuple[list[float], list[Any]]
"""Scores, and what callers are told; of a multi-class version probabilities of the chosen classes, and `Chosen`."""
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    A version and its scorer.

    Attributes:
        pool: The only thread that may run it as a challenger.
        desk: The only thread that may run it as the champion; what hangs in `pool` holds nobody up here.
    """

    version: ModelVersion
    scorer: Scores
    pool: ThreadPoolExecutor
    desk: ThreadPoolExecutor = field(default_factory=_one_thread)

    @property
    def remote(self) -> "Remote | None":
        """The upstream, if the version is one; it is asked in the event loop."""
        return cast("Remote", self.scorer) if getattr(self.scorer, "is_remote", False) else None

    def quick(self, rows: int) -> bool:
        """Whether so many rows may be scored within the event loop: compiled, and done in a moment."""
        code = getattr(self.scorer, "compiled", None)
        each = getattr(self.scorer if code is None else code, "us_per_row", math.inf)
        return each <= QUICK_US and each * rows <= _INLINE_US

    def answer(self, rows: Rows) -> Answers:
        """
        Score rows.

        Raises:
            ValueError: If the scorer answers with another length, NaN or infinity.
        """
        return self.checked(self.raw(rows), len(rows))

    def prove(self, rows: Rows) -> Answers:
        """
        Answer as a challenger or shadow: who says 1.2 for a probability cannot be promoted.

        Raises:
            ValueError: Like `answer`; "out_of_range" besides.
        """
        return self.proven(self.raw(rows), len(rows))

    def raw(self, rows: Rows) -> Any:
        """What the scorer says: one number per row; of a multi-class version one per row and class."""
        if self.version.task == "multiclass":
            return cast("Probabilities", self.scorer).probabilities(rows)
        return self.scorer.score(rows)

    def checked(self, raw: Any, rows: int) -> Answers:
        """Turn what the scorer said of so many rows into an answer; raises like `answer`."""
        if self.version.task == "multiclass":
            return chosen(raw, rows, self.version.classes)
        scores = [float(value) for value in raw]
        if len(scores) != rows:
            raise ValueError(f"wrong_shape: {len(scores)} scores for {rows} rows")
        if not all(map(math.isfinite, scores)):
            raise ValueError("not_finite")
        predictions = self.scorer.predictions(raw)
        if len(predictions) != rows:
            raise ValueError(f"wrong_shape: {len(predictions)} predictions for {rows} rows")
        return scores, predictions

    def proven(self, raw: Any, rows: int) -> Answers:
        """Turn what the scorer said of so many rows into an answer; raises like `prove`."""
        scores, predictions = self.checked(raw, rows)
        if self.version.task == "binary" and not all(0 <= score <= 1 for score in scores):
            raise ValueError("out_of_range")
        if self.version.task == "multiclass" and not are_probabilities(predictions):
            raise ValueError("out_of_range")
        return scores, predictions

    def retire(self) -> None:
        """Let go of connections; threads end when nobody holds this any more."""
        if self.remote is not None:
            self.remote.retire()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    One plan with everything that is needed to answer by it.

    Attributes:
        breakers: Of each challenger.
        stopped: Why challengers are off although the plan names them, or why the former champion answers
            in place of the one that is watched; None if all is as planned.
        former: The champion before, warm; None if the plan watches nobody, or it could not be loaded.
    """

    plan: TrafficPlan
    loaded: dict[str, Loaded]
    breakers: dict[str, Breaker]
    stopped: str | None = None
    former: Loaded | None = None

    def back(self, reason: str) -> "Snapshot":
        """
        The former champion in place of the one that is watched, and nobody else.

        Raises:
            ValueError: If it is not loaded.
        """
        if self.former is None:
            raise ValueError(f"{self.plan.model} has no former champion that is loaded")
        return Snapshot(given_back(self.plan), {CHAMPION: self.former}, {}, reason)

    @property
    def champion(self) -> Loaded:
        """Who answers when nobody else can."""
        return self.loaded[CHAMPION]

    @property
    def classes(self) -> tuple[str, ...]:
        """Of all versions: a challenger may know more classes than the champion, behind the champion's own."""
        return max((one.version.classes for one in self.loaded.values()), key=len)


class ModelCache:
    """
    Load each version once; former ones stay warm for a rollback.

    Args:
        load: Gives the scorer of a version, verified.
        keep: How many versions of a model stay warm: more than a plan has arms, or each plan would load its own again.
    """

    def __init__(self, load: Callable[[ModelVersion], Scores], keep: int = 12) -> None:
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
            self._loaded.pop(key).retire()


def artifact_loader(root: Path) -> Callable[[ModelVersion], Scores]:
    """Load scorers from the artifact store, digests checked."""

    def load(version: ModelVersion) -> Scores:
        from registry.artifacts import ArtifactStore

        return scorer_of(version, ArtifactStore(root).load(version.model, version.version, version.artifact_digest))

    return load


def scorer_of(version: ModelVersion, files: Mapping[str, bytes]) -> Scores:
    """
    Make the scorer of a version: an upstream if its artifact names one.

    Raises:
        ArtifactRefused: If the files make no scorer.
    """
    if UPSTREAM_FILE in files:
        from router.remote.remote import Remote  # httpx takes 10 MB, which nobody else needs

        return Remote.of(version, files)
    from registry.scoring.scorer import Scorer

    return Scorer.of(files)
