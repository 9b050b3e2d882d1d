"""The weighted mean of the families before it: weights by what they said of later rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
import polars as pl

from flows.config.data import Features
from flows.training.families.family import Budget, Family, Fold, Setting, fit
from flows.training.families.own import trusted_module
from flows.training.families.saying import Floats
from flows.training.folding.errors import CannotFold
from flows.training.folding.members import Folded, joined
from flows.training.rows import Sample
from flows.training.windows import Trial, choose_window
from registry.errors import ArtifactRefused
from registry.originals import original_spec, own_types, stored
from registry.records.version import Task
from registry.scoring.spec import ScorerSpec

BLOCKS = 8  # stretches of time on which members are compared
LEAST = 0.05  # weight below which a member is left out
CAUTION = 0.01  # towards even weights: members are much alike, and more of it would favour the worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """
    A stack with weights that are never negative and add up to 1.

    Members are fitted on the past, scored on what came next, and weighed so that the mean
    squared error of their mean is least. Each is served by its own files.

    Source:
        Wolpert (1992), Neural Networks 5:241-259; Breiman (1996), Machine Learning 24:49-64,
        for weights that are not negative.
    """

    features: Features
    task: Task
    members: tuple[Family, ...]
    classes: tuple[str, ...] = ()
    name: str = "ensemble"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Weigh the best settings that the other families have found; nothing if one of them has all the weight."""
        found = [one for family in self.members if (one := _first(budget.found, family.name)) is not None]
        if len(found) < 2 or not budget.left:
            return []
        weights = self._weights(found, fold)
        kept = [(one, weight) for one, weight in zip(found, weights, strict=True) if weight >= LEAST]
        return [] if len(kept) < 2 else [_setting(kept)]

    def adapt(self, setting: Setting, fold: Fold) -> Setting:
        """Adapt the members; their weights stay."""
        return _setting([(family.adapt(one, fold), weight) for family, one, weight in self._parts(setting)])

    def pipeline(self, setting: Setting) -> "Blend":
        """Make the unfitted members."""
        return Blend(list(self._parts(setting)))

    def scores(self, fitted: "Blend", sample: Sample) -> Floats:
        """Add up what the members say, by their weights."""
        said = [family.scores(one, sample) * weight for (family, _, weight), one in fitted.pairs]
        return np.asarray(sum(said[1:], start=said[0]), dtype=np.float64)

    def spec(self, fitted: "Blend") -> Folded:
        """Fold each member; one that cannot be folded is served as it was fitted."""
        parts = [self._folded(family, one) for (family, _, _), one in fitted.pairs]
        used = {column.feature for part in parts for column in part.spec.all_columns}
        return joined(
            parts,
            task=self.task,
            kind="ensemble",
            inputs=tuple(name for name in self.features.names if name in used),
            classes=self.classes,
            weights=tuple(weight for _, _, weight in fitted.parts),
        )

    def _folded(self, family: Family, fitted: Any) -> Folded:
        try:
            return Folded(*family.spec(fitted))
        except (CannotFold, ArtifactRefused):
            return self._original(family, fitted)

    def _original(self, family: Family, fitted: Any) -> Folded:
        trusted = own_types(fitted, trusted_module(family.name))
        names = self.features.names
        spec: ScorerSpec = original_spec(
            self.task, self.features.numbers, self.features.categorical, names, self.classes, trusted
        )
        return Folded(spec, stored(fitted, trusted), None)

    def _weights(self, found: Sequence[Setting], fold: Fold) -> Floats:
        """Weights of settings by what they say of *fold*, fitted on its past."""
        families = [self._family(one) for one in found]
        fitted = [fit(family, one, fold.past) for family, one in zip(families, found, strict=True)]
        said = [family.scores(one, fold.future) for family, one in zip(families, fitted, strict=True)]
        edges = np.linspace(0, len(fold.future.labels), BLOCKS + 1).astype(int)
        trials = [_trial(fold.future.labels[a:b], [one[a:b] for one in said]) for a, b in pairwise(edges) if b > a]
        return np.asarray(choose_window(trials, len(found), fading=1.0, caution=CAUTION).shares, dtype=np.float64)

    def _parts(self, setting: Setting) -> Iterator[tuple[Family, Setting, float]]:
        for one in setting.params["members"]:
            member = Setting(one["family"], one["params"])
            yield self._family(member), member, one["weight"]

    def _family(self, setting: Setting) -> Family:
        return next(family for family in self.members if family.name == setting.family)


@dataclass(slots=True)
class Blend:
    """Members, to be fitted on the same rows."""

    parts: list[tuple[Family, Setting, float]]
    fitted: list[Any] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[tuple[Family, Setting, float], Any]]:
        """Each with its fitted pipeline."""
        return list(zip(self.parts, self.fitted, strict=True))

    def fit(self, features: pl.DataFrame, labels: Floats, model__sample_weight: Floats | None = None) -> Self:
        """Fit them one after the other."""
        sample = Sample(features, labels, model__sample_weight)
        self.fitted = [fit(family, setting, sample) for family, setting, _ in self.parts]
        return self


def _first(found: Sequence[Setting], family: str) -> Setting | None:
    return next((setting for setting in found if setting.family == family), None)


def _setting(parts: Sequence[tuple[Setting, float]]) -> Setting:
    total = sum(weight for _, weight in parts)
    members = [{"family": one.family, "params": one.params, "weight": float(weight / total)} for one, weight in parts]
    return Setting("ensemble", {"members": members})


def _trial(labels: Floats, said: Sequence[Floats]) -> Trial:
    """Several classes are as many probabilities to be right about."""
    if said[0].ndim == 2:
        labels = (labels[:, None] == np.arange(said[0].shape[1])).astype(np.float64).ravel()
    return Trial(labels=labels, scores=np.stack([one.ravel() for one in said], axis=1))
