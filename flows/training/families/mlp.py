"""Neural networks: filled, scaled and one-hot, then a multi-layer perceptron of scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.config.data import Features
from flows.training.families.encoding import scaled
from flows.training.families.family import Budget, Fold, Setting, only
from flows.training.families.saying import Encoded, Floats, folded, loss_of, said
from flows.training.folding.members import Folded
from flows.training.rows import Sample
from flows.training.tuning.space import Space
from flows.training.tuning.study import REPORT_EVERY, Search, Tried, Watch, study
from registry.records.version import Task

EPOCHS = 60
PATIENCE = 8
SPACE = Space(
    logarithmic={"alpha": (1e-6, 1e-1), "learning_rate_init": (3e-4, 1e-2)},
    choices={"layers": ("32", "64", "64-32", "128-64")},
)
START: dict[str, Any] = {"alpha": 1e-4, "learning_rate_init": 2e-3, "layers": "64-32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Perceptron:
    """A multi-layer perceptron; values of a regression are learned in units of their spread."""

    features: Features
    task: Task
    seed: int
    classes: tuple[str, ...] = ()
    name: str = "mlp"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Run a study on *fold*: hopeless networks are not trained to the end."""
        search = Search(family=self.name, space=SPACE, start=START, rounds=EPOCHS, seed=self.seed)
        found = study(search, self._race(fold), budget)
        return [one if "epochs" in one.params else self.adapt(one, fold) for one in found]

    def adapt(self, setting: Setting, fold: Fold) -> Setting:
        """Find the number of epochs by early stopping on *fold*."""
        params = only(setting.params, SPACE.names)
        return Setting(self.name, {**params, **self._race(fold).run(params).found})

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and network; the number of epochs is fixed."""
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        epochs = setting.params["epochs"]
        model = self.model(setting.params, max_iter=epochs, n_iter_no_change=epochs + 1, tol=0.0)
        if self.task == "regression":
            model = TransformedTargetRegressor(model, transformer=StandardScaler())
        return Pipeline([("encode", scaled(self.features)), ("model", model)])

    def model(self, params: Mapping[str, Any], **options: Any) -> Any:
        """Make the unfitted network."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        make = MLPRegressor if self.task == "regression" else MLPClassifier
        return make(
            hidden_layer_sizes=tuple(int(width) for width in params["layers"].split("-")),
            alpha=params["alpha"],
            learning_rate_init=params["learning_rate_init"],
            random_state=self.seed,
            **options,
        )

    def scores(self, fitted: Any, sample: Sample) -> Floats:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        return said(fitted, sample.features, self.task, len(self.classes))

    def spec(self, fitted: Any) -> Folded:
        """Fold the encoder into tables, and the layers into arrays."""
        return folded(fitted, self.features, self.classes)

    def _race(self, fold: Fold) -> "_Race":
        return _Race(self, Encoded.of(scaled(self.features), fold))


@dataclass(frozen=True)
class _Race:
    """One fold, encoded once, on which networks learn epoch by epoch."""

    family: Perceptron
    fold: Encoded

    def run(self, params: Mapping[str, Any], watch: Watch | None = None) -> Tried:
        task, fold = self.family.task, self.fold
        model, best, epochs = self.family.model(params), np.inf, 1
        shift, scale = self._units()
        known = {} if task == "regression" else {"classes": np.unique(fold.learned)}
        for epoch in range(1, EPOCHS + 1):
            weights = {} if fold.weights is None else {"sample_weight": fold.weights}
            model.partial_fit(fold.past, (fold.learned - shift) / scale, **(known if epoch == 1 else {}), **weights)
            scores = said(model, fold.future, task, len(self.family.classes)) * scale + shift
            loss = loss_of(task, fold.judged, scores)
            best, epochs = (loss, epoch) if loss < best else (best, epochs)
            if watch and epoch % REPORT_EVERY == 0:
                watch(epoch, loss)
            if epoch - epochs >= PATIENCE:
                break
        return Tried(float(best), {"epochs": epochs})

    def _units(self) -> tuple[float, float]:
        if self.family.task != "regression":
            return 0.0, 1.0
        return float(np.mean(self.fold.learned)), float(np.std(self.fold.learned)) or 1.0
