"""The last step of a pipeline: its model."""

import re
from collections.abc import Callable
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from flows.training.folding.boosters import Trees, xgboost_classes, xgboost_trees
from flows.training.folding.errors import CannotFold
from flows.training.folding.forests import histogram_classes, histogram_trees, mean_trees
from flows.training.folding.lightgbm import lightgbm_classes, lightgbm_trees
from registry.scoring.forest import FOREST_FILE
from registry.scoring.layers import LAYERS_FILE, Layers
from registry.scoring.spec import Link

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


def fold_classes(model: Any, *, sparse: bool) -> tuple[Link, list[FoldedModel]]:
    """
    Fold a fitted classifier of several classes, one model for each, in their order.

    Args:
        model: Of scikit-learn, XGBoost or LightGBM.
        sparse: As for `fold_model`.

    Returns:
        What their numbers go through, together; and they themselves.

    Raises:
        CannotFold: If it has no exact counterpart.
    """
    key = type(model).__module__.split(".")[0], type(model).__name__
    if key not in _CLASSES:
        raise CannotFold(key[1], "it is not among the models of several classes that can be folded")
    return _xgboost_classes(model, sparse) if key[0] == "xgboost" else _CLASSES[key](model)


def _xgboost_classes(model: Any, sparse: bool = False) -> tuple[Link, list[FoldedModel]]:
    _refuse_missing(model)
    return "softmax", [_trees("forest", one) for one in xgboost_classes(model.get_booster(), sparse=sparse)]


def _lightgbm_classes(model: Any) -> tuple[Link, list[FoldedModel]]:
    _refuse_pandas(model.booster_)
    return "softmax", [_trees("forest", one) for one in lightgbm_classes(model.booster_)]


def _mean_classes(model: Any) -> tuple[Link, list[FoldedModel]]:
    return "identity", [_trees("forest", mean_trees(model, number)) for number in range(len(model.classes_))]


def _histogram_classes(model: Any) -> tuple[Link, list[FoldedModel]]:
    return "softmax", [_trees("forest", one) for one in histogram_classes(model)]


def _linear_classes(model: Any) -> tuple[Link, list[FoldedModel]]:
    if getattr(model, "solver", "") == "liblinear":
        raise CannotFold(type(model).__name__, "it asks one against the rest")
    pairs = zip(model.coef_, model.intercept_, strict=True)
    return "softmax", [_sum(coefficients, intercept, "identity") for coefficients, intercept in pairs]


def _perceptron_classes(model: Any) -> tuple[Link, list[FoldedModel]]:
    if model.out_activation_ != "softmax":
        raise CannotFold(type(model).__name__, f"its outputs go through {model.out_activation_}")
    return "softmax", [_layers(model, number, "identity") for number in range(model.n_outputs_)]


def _refuse_missing(model: Any) -> None:
    if model.missing is not None and model.missing == model.missing:
        raise CannotFold("The XGBoost model", f"it takes {model.missing!r} for missing")


def _refuse_pandas(booster: Any) -> None:
    if booster.pandas_categorical:
        raise CannotFold("The LightGBM model", "it reads pandas categories; encode them by an OrdinalEncoder")


def _xgboost(model: Any, sparse: bool = False) -> FoldedModel:
    _refuse_missing(model)
    booster = model.get_booster()
    found = xgboost_trees(booster, sparse=sparse)
    return _trees("xgboost", found, (BOOSTER_FILE, bytes(booster.save_raw("ubj"))))


def _lightgbm(model: Any) -> FoldedModel:
    booster = model.booster_
    _refuse_pandas(booster)
    return _trees("lightgbm", lightgbm_trees(booster), (TEXT_FILE, _text(booster).encode()))


def _text(booster: Any) -> str:
    """Its own format, without the number of threads: that makes no other model."""
    found: str = re.sub(r"^\[num_threads: \d+\]$", "[num_threads: 0]", booster.model_to_string(), flags=re.MULTILINE)
    return found


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
    return _sum(model.coef_, np.ravel(model.intercept_)[0], link)


def _sum(coefficients: Any, intercept: Any, link: str) -> FoldedModel:
    fields = {
        "kind": "linear",
        "coefficients": tuple(map(float, np.ravel(coefficients))),
        "intercept": float(intercept),
        "link": link,
    }
    return FoldedModel(fields)


def _perceptron(model: Any) -> FoldedModel:
    if model.n_outputs_ != 1 or model.out_activation_ not in ("identity", "logistic"):
        raise CannotFold(type(model).__name__, f"it has {model.n_outputs_} outputs through {model.out_activation_}")
    return _layers(model, 0, model.out_activation_)


def _layers(model: Any, output: int, link: str) -> FoldedModel:
    """All layers, and of the last one *output*."""
    *hidden, last = zip(model.coefs_, model.intercepts_, strict=True)
    pairs = [*hidden, (last[0][:, [output]], last[1][[output]])]
    weights = np.concatenate([np.ravel(part).astype(np.float64) for pair in pairs for part in pair])
    sizes = [len(model.coefs_[0]), *(len(biases) for _, biases in pairs)]
    layers = Layers(np.array(sizes, dtype=np.int64), weights)
    fields = {"kind": "mlp", "arrays": LAYERS_FILE, "activation": model.activation, "link": link}
    return FoldedModel(fields, arrays=layers.to_bytes())


def _rescaled(model: Any) -> FoldedModel:
    """A model of values in units of their spread: its last sum is brought back."""
    inner, scaler = model.regressor_, model.transformer_
    key = type(inner).__module__.split(".")[0], type(inner).__name__
    if type(scaler).__name__ != "StandardScaler" or key not in _SUMS:
        raise CannotFold(type(model).__name__, f"it holds {key[1]}, its values changed by {type(scaler).__name__}")
    scaled = copy(inner)
    shift = float(scaler.mean_[0]) if scaler.with_mean else 0.0
    factor = float(scaler.scale_[0]) if scaler.with_std else 1.0
    if key[1] == "MLPRegressor":
        scaled.coefs_ = [*inner.coefs_[:-1], inner.coefs_[-1] * factor]
        scaled.intercepts_ = [*inner.intercepts_[:-1], inner.intercepts_[-1] * factor + shift]
    else:
        scaled.coef_, scaled.intercept_ = inner.coef_ * factor, inner.intercept_ * factor + shift
    return _MODELS[key](scaled)


_SUMS = {("sklearn", "MLPRegressor"), *(("sklearn", name) for name in REGRESSORS)}
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
    ("sklearn", "TransformedTargetRegressor"): _rescaled,
}
_CLASSES: dict[tuple[str, str], Callable[[Any], tuple[Link, list[FoldedModel]]]] = {
    **{("xgboost", name): _xgboost_classes for name in ("XGBClassifier", "XGBRFClassifier")},
    ("lightgbm", "LGBMClassifier"): _lightgbm_classes,
    **{("sklearn", f"{family}Classifier"): _mean_classes for family in ("RandomForest", "ExtraTrees", "DecisionTree")},
    ("sklearn", "HistGradientBoostingClassifier"): _histogram_classes,
    **{("sklearn", name): _linear_classes for name in ("LogisticRegression", "LogisticRegressionCV")},
    ("sklearn", "MLPClassifier"): _perceptron_classes,
}
