"""A small model of what the champion gets wrong: a cautious linear step, then shallow trees."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

Numbers = NDArray[np.float64]
_PRIOR = 10.0  # ridge: a coefficient of 1 / sqrt(10) of a residual's standard deviation is one prior deviation
_STEPS = 3
_TREES = {"max_depth": 3, "eta": 0.1, "lambda": 5.0, "min_child_weight": 5.0, "subsample": 0.8, "nthread": 1}
_ROUNDS = 30


def correction(
    learned: tuple[Numbers, Numbers, Numbers],
    asked: tuple[Numbers, Numbers],
    *,
    task: str,
    seed: int,
) -> tuple[Numbers, Numbers]:
    """
    Move scores by what other rows show.

    Args:
        learned: Matrix of shape (n, k), scores and labels of the rows to learn from.
        asked: Matrix of shape (m, k) and scores of the rows to correct.
        task: binary or regression.
        seed: Of the trees' sampling.

    Returns:
        By how much to move the margin (the log odds, or the score), shape (2, m): in a line, and by
        trees after that; and how much each column was used, shape (k,).
    """
    values, scores, labels = learned
    unit = 1.0 if task == "binary" else max(float((labels - scores).std()), 1e-12)
    margin = margin_of(scores, task) / unit
    step = _linear(values, margin, labels / unit, task)
    start, moved = margin + _with(values) @ step, _with(asked[0]) @ step
    by_trees, used = _trees(
        (values, start, labels / unit), (asked[0], margin_of(asked[1], task) / unit + moved), task, seed
    )
    return np.stack([moved, by_trees]) * unit, values.var(axis=0) * step[1:] ** 2 + used


def cautious(moves: Numbers, margins: Numbers, labels: Numbers, task: str) -> float:
    """
    Share of the moves, 0 to 1, that fits the labels best: 0 where they are noise.

    Args:
        moves, margins, labels: Shape (n,); the moves must not have been learned from these labels.
    """
    told = special.expit(margins) if task == "binary" else margins
    weight = told * (1 - told) if task == "binary" else np.ones(len(told))
    size = float(moves**2 @ weight)
    return float(np.clip(moves @ (labels - told) / size, 0, 1)) if size > 0 else 0.0


def scores_of(margins: Numbers, task: str) -> Numbers:
    """Back from margins to scores."""
    return special.expit(margins) if task == "binary" else margins


def margin_of(scores: Numbers, task: str) -> Numbers:
    """Log odds of a probability, cut at 1 in 10,000; a number as it is."""
    return special.logit(np.clip(scores, 1e-4, 1 - 1e-4)) if task == "binary" else scores


def _with(values: Numbers) -> Numbers:
    return np.column_stack([np.ones(len(values)), values])


def _linear(values: Numbers, margin: Numbers, labels: Numbers, task: str) -> Numbers:
    """Newton steps of a ridge regression with the champion's margin as offset."""
    design = _with(values)
    prior = np.diag(np.r_[1.0, np.full(values.shape[1], _PRIOR)])
    step = np.zeros(design.shape[1])
    for _ in range(_STEPS if task == "binary" else 1):
        now = margin + design @ step
        told = special.expit(now) if task == "binary" else now
        weight = np.maximum(told * (1 - told), 1e-4) if task == "binary" else np.ones(len(now))
        curve = (design * weight[:, None]).T @ design + prior
        step = step + np.linalg.solve(curve, design.T @ (labels - told) - prior @ step)
    return step


def _trees(
    learned: tuple[Numbers, Numbers, Numbers], asked: tuple[Numbers, Numbers], task: str, seed: int
) -> tuple[Numbers, Numbers]:
    import xgboost

    values, margin, labels = learned
    if values.shape[1] == 0:
        return np.zeros(len(asked[1])), np.zeros(0)
    objective = "binary:logistic" if task == "binary" else "reg:squarederror"
    told = xgboost.DMatrix(values, label=labels, base_margin=margin)
    booster = xgboost.train({**_TREES, "objective": objective, "seed": seed, "base_score": 0.5}, told, _ROUNDS)
    answer = booster.predict(xgboost.DMatrix(asked[0], base_margin=asked[1]), output_margin=True)
    return answer.astype(np.float64) - asked[1], _used(booster, values.shape[1], margin)


def _used(booster: object, columns: int, margin: Numbers) -> Numbers:
    """Gain of the splits on each column, in units of the linear step's variance."""
    gains: dict[str, float] = booster.get_score(importance_type="total_gain")  # type: ignore[attr-defined]
    used = np.zeros(columns)
    for name, gain in gains.items():
        used[int(name[1:])] = gain / max(len(margin), 1)
    return used
