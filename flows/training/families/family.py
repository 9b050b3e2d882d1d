"""What a family of models must be able to do."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flows.training.folding.members import Parts
from flows.training.progress import Progress, silent
from flows.training.rows import Sample
from flows.training.tuning.plan import Tuning


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to fit one family; two are equal if family and parameters are."""

    family: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """The past to learn from, and what came next."""

    past: Sample
    future: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """
    How much may be tried.

    Attributes:
        trials: At most so many settings.
        until: Reading of *clock* after which nothing new is tried.
        known: Settings of earlier champions, tried first.
        found: What the families before have come to; the best of each first.
        tuning: Where trials run, and where finished ones are kept.
    """

    trials: int
    until: float
    known: tuple[Setting, ...] = ()
    found: tuple[Setting, ...] = ()
    tuning: Tuning = field(default_factory=Tuning)
    progress: Progress = silent
    clock: Callable[[], float] = time.monotonic

    @property
    def left(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.until - self.clock())


class Family(Protocol):
    """Makes scikit-learn pipelines, and folds a fitted one into what the router serves."""

    @property
    def name(self) -> str:
        """As in training.families."""
        ...

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Try settings on one fold; the best few first."""
        ...

    def adapt(self, setting: Setting, fold: Fold) -> Setting:
        """Fit to another amount of past what depends on it, e.g. the number of rounds."""
        ...

    def pipeline(self, setting: Setting) -> Any:
        """Make an unfitted pipeline, its last step named "model"; encoding is fitted inside."""
        ...

    def scores(self, fitted: Any, sample: Sample) -> Any:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        ...

    def spec(self, fitted: Any) -> Parts:
        """Fold a fitted pipeline into tables and, if it has them, a native model and arrays."""
        ...


def only(params: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Keep the parameters that a family knows."""
    return {name: value for name, value in params.items() if name in names}


def settings_of(setting: Setting) -> tuple[Setting, ...]:
    """Name a setting and, if it is one of an ensemble, those of its members."""
    members = setting.params.get("members", ()) if setting.family == "ensemble" else ()
    return (setting, *(Setting(member["family"], member["params"]) for member in members))


def fit(family: Family, setting: Setting, sample: Sample) -> Any:
    """Fit one pipeline to *sample*; its encoding counts all rows alike, its last step by their weights."""
    weights = {} if sample.weights is None else {"model__sample_weight": sample.weights}
    with patiently():
        return family.pipeline(setting).fit(sample.features, sample.labels, **weights)


@contextlib.contextmanager
def patiently() -> Iterator[None]:
    """Let a model pass that has not quite converged: it may still win."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
