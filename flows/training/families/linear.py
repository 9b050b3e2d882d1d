"""Linear models: fill, scale and one-hot, then logistic or ridge regression."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.config.data import Features
from flows.training.families.encoding import category_tables, columns
from flows.training.families.family import Budget, Fold, Setting, patiently
from flows.training.metrics import measure
from flows.training.rows import Sample
from registry.records.version import Task
from registry.scoring.spec import NumericColumn, ScorerSpec

RARE = 20  # rows below which a level is thrown together with the other rare ones
MOST_LEVELS = 100
STRENGTHS = (1.0, 100.0, 0.01)  # of the penalty, the usual one first


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Logistic regression (binary) or ridge regression."""

    features: Features
    task: Task
    name: str = "linear"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Try a few strengths of the penalty, which is all there is to choose."""
        settings = [Setting(self.name, {"penalty": strength}) for strength in STRENGTHS[: max(1, budget.trials)]]
        if len(settings) == 1:
            return settings
        encoder = self._encoder()
        past, future = encoder.fit_transform(fold.past.features), encoder.transform(fold.future.features)
        losses: list[float] = []
        with patiently():
            for setting in settings:
                fitted = self._model(setting).fit(past, fold.past.labels, sample_weight=fold.past.weights)
                losses.append(measure(self.task, fold.future.labels, self._of(fitted, future))["loss"])
        return [settings[int(np.argmin(losses))]]

    def adapt(self, setting: Setting, fold: Fold) -> Setting:  # noqa: ARG002 (other families need the fold)
        """Nothing depends on the amount of past."""
        return setting

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and model."""
        from sklearn.pipeline import Pipeline

        return Pipeline([("encode", self._encoder()), ("model", self._model(setting))])

    def scores(self, fitted: Any, sample: Sample) -> NDArray[np.float64]:
        """P(1) or the value, shape (n,)."""
        return self._of(fitted, sample.features)

    def spec(self, fitted: Any) -> tuple[ScorerSpec, None, None]:
        """Fold filling, scaling, levels and coefficients into one table."""
        model = fitted["model"]
        tables = category_tables(self.features, fitted["encode"])
        spec = ScorerSpec(
            task=self.task,
            kind="linear",
            columns=(*self._numbers(fitted["encode"]), *tables),
            coefficients=tuple(map(float, np.ravel(model.coef_))),
            intercept=float(np.ravel(model.intercept_)[0]),
            inputs=self.features.names,
        )
        return spec, None, None

    def _numbers(self, encoder: Any) -> list[NumericColumn]:
        if not self.features.numeric:
            return []
        fill, scale = encoder.named_transformers_["numeric"]
        fitted = zip(self.features.numeric, fill.statistics_, scale.mean_, scale.scale_, strict=True)
        return [NumericColumn(feature=n, fill=float(f), shift=float(m), scale=float(s)) for n, f, m, s in fitted]

    def _encoder(self) -> Any:
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        def one_hot() -> Any:
            return OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                min_frequency=RARE,
                max_categories=MOST_LEVELS,
                sparse_output=False,
            )

        numeric = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        return columns(self.features, numeric, one_hot)

    def _model(self, setting: Setting) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        penalty = setting.params["penalty"]
        return LogisticRegression(C=1.0 / penalty, max_iter=500) if self.task == "binary" else Ridge(alpha=penalty)

    def _of(self, fitted: Any, features: Any) -> NDArray[np.float64]:
        found = fitted.predict_proba(features)[:, 1] if self.task == "binary" else fitted.predict(features)
        return np.asarray(found, dtype=np.float64)
