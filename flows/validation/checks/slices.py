"""Is it much worse than the champion on some kind of rows?"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.aftercare import Slice
from flows.config.slices import slice_rows
from flows.stats.paired.losses import paired_mean
from flows.validation.asking import Failed
from flows.validation.checks.answers import router_scores
from flows.validation.exam import Exam
from flows.validation.holdout import HeldOut
from flows.validation.report import Check
from registry.records.version import Task

ALPHA = 0.05
"""Chance that any slice of a version that is not worse fails it; shared by all slices (Bonferroni)."""
Floats = NDArray[np.float64]


def slices(exam: Exam) -> list[Check]:
    """Judge every configured slice on holdout rows that neither model has learned from."""
    wanted = exam.rules.slices
    if not wanted:
        return []
    fair = exam.holdout.fair()
    why = _why_not(fair)
    if fair.labels is None or fair.champion is None or why:
        return [_unjudged(one, why) for one in wanted]
    try:
        ours = _challenger(exam, fair)
    except Failed as failed:
        return [Check(name="slices", passed=False, said=f"Holdout rows were not answered: {failed}.")]
    losses = losses_of(exam.version.task, fair.labels, fair.champion), losses_of(exam.version.task, fair.labels, ours)
    return [_slice(exam, one, fair.frame, *losses) for one in wanted]


def losses_of(task: Task, labels: Floats, scores: Floats) -> Floats:
    """
    What each row costs, shape (n,): the unit of monitoring.

    Squared error of a probability, absolute error of a value; of several classes 1 where another class than the
    right one is the likeliest, else 0: then scores are probabilities, shape (n, k), or numbers of classes, (n,).
    """
    if task == "regression":
        return np.abs(scores - labels)
    if task == "binary":
        return np.asarray((scores - labels) ** 2)
    likeliest = np.argmax(scores, axis=1) if scores.ndim == 2 else scores
    return np.asarray(likeliest != labels, dtype=np.float64)


def _why_not(fair: HeldOut) -> str:
    """Why no slice can be judged on these rows; empty if some can."""
    if fair.champion is None:
        return "there is no champion to compare with"
    if fair.labels is None:
        return "the labels of these rows are not known"
    return "" if fair.rows else "one of both models has learned from every row that is known"


def _challenger(exam: Exam, fair: HeldOut) -> Floats:
    if fair.challenger is not None:
        return fair.challenger
    return router_scores(exam, exam.as_rows(fair.frame))


def _slice(exam: Exam, one: Slice, frame: pl.DataFrame, champion: Floats, challenger: Floats) -> Check:
    try:
        inside = slice_rows(frame, one.where).to_numpy()
    except ValueError as error:
        return Check(name=f"slice: {one.name}", passed=False, said=f"Its condition `{one.where}` was refused: {error}.")
    n, least = int(inside.sum()), exam.rules.slice_rows
    if n < least:
        return _unjudged(one, f"{n} of {len(inside)} holdout rows are in it, and {least} are needed", n)
    return _compared(exam, one, champion[inside], challenger[inside])


def _compared(exam: Exam, one: Slice, champion: Floats, challenger: Floats) -> Check:
    """Fails only if the loss is above the allowed one by more than chance."""
    margin, confidence = exam.rules.slice_loss, 1 - 2 * ALPHA / len(exam.rules.slices)
    allowed, seen = (1 + margin) * champion, float(np.mean(challenger))
    excess = paired_mean(-challenger, -allowed, confidence=confidence)  # how far it lies above what is allowed
    ours, bound = float(np.mean(champion)), float(np.mean(allowed))
    verdict = "worse than allowed" if excess.low > 0 else "not shown to be worse than allowed"
    said = (
        f"{len(champion)} rows: loss {seen:.4g}, the champion's {ours:.4g}, allowed {bound:.4g} (+{margin:.0%});"
        f" above that by {excess.estimate:+.4g} [{excess.low:+.4g}, {excess.high:+.4g}]"
        f" at {confidence:.1%} confidence: {verdict}."
    )
    return Check(name=f"slice: {one.name}", passed=excess.low <= 0, value=seen, bound=bound, said=said)


def _unjudged(one: Slice, why: str, n: int | None = None) -> Check:
    value = None if n is None else float(n)
    return Check(name=f"slice: {one.name}", passed=True, value=value, said=f"Not judged: {why}.")
