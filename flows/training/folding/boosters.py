"""XGBoost's trees as a forest."""

import json
import math
from typing import Any, NamedTuple

import numpy as np

from flows.training.folding.errors import CannotFold
from flows.training.folding.growing import Growing
from registry.scoring.forest import Forest
from registry.scoring.spec import Link

_LINKS: dict[str, Link] = {
    "binary:logistic": "logistic",
    "reg:logistic": "logistic",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "count:poisson": "exponential",
    "reg:gamma": "exponential",
    "reg:tweedie": "exponential",
}


class Trees(NamedTuple):
    """Trees, and what their sum goes through."""

    forest: Forest
    start: float
    link: Link
    divisor: float = 1.0
    slope: float = 1.0


def xgboost_trees(booster: Any, *, sparse: bool = False) -> Trees:
    """
    Take over the trees up to the best iteration.

    The sum starts from the base score, in single precision, as XGBoost adds it up.

    Args:
        booster: A Booster.
        sparse: Whether it gets a sparse matrix; a zero, which that leaves out, is missing to it.

    Raises:
        CannotFold: If it is no plain forest with one output, or its objective is unknown.
    """
    learner = _learner(booster)
    objective = learner["objective"]["name"]
    mistakes = [] if objective in _LINKS else [f"its objective is {objective}"]
    shape = learner["learner_model_param"]
    if int(shape.get("num_class", 0)) > 1 or int(shape.get("num_target", 1)) > 1:
        mistakes.append("it has more than one output")
    _refuse([*mistakes, *_mistakes(learner)])
    link = _LINKS[objective]
    return _grown(learner, link, _start(learner, link), 0, sparse=sparse)


def xgboost_classes(booster: Any, *, sparse: bool = False) -> list[Trees]:
    """
    Take over the trees of a classifier of several classes, one forest for each; raises like `xgboost_trees`.

    Their sums go through the softmax function.
    """
    learner = _learner(booster)
    objective = learner["objective"]["name"]
    _refuse([*([] if objective == "multi:softprob" else [f"its objective is {objective}"]), *_mistakes(learner)])
    shape = learner["learner_model_param"]
    count = int(shape["num_class"])
    starts = np.broadcast_to(np.array(shape["base_score"].strip("[]").split(","), dtype=np.float32), count)
    return [_grown(learner, "identity", float(starts[n]), n, sparse=sparse) for n in range(count)]


def _learner(booster: Any) -> dict[str, Any]:
    learner: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))["learner"]
    return learner


def _refuse(mistakes: list[str]) -> None:
    if mistakes:
        raise CannotFold("The XGBoost model", "; ".join(mistakes))


def _grown(learner: dict[str, Any], link: Link, start: float, output: int, *, sparse: bool) -> Trees:
    """The trees of one output."""
    model = learner["gradient_booster"]["model"]
    growing, used = Growing("f4", "f4"), _used(model, learner)
    for tree, whose in zip(model["trees"][:used], model["tree_info"][:used], strict=True):
        if whose == output:
            _add(growing, tree, sparse=sparse)
    return Trees(growing.forest(), start, link)


def _mistakes(learner: dict[str, Any]) -> list[str]:
    gradient = learner["gradient_booster"]
    if gradient["name"] != "gbtree":
        return [f"its booster is {gradient['name']}, not gbtree"]
    mistakes = []
    if any(any(tree.get("split_type", ())) for tree in gradient["model"]["trees"]):
        mistakes.append("it splits by categories of its own")
    if not gradient["model"]["trees"]:
        mistakes.append("it has no tree")
    return mistakes


def _used(model: dict[str, Any], learner: dict[str, Any]) -> int:
    """How many trees there are up to the best iteration of early stopping."""
    best = learner.get("attributes", {}).get("best_iteration")
    if best is None:
        return len(model["trees"])
    return int(model["iteration_indptr"][int(best) + 1])


def _start(learner: dict[str, Any], link: Link) -> float:
    """The base score as a margin, in single precision."""
    text = str(learner["learner_model_param"]["base_score"]).strip("[]")
    base, one = np.float32(text), np.float32(1)
    # XGBoost takes the logarithm in single precision; numpy's own is not always the nearest number, this is.
    if link == "logistic":
        return float(np.float32(-math.log(one / base - one)))
    return float(np.float32(math.log(base))) if link == "exponential" else float(base)


def _add(growing: Growing, tree: dict[str, Any], *, sparse: bool) -> None:
    left, conditions = np.array(tree["left_children"]), np.array(tree["split_conditions"], dtype=np.float32)
    columns, default = np.array(tree["split_indices"]), np.array(tree["default_left"])
    growing.add(
        look=growing.directed(columns, default, left >= 0, zero_is_missing=sparse),
        threshold=conditions,
        left=left,
        right=np.array(tree["right_children"]),
        value=conditions,
    )
