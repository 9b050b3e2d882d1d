"""Linear models: fill, scale and one-hot, then logistic or ridge regression."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.config.data import Features
from flows.training.families.encoding import scaled
from flows.training.families.family import Budget, Fold, Setting, patiently
from flows.training.families.saying import Encoded, Floats, folded, said
from flows.training.folding.members import Folded
from flows.training.metrics import measure
from flows.training.rows import Sample
from registry.records.version import Task

STRENGTHS = (1.0, 100.0, 0.01)  # of the penalty, the usual one first


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Logistic regression, of two classes or several, or ridge regression."""

    features: Features
    task: Task
    classes: tuple[str, ...] = ()
    name: str = "linear"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Try a few strengths of the penalty, which is all there is to choose."""
        settings = [Setting(self.name, {"penalty": strength}) for strength in STRENGTHS[: max(1, budget.trials)]]
        if len(settings) == 1:
            return settings
        race, losses = Encoded.of(scaled(self.features), fold), []
        with patiently():
            for setting in settings:
                fitted = self._model(setting).fit(race.past, race.learned, sample_weight=race.weights)
                scores = said(fitted, race.future, self.task, len(self.classes))
                losses.append(measure(self.task, race.judged, scores)["loss"])
        return [settings[int(np.argmin(losses))]]

    def adapt(self, setting: Setting, fold: Fold) -> Setting:  # noqa: ARG002 (other families need the fold)
        """Nothing depends on the amount of past."""
        return setting

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and model."""
        from sklearn.pipeline import Pipeline

        return Pipeline([("encode", scaled(self.features)), ("model", self._model(setting))])

    def scores(self, fitted: Any, sample: Sample) -> Floats:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        return said(fitted, sample.features, self.task, len(self.classes))

    def spec(self, fitted: Any) -> Folded:
        """Fold filling, scaling, levels and coefficients into one table."""
        return folded(fitted, self.features, self.classes)

    def _model(self, setting: Setting) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        penalty = setting.params["penalty"]
        return Ridge(alpha=penalty) if self.task == "regression" else LogisticRegression(C=1.0 / penalty, max_iter=500)
