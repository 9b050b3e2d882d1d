"""
How much of the loss a refit would win back, measured on the newest labelled rows.

An error that rises is no reason to retrain if nothing could do better: noisier labels, or
inputs of a harder kind. So a small correction of the champion's scores is fitted on part of the
window and judged on the rest; what it gains there, a refit can gain.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from flows.detection.fusion.correction import cautious, correction, margin_of, scores_of
from flows.detection.fusion.matrix import matrix
from flows.detection.fusion.signals import Signal
from registry.records.base import Record
from registry.records.version import Task

Numbers = NDArray[np.float64]
LEAST_ROWS = 100
MOST_ROWS = 20_000  # newest; more cost seconds and change nothing
FOLDS = 4
_HIDDEN = 0.5
_NAMED = 5


class Recoverable(Record, frozen=True, kw_only=True):
    """
    What a correction of the champion wins back out of sample.

    Attributes:
        rows: Labelled rows that it was measured on.
        share: Gain in shares of the baseline loss; below 0 where there is nothing to learn. None if not known.
        error: Its standard error: over rows, and half of what the correction costs at full strength: noise
            of that size hides about as large a gain.
        doubt: One-sided p-value of no gain (paired t test over rows).
        features: What the correction rests on, most guilty first.
    """

    enough: bool
    said: str
    rows: int
    share: float | None = None
    error: float | None = None
    doubt: float | None = None
    features: tuple[str, ...] = ()

    def metrics(self) -> dict[str, float | None]:
        """What rules may name."""
        return {"recoverable": self.share, "recoverable_p": self.doubt}

    def signal(self) -> Signal | None:
        """What the decision weighs; None without enough data."""
        if self.share is None or self.error is None:
            return None
        return Signal(
            name="recoverable loss",
            kind="concept",
            strength=float(np.clip(self.share, 0, 1)),
            doubt=self.doubt,
            harm=self.share,
            harm_error=self.error,
            features=self.features,
            words=self.said,
        )


def recoverable(
    features: pl.DataFrame,
    scores: Numbers,
    labels: Numbers,
    *,
    task: Task,
    baseline: float | None = None,
    seed: int = 0,
) -> Recoverable:
    """
    Fit a correction on three quarters of the window, judge it on the last, four times over.

    The quarters are runs of rows in time order, so that neighbours that resemble each other gain nothing.

    Args:
        features: One row per labelled row, oldest first.
        scores: Shape (n,): the champion's. labels: Shape (n,): 0 or 1, or numbers.
        task: binary: squared error of the probability; regression: absolute error; multiclass: not measured.
        baseline: Mean loss on the champion's holdout; the window's own corrected loss if not known.
        seed: Of the correction's sampling.

    Source:
        Residual boosting as a test of misfit: Hastie, Tibshirani, Friedman (2009), chapter 10; the loss is
        that of Gama et al. (2014), ACM Computing Surveys 46:44, section 2.1: real drift is what a new model mends.
    """
    if task == "multiclass":
        said = "not for several classes: a correction is fitted to one score per row"
        return Recoverable(enough=False, said=said, rows=int(scores.size))
    known = np.flatnonzero(np.isfinite(scores) & np.isfinite(labels))[-MOST_ROWS:]
    if known.size < LEAST_ROWS:
        said = f"not enough data: {known.size} labelled rows, {LEAST_ROWS} are needed"
        return Recoverable(enough=False, said=said, rows=int(known.size))
    values, owners = matrix(features[known])
    scores, labels = scores[known].astype(np.float64), labels[known].astype(np.float64)
    moved, better, weights = _out_of_fold(values, scores, labels, task, seed)
    before, after = row_loss(scores, labels, task), row_loss(better, labels, task)
    scale = baseline if baseline else max(float(after.mean()), 1e-12)
    cost = float((row_loss(moved, labels, task) - after).mean()) / scale
    return _found((before - after) / scale, _HIDDEN * max(cost, 0.0), _ranked(weights, owners))


def row_loss(scores: Numbers, labels: Numbers, task: Task) -> Numbers:
    """Squared error of the probability, or absolute error; one per row."""
    gap: Numbers = np.abs(scores - labels)
    return gap**2 if task == "binary" else gap


def _out_of_fold(
    values: Numbers, scores: Numbers, labels: Numbers, task: Task, seed: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Scores moved in full, scores moved with caution, and the use of each column."""
    folds = np.array_split(np.arange(scores.size), FOLDS)
    moves, weights = np.empty((2, scores.size)), np.zeros(values.shape[1])
    for held in folds:
        kept = np.setdiff1d(np.arange(scores.size), held, assume_unique=True)
        learned = (values[kept], scores[kept], labels[kept])
        moves[:, held], used = correction(learned, (values[held], scores[held]), task=task, seed=seed)
        weights += used
    margins = margin_of(scores, task)
    tempered = _tempered(moves, margins, labels, task, folds)
    return scores_of(margins + moves.sum(axis=0), task), scores_of(tempered, task), weights


def _tempered(moves: Numbers, margins: Numbers, labels: Numbers, task: Task, folds: list[NDArray[np.int64]]) -> Numbers:
    """Take as much of each fold's moves as did good on the other folds: of the line first, then of the trees."""
    better = margins.copy()
    for held in folds:
        kept = np.setdiff1d(np.arange(margins.size), held, assume_unique=True)
        there = margins[kept].copy()
        for move in moves:
            share = cautious(move[kept], there, labels[kept], task)
            there += share * move[kept]
            better[held] += share * move[held]
    return better


def _found(gain: Numbers, cost: float, features: tuple[str, ...]) -> Recoverable:
    share, error = float(gain.mean()), float(gain.std(ddof=1)) / float(np.sqrt(gain.size))
    doubt = float(special.stdtr(gain.size - 1, -share / error)) if error > 0 else 1.0
    said = f"a refit would win back about {share:.1%} of the loss (p = {doubt:.2g})"
    return Recoverable(
        enough=True,
        said=said if share > 0 else "a refit would win nothing back",
        rows=int(gain.size),
        share=share,
        error=max(float(np.hypot(error, cost)), 1e-9),
        doubt=doubt,
        features=features if share > 0 else (),
    )


def _ranked(weights: Numbers, owners: list[str]) -> tuple[str, ...]:
    total: dict[str, float] = {}
    for owner, weight in zip(owners, weights, strict=True):
        total[owner] = total.get(owner, 0.0) + float(weight)
    return tuple(sorted((n for n in total if total[n] > 0), key=lambda name: (-total[name], name))[:_NAMED])
