"""The last step of a pipeline: its model."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from flows.training.folding.boosters import Trees, xgboost_trees
from flows.training.folding.errors import CannotFold
from flows.training.folding.forests import histogram_trees, mean_trees
from flows.training.folding.lightgbm import lightgbm_trees
from registry.scoring.forest import FOREST_FILE
from registry.scoring.layers import LAYERS_FILE, Layers

BOOSTER_FILE = "model.ubj"
TEXT_FILE = "model.txt"
LOGARITHMIC = frozenset({"PoissonRegressor", "GammaRegressor"})
CLASSIFIERS = frozenset({"LogisticRegression", "LogisticRegressionCV", "SGDClassifier"})
REGRESSORS = frozenset(
    {
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "HuberRegressor",
        "Lasso",
        "LassoCV",
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "SGDRegressor",
    }
)


class FoldedModel(NamedTuple):
    """Fields of the spec, and the contents of its files."""

    fields: dict[str, Any]
    booster: bytes | None = None
    arrays: bytes | None = None


def fold_model(model: Any, *, sparse: bool) -> FoldedModel:
    """
    Fold a fitted model with one output.

    Args:
        model: Of scikit-learn, XGBoost or LightGBM.
        sparse: Whether it gets a sparse matrix, where XGBoost takes 0 for missing.

    Raises:
        CannotFold: If it has no exact counterpart.
    """
    name = type(model).__name__
    library = type(model).__module__.split(".")[0]
    if (library, name) not in _MODELS:
        raise CannotFold(name, "it is not among the models that can be folded")
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) != 2:
        raise CannotFold(name, f"it tells {len(classes)} classes apart, not 2")
    return _xgboost(model, sparse) if library == "xgboost" else _MODELS[library, name](model)


def _xgboost(model: Any, sparse: bool = False) -> FoldedModel:
    if model.missing is not None and model.missing == model.missing:
        raise CannotFold("The XGBoost model", f"it takes {model.missing!r} for missing")
    booster = model.get_booster()
    found = xgboost_trees(booster, sparse=sparse)
    return _trees("xgboost", found, (BOOSTER_FILE, bytes(booster.save_raw("ubj"))))


def _lightgbm(model: Any) -> FoldedModel:
    booster = model.booster_
    if booster.pandas_categorical:
        raise CannotFold("The LightGBM model", "it reads pandas categories; encode them by an OrdinalEncoder")
    return _trees("lightgbm", lightgbm_trees(booster), (TEXT_FILE, booster.model_to_string().encode()))


def _mean(model: Any) -> FoldedModel:
    return _trees("forest", mean_trees(model))


def _histogram(model: Any) -> FoldedModel:
    return _trees("forest", histogram_trees(model))


def _trees(kind: str, found: Trees, native: tuple[str, bytes] | None = None) -> FoldedModel:
    fields = {
        "kind": kind,
        "arrays": FOREST_FILE,
        "booster": native[0] if native else None,
        "intercept": found.start,
        "divisor": found.divisor,
        "link": found.link,
        "slope": found.slope,
    }
    return FoldedModel(fields, native[1] if native else None, found.forest.to_bytes())


def _linear(model: Any) -> FoldedModel:
    name = type(model).__name__
    if name == "SGDClassifier" and model.loss != "log_loss":
        raise CannotFold(name, f"its loss {model.loss!r} gives no logistic probability")
    if np.ndim(model.coef_) == 2 and len(model.coef_) != 1:
        raise CannotFold(name, f"it has {len(model.coef_)} outputs")
    link = "logistic" if name in CLASSIFIERS else "exponential" if name in LOGARITHMIC else "identity"
    fields = {
        "kind": "linear",
        "coefficients": tuple(map(float, np.ravel(model.coef_))),
        "intercept": float(np.ravel(model.intercept_)[0]),
        "link": link,
    }
    return FoldedModel(fields)


def _perceptron(model: Any) -> FoldedModel:
    if model.n_outputs_ != 1 or model.out_activation_ not in ("identity", "logistic"):
        raise CannotFold(type(model).__name__, f"it has {model.n_outputs_} outputs through {model.out_activation_}")
    parts = [part for pair in zip(model.coefs_, model.intercepts_, strict=True) for part in pair]
    weights = np.concatenate([np.ravel(part).astype(np.float64) for part in parts])
    sizes = [len(model.coefs_[0]), *(len(biases) for biases in model.intercepts_)]
    layers = Layers(np.array(sizes, dtype=np.int64), weights)
    fields = {"kind": "mlp", "arrays": LAYERS_FILE, "activation": model.activation, "link": model.out_activation_}
    return FoldedModel(fields, arrays=layers.to_bytes())


_MODELS: dict[tuple[str, str], Callable[[Any], FoldedModel]] = {
    **{("xgboost", f"XGB{kind}"): _xgboost for kind in ("Classifier", "Regressor", "RFClassifier", "RFRegressor")},
    **{("lightgbm", f"LGBM{kind}"): _lightgbm for kind in ("Classifier", "Regressor")},
    **{
        ("sklearn", f"{family}{kind}"): _mean
        for family in ("RandomForest", "ExtraTrees", "DecisionTree")
        for kind in ("Classifier", "Regressor")
    },
    **{("sklearn", f"HistGradientBoosting{kind}"): _histogram for kind in ("Classifier", "Regressor")},
    **{("sklearn", name): _linear for name in CLASSIFIERS | REGRESSORS | LOGARITHMIC},
    **{("sklearn", f"MLP{kind}"): _perceptron for kind in ("Classifier", "Regressor")},
}
