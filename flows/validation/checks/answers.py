"""Does it answer, and does it say what the fitted pipeline says?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.validation.asking import Failed
from flows.validation.exam import Exam
from flows.validation.report import Check

PROBABILITY, RELATIVE = 1e-4, 1e-5
"""A probability may differ by so much, a value by so much of itself; the same when the files are made."""
_BATCH = 100
_ALONE = 20


def answers(exam: Exam) -> list[Check]:
    """Ask all rows in batches and some alone; look at every score, and compare it with what is expected."""
    caller = exam.another_caller()
    with caller:
        try:
            said = [a for i in range(0, len(exam.rows), _BATCH) for a in caller.ask(exam.rows[i : i + _BATCH])]
            alone = [caller.one(row)[0] for row in exam.rows[:_ALONE]]
        except Failed as failed:
            return [Check(name="answers", passed=False, said=f"Holdout rows were not answered: {failed}.")]
    scores = np.array([answer["score"] for answer in said], dtype=np.float64)
    check = _usable(exam, scores)
    if not check.passed:
        return [check]
    lonely = np.array([answer["score"] for answer in alone], dtype=np.float64)
    return [check, _neighbours(exam, scores[: len(lonely)], lonely), _parity(exam, _shaped(exam, said, scores))]


def router_scores(exam: Exam, rows: list[dict[str, Any]]) -> NDArray[np.float64]:
    """Scores of any rows; raises like `Caller.ask`."""
    with exam.another_caller() as caller:
        said = [a for i in range(0, len(rows), _BATCH) for a in caller.ask(rows[i : i + _BATCH])]
    return _shaped(exam, said, np.array([answer["score"] for answer in said], dtype=np.float64))


def largest_difference(exam: Exam, expected: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float]:
    """
    How far two arrays of scores are apart, and how far they may be.

    Probabilities are held against each other as they are; values relative to their size, where one near zero
    counts as the mean absolute value.
    """
    difference = np.abs(found - expected)
    if exam.version.task != "regression":
        return float(np.max(difference)), PROBABILITY
    size = np.maximum(np.abs(expected), np.mean(np.abs(expected)))
    return float(np.max(difference / np.where(size > 0, size, 1.0))), RELATIVE


def _usable(exam: Exam, scores: NDArray[np.float64]) -> Check:
    wrong = ~np.isfinite(scores)
    if exam.version.task != "regression":
        wrong |= (scores < 0) | (scores > 1)
    count, first = int(wrong.sum()), int(np.argmax(wrong))
    said = f"{len(scores)} holdout rows were answered."
    if count:
        expected = "a finite number" if exam.version.task == "regression" else "a probability between 0 and 1"
        said = f"It says {scores[first]} of holdout row {first}, expected {expected}; {count} of {len(scores)} are so."
    return Check(name="answers", passed=not count, value=float(count), bound=0.0, said=said)


def _neighbours(exam: Exam, batched: NDArray[np.float64], alone: NDArray[np.float64]) -> Check:
    largest, bound = largest_difference(exam, batched, alone)
    said = f"{len(alone)} rows asked alone and in a batch differ by at most {largest:.2g} (bound {bound:g})."
    return Check(name="same alone", passed=largest <= bound, value=largest, bound=bound, said=said)


def _parity(exam: Exam, scores: NDArray[np.float64]) -> Check:
    expected = exam.asked.expected
    if expected is None:
        return Check(name="parity", passed=True, said="Not judged: nobody told what the pipeline says of these rows.")
    if not np.isfinite(expected).all() or expected.shape != scores.shape:
        said = f"The expected scores are no finite numbers of the shape {scores.shape}: theirs is {expected.shape}."
        return Check(name="parity", passed=False, said=said)
    largest, bound = largest_difference(exam, expected, scores)
    worst = int(np.argmax(np.abs(scores - expected).reshape(len(scores), -1).max(axis=1)))
    unit = " relative" if exam.version.task == "regression" else ""
    said = (
        f"Router and pipeline differ by at most {largest:.2g}{unit} (bound {bound:g}) on {len(scores)} rows,"
        f" most in row {worst}."
    )
    return Check(name="parity", passed=largest <= bound, value=largest, bound=bound, said=said)


def _shaped(exam: Exam, said: list[dict[str, Any]], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """All probabilities in the order of the classes where there are several, shape (n, k); else the scores."""
    expected, classes = exam.asked.expected, exam.version.classes
    if not classes or (expected is not None and expected.ndim == 1):
        return scores
    rows = [answer.get("probabilities") or {} for answer in said]
    return np.array([[row.get(name, np.nan) for name in classes] for row in rows], dtype=np.float64)
