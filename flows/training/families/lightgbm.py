"""LightGBM: trees that grow leaf by leaf; categories by target encoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flows.config.data import Features
from flows.training.families.encoding import targeted
from flows.training.families.family import Budget, Fold, Setting, only
from flows.training.families.saying import Encoded, Floats, folded, said
from flows.training.folding.members import Folded
from flows.training.rows import Sample
from flows.training.tuning.slowing import MOST_ROUNDS, cut_short, slowed
from flows.training.tuning.space import Space
from flows.training.tuning.study import REPORT_EVERY, Search, Tried, Watch, study
from registry.records.version import Task

ROUNDS = 400
PATIENCE = 30
LEAST_ROUNDS = 30
"""As for XGBoost: a model of one round ranks nothing."""
SPACE = Space(
    logarithmic={"learning_rate": (0.03, 0.3), "min_child_weight": (0.01, 100.0), "reg_lambda": (0.1, 30.0)},
    linear={"subsample": (0.5, 1.0), "colsample_bytree": (0.5, 1.0)},
    whole={"num_leaves": (4, 128)},
)
START: dict[str, Any] = {
    "learning_rate": 0.1,
    "min_child_weight": 1.0,
    "reg_lambda": 1.0,
    "subsample": 0.9,
    "colsample_bytree": 0.9,
    "num_leaves": 31,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGBM:
    """
    LightGBM by 63 bins.

    It gets plain numbers: a polars Categorical would end the process, and level codes of each
    table are other codes. The same data, parameters and seed give the same trees, whatever
    the number of threads.

    Source:
        Ke et al. (2017), NeurIPS 30; LightGBM 4.7, parameters `deterministic` and `force_row_wise`.
    """

    features: Features
    task: Task
    seed: int
    threads: int
    absolute: bool = False
    classes: tuple[str, ...] = ()
    name: str = "lightgbm"

    def search(self, fold: Fold, budget: Budget) -> list[Setting]:
        """Run a study on *fold*: known settings first, hopeless trials cut off early."""
        search = Search(family=self.name, space=SPACE, start=START, rounds=ROUNDS, seed=self.seed)
        found = study(search, self._race(fold), budget)
        return [self.adapt(one, fold) if cut_short(one, budget.known, ROUNDS - PATIENCE) else one for one in found]

    def adapt(self, setting: Setting, fold: Fold) -> Setting:
        """Find the number of rounds by early stopping on *fold*; more of them than a trial has."""
        params = only(setting.params, SPACE.names)
        return Setting(self.name, {**params, **self._race(fold).run(params, rounds=MOST_ROUNDS).found})

    def slower(self, setting: Setting, fold: Fold) -> Setting | None:
        """Learn slower, with rounds by early stopping on *fold*; None if the rate is low already."""
        params = slowed(setting.params, SPACE)
        return self.adapt(Setting(self.name, params), fold) if params else None

    def pipeline(self, setting: Setting) -> Any:
        """Make encoder and booster; the number of rounds is fixed."""
        from lightgbm import LGBMClassifier, LGBMRegressor
        from sklearn.pipeline import Pipeline

        make = LGBMRegressor if self.task == "regression" else LGBMClassifier
        model = make(**setting.params, **self.fixed, n_jobs=self.threads, random_state=self.seed)
        return Pipeline([("encode", targeted(self.features, self.task, self.seed)), ("model", model)])

    def scores(self, fitted: Any, sample: Sample) -> Floats:
        """P(1) or the value, shape (n,); of several classes, shape (n, classes)."""
        return said(fitted, sample.features, self.task, len(self.classes))

    def spec(self, fitted: Any) -> Folded:
        """Fold the encoder into tables, and the trees into arrays."""
        return folded(fitted, self.features, self.classes)

    @property
    def fixed(self) -> dict[str, Any]:
        """Parameters that no search touches; they keep the trees the same."""
        return {
            "objective": self.objective,
            "max_bin": 63,
            "subsample_freq": 1,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
        }

    @property
    def objective(self) -> str:
        """What the trees minimise."""
        if self.task == "regression":
            return "regression_l1" if self.absolute else "regression"
        return "binary" if self.task == "binary" else "multiclass"

    @property
    def measured(self) -> str:
        """What early stopping watches: a proper loss."""
        return {"binary": "binary_logloss", "multiclass": "multi_logloss", "regression_l1": "l1"}.get(
            self.objective, "rmse"
        )

    def _race(self, fold: Fold) -> "_Race":
        return _Race(self, Encoded.of(targeted(self.features, self.task, self.seed), fold))


@dataclass(frozen=True)
class _Race:
    """One fold, encoded once and binned once in each process, on which many settings run."""

    family: LightGBM
    fold: Encoded

    @cached_property
    def binned(self) -> tuple[Any, Any]:
        """Past and future in bins of the past."""
        from lightgbm import Dataset

        fold, options = self.fold, {**self.family.fixed, "num_threads": self.family.threads}
        past = Dataset(fold.past, fold.learned, weight=fold.weights, params=options, free_raw_data=False)
        return past, past.create_valid(fold.future, fold.judged)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "binned"}

    def run(self, params: Mapping[str, Any], watch: Watch | None = None, rounds: int | None = None) -> Tried:
        import lightgbm

        family, (past, future) = self.family, self.binned
        classes = {"num_class": len(family.classes)} if family.task == "multiclass" else {}
        options = {"metric": family.measured, "num_threads": family.threads, "seed": family.seed}
        booster = lightgbm.train(
            {**params, **family.fixed, **classes, **options},
            past,
            num_boost_round=rounds or ROUNDS,
            valid_sets=[future],
            valid_names=["future"],
            callbacks=[*([_watching(watch)] if watch else []), lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        loss = float(booster.best_score["future"][family.measured])
        return Tried(loss, {"n_estimators": max(int(booster.best_iteration), LEAST_ROUNDS)})


def _watching(watch: Watch) -> Any:
    def look(seen: Any) -> None:
        if (seen.iteration + 1) % REPORT_EVERY == 0:
            watch(seen.iteration + 1, float(seen.evaluation_result_list[0][2]))

    return look
