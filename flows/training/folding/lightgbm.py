"""LightGBM's trees as a forest, read from its own text format."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.training.folding.boosters import Trees
from flows.training.folding.errors import CannotFold
from flows.training.folding.growing import Growing
from registry.scoring.program import Look
from registry.scoring.spec import Link

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of decision_type; bits 2 and 3 are the kind of missing values
ZERO, NAN = 1, 2
TINY = float(np.float32(1e-35))  # its kZeroThreshold: smaller numbers are zero to it
_LINKS: dict[str, Link] = {
    "binary": "logistic",
    "cross_entropy": "logistic",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "exponential",
    "gamma": "exponential",
    "tweedie": "exponential",
}


def lightgbm_trees(booster: Any) -> Trees:
    """
    Take over the trees up to the best iteration.

    Raises:
        CannotFold: If it has more than one output, linear leaves or an unknown objective.
    """
    head, trees = _read(booster)
    objective, *options = head.get("objective", "none").split()
    mistakes = [] if objective in _LINKS and "sqrt" not in options else [f"its objective is {objective}"]
    if head["num_class"] != "1" or head["num_tree_per_iteration"] != "1":
        mistakes.append("it has more than one output")
    _refuse(trees, mistakes)
    slope = next((float(option.split(":")[1]) for option in options if option.startswith("sigmoid:")), 1.0)
    return _grown(head, trees, _LINKS[objective], slope)


def lightgbm_classes(booster: Any) -> list[Trees]:
    """
    Take over the trees of a classifier of several classes, one forest for each; raises like `lightgbm_trees`.

    Their sums go through the softmax function.
    """
    head, trees = _read(booster)
    objective, count = head.get("objective", "none").split()[0], int(head["num_tree_per_iteration"])
    _refuse(trees, [] if objective == "multiclass" else [f"its objective is {objective}"])
    return [_grown(head, trees[number::count], "identity") for number in range(count)]


def _read(booster: Any) -> tuple[dict[str, str], list[dict[str, str]]]:
    head, *blocks = booster.model_to_string().split("\n\n\nend of trees")[0].split("\nTree=")
    averaged = {"average_output": "1"} if "average_output" in head.splitlines() else {}
    return _fields(head) | averaged, [_fields(block) for block in blocks]


def _refuse(trees: list[dict[str, str]], mistakes: list[str]) -> None:
    if any(tree.get("is_linear", "0") != "0" for tree in trees):
        mistakes = [*mistakes, "its leaves are linear models"]
    if mistakes or not trees:
        raise CannotFold("The LightGBM model", "; ".join(mistakes) or "it has no tree")


def _grown(head: dict[str, str], trees: list[dict[str, str]], link: Link, slope: float = 1.0) -> Trees:
    growing = Growing("f8", "f8")
    for tree in trees:
        _add(growing, tree)
    divisor = float(len(trees)) if head.get("average_output") == "1" else 1.0
    return Trees(growing.forest(), 0.0, link, divisor, slope)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value for name, _, value in pairs}


def _add(growing: Growing, tree: dict[str, str]) -> None:
    leaves = _array(tree, "leaf_value", np.float64)
    inner = len(leaves) - 1
    looks, thresholds = _splits(growing, tree, inner)
    growing.add(
        look=np.concatenate([looks, np.zeros(inner + 1, np.int64)]),
        threshold=np.concatenate([thresholds, np.zeros(inner + 1)]),
        left=_children(tree, "left_child", inner),
        right=_children(tree, "right_child", inner),
        value=np.concatenate([np.zeros(inner), leaves]),
    )


def _children(tree: dict[str, str], name: str, inner: int) -> NDArray[np.int64]:
    """Children of all nodes, inner ones first; LightGBM writes a leaf as the complement of its number."""
    side = _array(tree, name, np.int64)
    return np.concatenate([np.where(side < 0, inner + ~side, side), np.full(inner + 1, -1)])


def _splits(growing: Growing, tree: dict[str, str], inner: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each inner node its look, and the least value that goes right; LightGBM goes left up to the threshold."""
    columns, types = _array(tree, "split_feature", np.int64), _array(tree, "decision_type", np.int64)
    thresholds = _array(tree, "threshold", np.float64)
    starts, words = _array(tree, "cat_boundaries", np.int64), _array(tree, "cat_threshold", np.uint32)
    looks = np.zeros(inner, dtype=np.int64)
    bounds = np.nextafter(thresholds, np.inf)
    for node in range(inner):
        if types[node] & CATEGORICAL:
            start, stop = starts[int(thresholds[node]) :][:2]
            members = _bits(words[start:stop])
            looks[node], bounds[node] = growing.look(Look(int(columns[node]), 1.0, TINY, members=members)), 0.5
        else:
            looks[node] = growing.look(_number(int(columns[node]), int(types[node])))
    return looks, bounds


def _number(column: int, kind: int) -> Look:
    missing, side = kind >> 2, -np.inf if kind & DEFAULT_LEFT else np.inf
    if missing == NAN:
        return Look(column, side, TINY)
    return Look(column, side, TINY, side) if missing == ZERO else Look(column, 0.0, TINY)


def _bits(words: NDArray[np.uint32]) -> tuple[int, ...]:
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return tuple(np.trim_zeros(bits, "b").tolist())


def _array(tree: dict[str, str], name: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.array(tree.get(name, "").split(), dtype=kind)
