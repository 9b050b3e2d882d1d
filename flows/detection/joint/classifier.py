"""
Whether a classifier can tell the window's rows from the reference's.

It sees ranks within each side, levels that are weighted to the same shares, and missing values
that are equally frequent: so what it finds is dependence between columns, of any shape. Ranks
are taken within each fold: taken over both, what one fold has too much of a value the other
has too little, and the AUC without drift would lie below 0.5.

Sources:
    Lopez-Paz and Oquab (2017), classifier two-sample tests. Permutation p-value with +1:
    Phipson and Smyth (2010). Sequential stopping: Besag and Clifford (1991), p = h / l at the
    l-th permutation once h of them are as good.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from flows.detection.joint.encoding import MISSING, Encoded, Floats, Ints, JointColumn
from flows.detection.joint.scores import ranks
from registry.records.base import Record

if TYPE_CHECKING:
    import xgboost

Bools = NDArray[np.bool_]

_ROUNDS = 20
_BINS = 16
_ENOUGH_LOST = 5  # permutations as good as the truth after which no more are needed
_SETTINGS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.3,
    "max_bin": _BINS,
    "subsample": 0.7,
    "min_child_weight": 5,
    "nthread": 1,
    "verbosity": 0,
    "seed": 0,
}
_SHOWN = 10
_WIDEST = 100


class Told(Record, frozen=True, kw_only=True):
    """
    How well the sides were told apart.

    Attributes:
        auc: On rows held out, mean of both folds; 0.5 is not at all.
        p_value: By permutation; permutations: refits that were made.
        held_out_p: Of the same AUC, from the ranks of the held-out rows (Mann-Whitney, no
            ties assumed, folds taken as fully dependent: never too small). It reaches below
            what a few permutations can show.
        features: Columns and their share of the gain, largest first.
        rows: Per side: reference, window; columns: That it saw.
    """

    auc: float
    p_value: float
    permutations: int
    held_out_p: float
    features: tuple[tuple[str, float], ...]
    rows: tuple[int, int]
    columns: int


class Task:
    """Rows of both sides in two folds, each for training once; labels come and go."""

    def __init__(self, rows: Floats, weights: Floats, half: Bools) -> None:
        import xgboost as xgb

        self._halves = (np.flatnonzero(half), np.flatnonzero(~half))
        self._weights = weights
        self._train = [
            xgb.QuantileDMatrix(rows[part], weight=weights[part], max_bin=_BINS, nthread=1) for part in self._halves
        ]
        self._test = [xgb.DMatrix(rows[part], nthread=1) for part in self._halves]

    def fitted(self, labels: Floats) -> tuple[list["xgboost.Booster"], list[float]]:
        """Fit on each half; AUC on the other."""
        boosters, areas = [], []
        for own, other in ((0, 1), (1, 0)):
            booster = self._fit(own, labels)
            there = self._halves[other]
            areas.append(area(booster.predict(self._test[other]), labels[there], self._weights[there]))
            boosters.append(booster)
        return boosters, areas

    def error(self, labels: Floats) -> float:
        """Bound the standard error of the mean AUC without drift."""
        return sum(self._fold_error(labels, part) for part in self._halves) / 2

    def _fit(self, own: int, labels: Floats) -> "xgboost.Booster":
        import xgboost as xgb

        data = self._train[own]
        data.set_label(labels[self._halves[own]])
        return xgb.train(_SETTINGS, data, _ROUNDS)

    def _fold_error(self, labels: Floats, part: Ints) -> float:
        w, y = self._weights[part], labels[part]
        n, m = (float(w[y == one].sum() ** 2 / np.sum(w[y == one] ** 2)) for one in (0, 1))
        return math.sqrt((n + m + 1) / (12 * n * m))


def tell_apart(
    reference: Encoded,
    current: Encoded,
    weights: Floats,
    columns: Sequence[JointColumn],
    size: tuple[int, int],
    seed: int,
) -> Told:
    """
    Cross-fit a small classifier, and refit it with permuted labels.

    Args:
        reference: Rows of the reference.
        current: Rows of the window.
        weights: Of the window's rows, as `raked` makes them.
        columns: What it may see; of more than 100 it sees that many, drawn evenly.
        size: Rows per side, and permutations, at most.
        seed: Of rows drawn, folds, ties and permutations.
    """
    rng = np.random.default_rng([seed, 2])
    columns = [columns[place] for place in np.sort(rng.permutation(len(columns))[:_WIDEST])]
    ours = np.sort(rng.permutation(reference.rows)[: size[0]])
    possible = np.flatnonzero(weights > 0)
    theirs = np.sort(rng.permutation(possible)[: size[0]])
    halves = [rng.permutation(np.arange(side.size) % 2).astype(bool) for side in (ours, theirs)]
    above, below = (
        _Side(reference, ours, np.ones(ours.size), halves[0]),
        _Side(current, theirs, weights[theirs], halves[1]),
    )
    rows = _rows(above, below, columns, rng)
    labels = np.repeat([0.0, 1.0], [ours.size, theirs.size])
    task = Task(rows, np.concatenate([above.weights, below.weights]), np.concatenate(halves))
    boosters, areas = task.fitted(labels)
    auc = float(np.mean(areas))
    p_value, made = _permuted(task, labels, auc, size[1], rng)
    return Told(
        auc=auc,
        p_value=p_value,
        permutations=made,
        held_out_p=float(ndtr(-(auc - 0.5) / task.error(labels))),
        features=_gains(boosters, columns),
        rows=(ours.size, theirs.size),
        columns=len(columns),
    )


def area(scores: Floats, labels: Floats, weights: Floats) -> float:
    """Weighted area under the ROC curve; ties count half; 0.5 with one class only."""
    places = np.unique(scores, return_inverse=True)[1]
    yes, no = np.bincount(places, weights * labels), np.bincount(places, weights * (1 - labels))
    total = float(yes.sum() * no.sum())
    return float(yes @ (np.cumsum(no) - no / 2)) / total if total > 0 else 0.5


def _permuted(task: Task, labels: Floats, auc: float, most: int, rng: np.random.Generator) -> tuple[float, int]:
    as_good = 0
    for made in range(1, most + 1):
        _, areas = task.fitted(rng.permutation(labels))
        as_good += float(np.mean(areas)) >= auc
        if as_good == _ENOUGH_LOST:
            return as_good / made, made
    return (1 + as_good) / (1 + most), most


class _Side(NamedTuple):
    """Rows drawn of one side: their places, weights, and which fold they are in."""

    rows: Encoded
    drawn: Ints
    weights: Floats
    half: Bools


def _rows(ours: _Side, theirs: _Side, columns: Sequence[JointColumn], rng: np.random.Generator) -> Floats:
    """Both sides below each other, each with ranks of its own."""
    made = []
    for one in columns:
        above, below = _column(ours, one, rng), _column(theirs, one, rng)
        _equally_missing(above, below, rng)
        made.append(np.concatenate([above, below]))
    return np.column_stack(made)


def _column(side: _Side, column: JointColumn, rng: np.random.Generator) -> Floats:
    if column.levels is not None:
        codes = side.rows.codes[column.name][side.drawn]
        return np.where(codes == MISSING, np.nan, codes.astype(np.float64))
    values = side.rows.numbers[column.name][side.drawn]
    for fold in (side.half, ~side.half):
        values[fold] = ranks(values[fold], side.weights[fold], rng)
    return values


def _equally_missing(ours: Floats, theirs: Floats, rng: np.random.Generator) -> None:
    """Hide values at random where fewer are missing: how many are is the column's own drift."""
    gaps = [float(np.isnan(side).mean()) for side in (ours, theirs)]
    fuller = ours if gaps[0] < gaps[1] else theirs
    there = np.flatnonzero(~np.isnan(fuller))
    hidden = round(abs(gaps[0] - gaps[1]) * fuller.size)
    fuller[rng.permutation(there)[:hidden]] = np.nan


def _gains(boosters: Sequence["xgboost.Booster"], columns: Sequence[JointColumn]) -> tuple[tuple[str, float], ...]:
    total = np.zeros(len(columns))
    for booster in boosters:
        for name, gain in booster.get_score(importance_type="total_gain").items():
            total[int(name[1:])] += float(np.asarray(gain).item())
    shares = total / total.sum() if total.sum() > 0 else total
    order = np.argsort(-shares, kind="stable")[:_SHOWN]
    return tuple((columns[i].name, float(shares[i])) for i in order if shares[i] > 0)
