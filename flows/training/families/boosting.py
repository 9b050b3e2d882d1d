"""Gradient-boosted trees: numbers as they are, missing included; categories by target encoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.config.data import Features
from flows.training.families.encoding import category_tables, columns, target_encoder
from flows.training.families.family import Budget, Fold, Setting, only
from flows.training.families.saying import folded, said
from flows.training.folding.boosters import xgboost_trees
from flows.training.folding.members import Parts
from flows.training.rows import Sample
from flows.training.tuning.devices import refuse_absent
from flows.training.tuning.slowing import MOST_ROUNDS, cut_short, slowed
from flows.training.tuning.space import Space
from flows.training.tuning.study import REPORT_EVERY, Search, Tried, Watch, study
from registry.records.version import Task
from registry.scoring.dates import PARTS
from registry.scoring.forest import FOREST_FILE
from registry.scoring.spec import DateColumn, NumericColumn, ScorerSpec

BOOSTER_FILE = "model.ubj"
BINS = 64
ROUNDS = 400
PATIENCE = 30
LEAST_ROUNDS = 30
"""Where the level of the labels moves, early stopping may end at one round, and such a model ranks nothing."""
SPACE = Space(
    logarithmic={"learning_rate": (0.03, 0.3), "min_child_weight": (1.0, 100.0), "reg_lambda": (0.1, 30.0)},
    linear={"subsample": (0.5, 1.0), "colsample_bytree": (0.5, 1.0)},
    whole={"max_depth": (2, 8)},
)
_MEASURED = {"binary:logistic": "logloss", "multi:softprob": "mlogloss", "reg:absoluteerror": "mae"}
START: dict[str, Any] = {
    "learning_rate": 0.1,
    "min_child_weight": 5.0,
    "reg_lambda": 1.0,
    "subsample": 0.9,
    "colsample_bytree": 0.9,
    "max_depth": 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """
    XGBoost by histograms.

    64 bins: measured 1.7 times faster than 256 at the same AUC. The same data, parameters
    and seed give the same bytes, whatever the number of threads; on a GPU that is not promised.
    """

    features: Features
    task: Task
    seed: int
    threads: int
    absolute: bool = False
    device: str = "cpu"
    classes: tuple[str, ...] = ()
    name: str = "xgboost"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """
        Run a study on *fold*: known settings first, hopeless trials cut off early.

        Raises:
            DataError: If it shall run on a GPU, and there is none.
        """
        refuse_absent(self.device)
        search = Search(family=self.name, space=SPACE, start=START, rounds=ROUNDS, seed=self.seed)
        found = study(search, _Race.of(self, fold), budget)
        return [self.adapt(one, fold) if cut_short(one, budget.known, ROUNDS - PATIENCE) else one for one in found]

    def adapt(self, setting: Setting, fold: Fold) -> Setting:
        """Find the number of rounds by early stopping on *fold*; more of them than a trial has."""
        params = only(setting.params, SPACE.names)
        return Setting(self.name, {**params, **_Race.of(self, fold).run(params, rounds=MOST_ROUNDS).found})

    def slower(self, setting: Setting, fold: Fold) -> Setting | None:
        """Learn slower, with rounds by early stopping on *fold*; None if the rate is low already."""
        params = slowed(setting.params, SPACE)
        return self.adapt(Setting(self.name, params), fold) if params else None

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and booster; the number of rounds is fixed, so no tree is left unused."""
        from sklearn.pipeline import Pipeline
        from xgboost import XGBClassifier, XGBRegressor

        make = XGBRegressor if self.task == "regression" else XGBClassifier
        model = make(**setting.params, **self.fixed, n_jobs=self.threads, random_state=self.seed)
        return Pipeline([("encode", self.encoder()), ("model", model)])

    def scores(self, fitted: Any, sample: Sample) -> NDArray[np.float64]:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        return said(fitted, sample.features, self.task, len(self.classes))

    def spec(self, fitted: Any) -> Parts:
        """Fold the encoder into tables, and the trees into arrays; the native booster of one output beside them."""
        if self.classes:
            return folded(fitted, self.features, self.classes)
        booster = fitted["model"].get_booster()
        trees = xgboost_trees(booster)
        tables = category_tables(self.features, fitted["encode"])
        numbers = [NumericColumn(feature=name) for name in self.features.numeric]
        dates = [DateColumn(feature=name, cycle=cycle) for name in self.features.dates for cycle in PARTS]
        spec = ScorerSpec(
            task=self.task,
            kind="xgboost",
            columns=(*numbers, *dates, *tables),
            inputs=self.features.names,
            booster=BOOSTER_FILE,
            arrays=FOREST_FILE,
            intercept=trees.start,
            link=trees.link,
        )
        return spec, bytes(booster.save_raw("ubj")), trees.forest.to_bytes()

    def encoder(self) -> Any:
        """Make the unfitted encoder."""
        return columns(self.features, "passthrough", lambda: target_encoder(self.task, self.seed))

    @property
    def fixed(self) -> dict[str, Any]:
        """Parameters that no search touches."""
        device = {"device": self.device} if self.device != "cpu" else {}
        classes = {"num_class": len(self.classes)} if self.classes else {}
        return {"objective": self.objective, "tree_method": "hist", "max_bin": BINS} | device | classes

    @property
    def objective(self) -> str:
        """What the trees minimise."""
        if self.task != "regression":
            return "binary:logistic" if self.task == "binary" else "multi:softprob"
        return "reg:absoluteerror" if self.absolute else "reg:squarederror"

    @property
    def measured(self) -> str:
        """What early stopping watches: a proper loss, so that probabilities stay honest."""
        return _MEASURED.get(self.objective, "rmse")


@dataclass(frozen=True, kw_only=True)
class _Race:
    """
    One fold, encoded once, on which many settings run.

    The arrays are what other processes get; each bins them for itself, once.

    Attributes:
        past, future: Encoded features, shape (rows, columns), in single precision, as XGBoost takes them.
        labels: Of both.
        weights: Of the past; None: all alike.
    """

    family: Boosting
    past: NDArray[np.float32]
    future: NDArray[np.float32]
    labels: tuple[NDArray[np.float64], NDArray[np.float64]]
    weights: NDArray[np.float64] | None

    @classmethod
    def of(cls, family: Boosting, fold: Fold) -> "_Race":
        encoder = family.encoder()
        seen = encoder.fit_transform(fold.past.features, fold.past.labels)
        return cls(
            family=family,
            past=np.asarray(seen, dtype=np.float32),
            future=np.asarray(encoder.transform(fold.future.features), dtype=np.float32),
            labels=(fold.past.labels, fold.future.labels),
            weights=fold.past.weights,
        )

    @cached_property
    def binned(self) -> tuple[Any, Any]:
        """Past and future in bins of the past."""
        from xgboost import QuantileDMatrix

        shared = {"max_bin": BINS, "nthread": self.family.threads}
        past = QuantileDMatrix(self.past, label=self.labels[0], weight=self.weights, **shared)
        return past, QuantileDMatrix(self.future, label=self.labels[1], ref=past, **shared)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "binned"}

    def run(self, params: Mapping[str, Any], watch: Watch | None = None, rounds: int | None = None) -> Tried:
        import xgboost

        family, (past, future) = self.family, self.binned
        booster = xgboost.train(
            {**params, **family.fixed, "eval_metric": family.measured, "nthread": family.threads, "seed": family.seed},
            past,
            num_boost_round=rounds or ROUNDS,
            evals=[(future, "future")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
            callbacks=[_watching(watch)] if watch else None,
        )
        return Tried(float(booster.best_score), {"n_estimators": _rounds(booster)})


def _watching(watch: Watch) -> Any:
    from xgboost.callback import TrainingCallback

    class Watching(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 (xgboost's own)
            (losses,) = evals_log["future"].values()
            if (epoch + 1) % REPORT_EVERY == 0:
                watch(epoch + 1, losses[-1])
            return False

    return Watching()


def _rounds(booster: Any) -> int:
    return max(int(booster.best_iteration) + 1, LEAST_ROUNDS)
