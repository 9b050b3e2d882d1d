"""Fitted pipelines of every family on one table with missing values, odd levels and wide ranges."""

import warnings
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

NUMERIC, CATEGORICAL = ("a", "b", "w"), ("c", "d")
TREES = 23  # no multiple of the lanes


class Case(NamedTuple):
    """A fitted pipeline and how it is asked."""

    pipeline: Any
    task: str

    def expected(self, frame: pl.DataFrame) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.task == "binary":
                return np.asarray(self.pipeline.predict_proba(frame)[:, 1], dtype=np.float64)
            return np.asarray(self.pipeline.predict(frame), dtype=np.float64)


def table(rows: int = 400, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    dice = np.random.default_rng(seed)
    a, b, w = dice.normal(50, 10, rows), dice.integers(-3, 4, rows).astype(float), dice.lognormal(0, 3, rows)
    c = dice.choice(["red", "green", "blue", "rare"], rows, p=[0.5, 0.3, 0.19, 0.01])
    d = dice.choice([f"level {i}" for i in range(15)], rows)
    value = (a - 50) / 10 + (c == "red") - (c == "green") + b / 3 + 0.3 * np.log(w)
    frame = pl.DataFrame({"a": a, "b": b, "w": w, "c": c, "d": d})
    gone = [pl.Series(dice.random(rows) < 0.1) for _ in frame.columns]
    frame = frame.with_columns(
        pl.when(hide).then(None).otherwise(pl.col(name)).alias(name)
        for name, hide in zip(frame.columns, gone, strict=True)
    )
    return frame, value + dice.normal(scale=0.7, size=rows)


def prepared(numeric: Any, *category: Any) -> ColumnTransformer:
    """Numbers by one transformer, all categories by one of each kind."""
    parts = [("n", numeric, list(NUMERIC))]
    parts += [(f"c{i}", one, [name]) for i, (one, name) in enumerate(zip(category, CATEGORICAL, strict=True))]
    return ColumnTransformer(parts)


def one_hot(**options: Any) -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", **options)


def ordinal() -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def filled(scaler: Any, strategy: str = "median") -> Pipeline:
    return make_pipeline(SimpleImputer(strategy=strategy), scaler)


def _xgboost(kind: str, **options: Any) -> Any:
    import xgboost

    return getattr(xgboost, kind)(n_estimators=TREES, max_depth=4, n_jobs=1, **options)


def _lightgbm(kind: str, **options: Any) -> Any:
    import lightgbm

    chosen = {"n_estimators": TREES, "num_leaves": 15, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
    return getattr(lightgbm, kind)(**(chosen | options))


def _makers() -> dict[str, Any]:
    both = (TargetEncoder(random_state=0), one_hot(sparse_output=False, max_categories=5))
    small = {"n_estimators": TREES, "random_state": 0, "n_jobs": 1}
    layers = {"hidden_layer_sizes": (9, 4), "max_iter": 15, "random_state": 0}
    return {
        "xgboost": lambda: (prepared("passthrough", *both), _xgboost("XGBClassifier")),
        "xgboost sparse": lambda: (
            prepared(filled(StandardScaler()), one_hot(), one_hot(min_frequency=20)),
            _xgboost("XGBClassifier"),
        ),
        "xgboost deep": lambda: (
            prepared(filled(RobustScaler()), *both),
            _xgboost("XGBClassifier").set_params(max_depth=12, min_child_weight=0),
        ),
        "xgboost regression": lambda: (
            prepared(filled(MinMaxScaler(), "mean"), ordinal(), ordinal()),
            _xgboost("XGBRegressor"),
        ),
        "xgboost tweedie": lambda: (prepared("passthrough", *both), _xgboost("XGBRegressor", objective="reg:tweedie")),
        "lightgbm": lambda: (prepared("passthrough", ordinal(), ordinal()), _lightgbm("LGBMClassifier")),
        "lightgbm zero as missing": lambda: (
            prepared("passthrough", *both),
            _lightgbm("LGBMClassifier", zero_as_missing=True),
        ),
        "lightgbm no missing": lambda: (
            prepared("passthrough", ordinal(), ordinal()),
            _lightgbm("LGBMRegressor", use_missing=False, num_leaves=31),
        ),
        "lightgbm random forest": lambda: (
            prepared("passthrough", *both),
            _lightgbm("LGBMRegressor", boosting_type="rf", subsample=0.6, subsample_freq=1),
        ),
        "lightgbm native categories": lambda: (
            prepared("passthrough", ordinal(), ordinal()),
            _lightgbm("LGBMClassifier", min_data_per_group=5, cat_smooth=1.0),
        ),
        "random forest": lambda: (prepared("passthrough", *both), RandomForestClassifier(**small)),
        "random forest regression": lambda: (
            prepared(filled(MaxAbsScaler(), "constant"), ordinal(), ordinal()),
            RandomForestRegressor(**small),
        ),
        "extra trees": lambda: (prepared(filled(StandardScaler()), *both), ExtraTreesClassifier(max_depth=7, **small)),
        "extra trees regression": lambda: (prepared(filled("passthrough"), *both), ExtraTreesRegressor(**small)),
        "one tree": lambda: (prepared("passthrough", *both), DecisionTreeClassifier(max_depth=5, random_state=0)),
        "histogram boosting": lambda: (
            prepared("passthrough", *both),
            HistGradientBoostingClassifier(max_iter=TREES, random_state=0),
        ),
        "histogram boosting regression": lambda: (
            prepared("passthrough", *both),
            HistGradientBoostingRegressor(max_iter=TREES, random_state=0),
        ),
        "logistic": lambda: (
            prepared(filled(StandardScaler()), one_hot(), one_hot(drop=None)),
            LogisticRegression(max_iter=300),
        ),
        "logistic with indicators": lambda: (
            prepared(make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), *both),
            LogisticRegression(max_iter=300),
        ),
        "scaled, then filled": lambda: (
            prepared(make_pipeline(StandardScaler(), SimpleImputer(strategy="median")), *both),
            Ridge(),
        ),
        "linear": lambda: (prepared(filled(MinMaxScaler()), *both), LinearRegression()),
        "poisson": lambda: (prepared(filled(RobustScaler()), *both), PoissonRegressor(max_iter=300)),
        "perceptron": lambda: (prepared(filled(StandardScaler()), *both), MLPClassifier(activation="tanh", **layers)),
        "perceptron regression": lambda: (prepared(filled(RobustScaler()), *both), MLPRegressor(**layers)),
    }


MAKERS = _makers()
POSITIVE = {"xgboost tweedie", "poisson"}


@cache
def fitted(name: str) -> Case:
    """The pipeline called *name*, fitted once."""
    steps, model = MAKERS[name]()
    frame, value = table()
    task = "binary" if hasattr(model, "predict_proba") else "regression"
    labels = (value > 0).astype(int) if task == "binary" else np.exp(value / 3) if name in POSITIVE else value
    pipeline = Pipeline([("encode", steps), ("model", model)])
    options = {"model__categorical_feature": [3, 4]} if name == "lightgbm native categories" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Case(pipeline.fit(frame, labels, **options), task)
