"""Random forests: missing numbers filled, categories by target encoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.config.data import Features
from flows.training.families.encoding import filled_targeted
from flows.training.families.family import Budget, Fold, Setting
from flows.training.families.saying import Encoded, Floats, folded, loss_of, said
from flows.training.folding.members import Folded
from flows.training.rows import Sample
from flows.training.tuning.space import Space
from flows.training.tuning.study import REPORT_EVERY, Search, Tried, Watch, study
from registry.records.version import Task

TREES = 100
SHARE = 0.5  # of the rows, drawn for each tree: half the time, and trees that differ more
SPACE = Space(logarithmic={"max_features": (0.1, 1.0)}, whole={"min_samples_leaf": (3, 100), "max_depth": (4, 16)})
START: dict[str, Any] = {"max_features": 0.4, "min_samples_leaf": 10, "max_depth": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """
    A random forest of 100 trees, no deeper than 16: what is served must stay small.

    Source:
        Breiman (2001), Machine Learning 45:5-32, as in scikit-learn.
    """

    features: Features
    task: Task
    seed: int
    threads: int
    classes: tuple[str, ...] = ()
    name: str = "forest"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Run a study on *fold*; a forest that is hopeless after a few trees grows no further."""
        search = Search(family=self.name, space=SPACE, start=START, rounds=TREES, seed=self.seed)
        encoder = filled_targeted(self.features, self.task, self.seed)
        return study(search, _Race(self, Encoded.of(encoder, fold)), budget)

    def adapt(self, setting: Setting, fold: Fold) -> Setting:  # noqa: ARG002 (other families need the fold)
        """Nothing depends on the amount of past."""
        return setting

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and forest."""
        from sklearn.pipeline import Pipeline

        encoder = filled_targeted(self.features, self.task, self.seed)
        return Pipeline([("encode", encoder), ("model", self.model(setting.params, TREES))])

    def model(self, params: Mapping[str, Any], trees: int, **options: Any) -> Any:
        """Make the unfitted forest."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        make = RandomForestRegressor if self.task == "regression" else RandomForestClassifier
        return make(trees, **params, **options, max_samples=SHARE, n_jobs=self.threads, random_state=self.seed)

    def scores(self, fitted: Any, sample: Sample) -> Floats:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        fitted.set_params(model__n_jobs=1)  # threads add up in any order, and the last bit would change
        return said(fitted, sample.features, self.task, len(self.classes))

    def spec(self, fitted: Any) -> Folded:
        """Fold the encoder into tables, and the trees into arrays."""
        return folded(fitted, self.features, self.classes)


@dataclass(frozen=True)
class _Race:
    """One fold, encoded once, on which forests grow by ten trees at a time."""

    family: Forest
    fold: Encoded

    def run(self, params: Mapping[str, Any], watch: Watch | None = None) -> Tried:
        family, fold = self.family, self.fold
        model, total, loss = family.model(params, REPORT_EVERY, warm_start=True), 0.0, np.inf
        for trees in range(REPORT_EVERY, TREES + 1, REPORT_EVERY):
            model.set_params(n_estimators=trees).fit(fold.past, fold.learned, sample_weight=fold.weights)
            total = total + self._sum(model, trees)
            loss = loss_of(family.task, fold.judged, np.asarray(total) / trees)
            if watch:
                watch(trees, loss)
        return Tried(loss, {})

    def _sum(self, model: Any, trees: int) -> Any:
        """What the newest trees say, added up."""
        newest = model.estimators_[trees - REPORT_EVERY : trees]
        future = self.fold.future.astype(np.float32)
        if self.family.task == "regression":
            return sum(tree.predict(future) for tree in newest)
        total = sum(tree.predict_proba(future) for tree in newest)
        places = model.classes_.astype(np.int64)
        whole = np.zeros((len(total), max(2, len(self.family.classes))))
        whole[:, places] = total
        return whole if self.family.task == "multiclass" else whole[:, 1]
