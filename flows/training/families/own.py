"""An estimator of the user's own: one line of configuration, `module:Class`."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from flows.config.data import Features
from flows.errors import ConfigError, DataError, FlowsError
from flows.training.families.encoding import scaled
from flows.training.families.family import Budget, Fold, Setting, patiently
from flows.training.families.saying import Encoded, Floats, folded, loss_of, said
from flows.training.folding.members import Folded
from flows.training.rows import Sample
from flows.training.tuning.space import Space
from flows.training.tuning.study import Search, Tried, Watch, study
from registry.records.version import Task


@dataclass(frozen=True, kw_only=True)
class Own:
    """
    A scikit-learn-compatible estimator, behind numbers that are filled and scaled and levels that are one-hot.

    The class may say what is worth searching: `search_space = {"depth": (2, 8), "rate": (0.01, 1.0),
    "loss": ["a", "b"]}`; a pair of whole or other numbers are bounds, a list holds choices. It is
    fitted with its own defaults otherwise.

    Args:
        name: `module:Class`.
        weighted: Whether rows have weights.

    Raises:
        ConfigError: If there is no such class, or it is no estimator for the task.
    """

    name: str
    features: Features
    task: Task
    seed: int
    threads: int
    weighted: bool = False
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mistakes = _mistakes(self.kind, self.task, weighted=self.weighted)
        if mistakes:
            raise _refused(self.name, "; ".join(mistakes))

    @cached_property
    def kind(self) -> Any:
        """The class itself."""
        return _loaded(self.name)

    @property
    def space(self) -> Space:
        """What the class says is worth searching."""
        said_ = dict(getattr(self.kind, "search_space", {}))
        bounds = {name: tuple(one) for name, one in said_.items() if isinstance(one, tuple)}
        whole = {name: one for name, one in bounds.items() if all(isinstance(end, int) for end in one)}
        return Space(
            linear={name: one for name, one in bounds.items() if name not in whole},
            whole=whole,
            choices={name: tuple(one) for name, one in said_.items() if name not in bounds},
        )

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Run a study, if the class says what is worth searching."""
        space = self.space
        if not space.names:
            return [Setting(self.name)]
        known = self._made({}).get_params()
        search = Search(
            family=self.name, space=space, start={n: known[n] for n in sorted(space.names)}, rounds=None, seed=self.seed
        )
        return study(search, _Race(self, Encoded.of(scaled(self.features), fold)), budget)

    def adapt(self, setting: Setting, fold: Fold) -> Setting:  # noqa: ARG002 (other families need the fold)
        """Nothing is known that depends on the amount of past."""
        return setting

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and estimator."""
        return _Guarded(self.name, self._pipeline(setting))

    def scores(self, fitted: Any, sample: Sample) -> Floats:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        with _ours(self.name, "score"):
            found = said(fitted, sample.features, self.task, len(self.classes))
        if not np.isfinite(found).all():
            raise _broken(self.name, "score", f"it says {found[~np.isfinite(found)][0]}")
        return found

    def spec(self, fitted: Any) -> Folded:
        """Fold it, if it is a model that is known; the fitted pipeline is served otherwise."""
        return folded(fitted, self.features, self.classes)

    def _pipeline(self, setting: Setting) -> Any:
        from sklearn.pipeline import Pipeline

        return Pipeline([("encode", scaled(self.features)), ("model", self._made(setting.params))])

    def _made(self, params: Mapping[str, Any]) -> Any:
        with _ours(self.name, "make"):
            made = self.kind(**params)
            known = made.get_params()
            common = {"random_state": self.seed, "n_jobs": self.threads}
            return made.set_params(**{n: v for n, v in common.items() if n in known and n not in params})


@dataclass(frozen=True)
class _Race:
    """One fold, encoded once."""

    family: Own
    fold: Encoded

    def run(self, params: Mapping[str, Any], watch: Watch | None = None) -> Tried:  # noqa: ARG002 (it has no rounds)
        family, fold = self.family, self.fold
        weights = {} if fold.weights is None else {"sample_weight": fold.weights}
        with _ours(family.name, "fit"):
            fitted = family._made(params).fit(fold.past, fold.learned, **weights)
            scores = said(fitted, fold.future, family.task, len(family.classes))
        return Tried(loss_of(family.task, fold.judged, scores), {})


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A pipeline whose errors while it is fitted become ours."""

    name: str
    pipeline: Any

    def fit(self, *given: Any, **weights: Any) -> Any:
        with _ours(self.name, "fit"):
            return self.pipeline.fit(*given, **weights)


def trusted_module(family: str) -> str:
    """Name the package whose types a version of *family* may be made of; empty for a built-in family."""
    return family.partition(":")[0].partition(".")[0] if ":" in family else ""


def _loaded(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109  as Python itself writes it
        sys.path.append(os.getcwd())  # noqa: PTH109
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # whatever the module does when it is imported
        raise _refused(name, f"the module {module} cannot be imported: {type(error).__name__}: {error}") from error
    if found is None:
        raise _refused(name, f"the module {module} has no {attribute}")
    return found


def _mistakes(kind: Any, task: Task, *, weighted: bool) -> list[str]:
    from sklearn.utils.validation import has_fit_parameter

    if not isinstance(kind, type):
        return [f"it is a {type(kind).__name__}, not a class"]
    needed = ("fit", "get_params", "set_params", "predict" if task == "regression" else "predict_proba")
    mistakes = [f"it has no {name}, which the task {task} needs" for name in needed if not hasattr(kind, name)]
    if not mistakes and weighted and not has_fit_parameter(kind, "sample_weight"):
        mistakes.append("its fit takes no sample_weight, and training.recency gives rows weights")
    return mistakes


@contextlib.contextmanager
def _ours(name: str, what: str) -> Iterator[None]:
    """Say whose mistake an error is."""
    from optuna import TrialPruned

    with patiently():
        try:
            yield
        except (FlowsError, TrialPruned):
            raise
        except Exception as error:
            raise _broken(name, what, f"it raised {type(error).__name__}: {error}") from error


def _broken(name: str, what: str, why: str) -> DataError:
    mend = "Mend the estimator, or leave it out of training.families."
    return DataError("Nothing was trained.", f"{name} cannot {what}: {why}.", mend)


def _refused(name: str, why: str) -> ConfigError:
    mend = "Name a scikit-learn-compatible class, as module:Class, that can be imported here and where it is served."
    return ConfigError(f"The family {name} was refused.", f"{why[:1].upper()}{why[1:]}.", mend)
