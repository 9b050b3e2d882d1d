"""The trees of scikit-learn as a forest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.training.folding.boosters import Trees
from flows.training.folding.errors import CannotFold
from flows.training.folding.growing import Growing
from registry.scoring.spec import Link

_LINKS: dict[str, Link] = {
    "HalfBinomialLoss": "logistic",
    "HalfSquaredError": "identity",
    "AbsoluteError": "identity",
    "PinballLoss": "identity",
    "HalfPoissonLoss": "exponential",
    "HalfGammaLoss": "exponential",
}


def mean_trees(model: Any, output: int = -1) -> Trees:
    """
    Take over a random forest, extra trees, or one tree: the mean of their leaves.

    scikit-learn compares numbers in single precision with thresholds in double precision
    and adds up in double precision.

    Args:
        model: One of these.
        output: Whose probability, if it is a classifier; the last class's if absent.

    Raises:
        CannotFold: If it has more than one output.
    """
    estimators = getattr(model, "estimators_", [model])
    if model.n_outputs_ != 1:
        raise CannotFold(type(model).__name__, f"it has {model.n_outputs_} outputs")
    growing = Growing("f4", "f8")
    for estimator in estimators:
        tree = estimator.tree_
        left = tree.children_left
        growing.add(
            look=growing.directed(tree.feature, tree.missing_go_to_left, left >= 0),
            threshold=_single(tree.threshold),
            left=left,
            right=tree.children_right,
            value=tree.value[:, 0, output] / (tree.value[:, 0].sum(axis=1) if hasattr(model, "classes_") else 1.0),
        )
    return Trees(growing.forest(), 0.0, "identity", divisor=float(len(estimators)))


def histogram_trees(model: Any) -> Trees:
    """
    Take over gradient boosting by histograms.

    Raises:
        CannotFold: If it has more than one output, categories of its own, or an unknown loss.
    """
    loss = type(model._loss).__name__
    mistakes = [] if loss in _LINKS else [f"its loss is {loss}"]
    if model.n_trees_per_iteration_ != 1:
        mistakes.append("it has more than one output")
    _refuse(model, mistakes)
    return _grown(model, 0, _LINKS[loss])


def histogram_classes(model: Any) -> list[Trees]:
    """
    Take over gradient boosting of several classes, one forest for each; raises like `histogram_trees`.

    Their sums go through the softmax function.
    """
    loss = type(model._loss).__name__
    _refuse(model, [] if loss == "HalfMultinomialLoss" else [f"its loss is {loss}"])
    return [_grown(model, number, "identity") for number in range(model.n_trees_per_iteration_)]


def _refuse(model: Any, mistakes: list[str]) -> None:
    if getattr(model, "is_categorical_", None) is not None:
        mistakes = [*mistakes, "it splits by categories of its own"]
    if mistakes:
        raise CannotFold(type(model).__name__, "; ".join(mistakes))


def _grown(model: Any, output: int, link: Link) -> Trees:
    growing = Growing("f8", "f8")
    for predictors in model._predictors:
        nodes = predictors[output].nodes
        inner = nodes["is_leaf"] == 0
        growing.add(
            look=growing.directed(nodes["feature_idx"], nodes["missing_go_to_left"], inner),
            threshold=np.nextafter(nodes["num_threshold"], np.inf),
            left=np.where(inner, nodes["left"].astype(np.int64), -1),
            right=np.where(inner, nodes["right"].astype(np.int64), -1),
            value=nodes["value"],
        )
    return Trees(growing.forest(), float(np.ravel(model._baseline_prediction)[output]), link)


def _single(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The least single-precision number above each threshold: below it is at or below the threshold."""
    with np.errstate(over="ignore"):
        single = thresholds.astype(np.float32)
    return np.where(single <= thresholds, np.nextafter(single, np.float32(np.inf)), single)
