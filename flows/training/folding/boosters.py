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
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    mistakes = _mistakes(learner, objective)
    if mistakes:
        raise CannotFold("The XGBoost model", "; ".join(mistakes))
    link = _LINKS[objective]
    model = learner["gradient_booster"]["model"]
    growing = Growing("f4", "f4")
    for tree in model["trees"][: _used(model, learner)]:
        _add(growing, tree, sparse=sparse)
    return Trees(growing.forest(), _start(learner, link), link)


def _mistakes(learner: dict[str, Any], objective: str) -> list[str]:
    gradient, shape = learner["gradient_booster"], learner["learner_model_param"]
    mistakes = [] if objective in _LINKS else [f"its objective is {objective}"]
    if gradient["name"] != "gbtree":
        return [*mistakes, f"its booster is {gradient['name']}, not gbtree"]
    if int(shape.get("num_class", 0)) > 1 or int(shape.get("num_target", 1)) > 1:
        mistakes.append("it has more than one output")
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
