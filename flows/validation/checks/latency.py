"""Is it quick enough?"""

import math
import time
from concurrent.futures import ThreadPoolExecutor

from flows.validation.asking import Caller, Failed
from flows.validation.exam import Exam, Row
from flows.validation.report import Check

ROUNDS, PATIENCE = 3, 8
"""
A machine that trains beside it is noisy: the best round counts, and one good round is enough. There are more
rounds while the machine is so busy that even a trivial version needs half of the budget.
"""
PAUSE_S = 0.5
ALONE, CALLERS, EACH = 200, 4, 25
_WARM = 10


def latency(exam: Exam) -> list[Check]:
    """Ask single rows, one after the other and from four callers at once; 99 of 100 must be within the budget."""
    try:
        _ask(exam, _WARM, math.inf)
        return [_judged(exam)]
    except Failed as failed:
        return [Check(name="latency", passed=False, said=f"A row was not answered: {failed}.")]


def _judged(exam: Exam) -> Check:
    bound, best, rounds, asked, trivial = exam.rules.latency_ms, math.inf, 0, 0, 0.0
    while best > bound and (rounds < ROUNDS or (trivial > bound / 2 and rounds < PATIENCE)):
        time.sleep(exam.deadline.left(PAUSE_S * rounds) if rounds else 0.0)
        rounds += 1
        found, count = _round(exam, bound)
        best, asked = min(best, found), asked + count
        trivial = _trivial(exam) if found > bound else 0.0
    said = (
        f"p99 is {best:.3g} ms (bound {bound:g} ms) of single rows, one after the other and from {CALLERS} callers;"
        f" {asked} requests, best of {rounds} round{'s' if rounds > 1 else ''}."
    )
    if best > bound:
        said += f" A trivial version takes {trivial:.3g} ms here at the same time."
    return Check(name="latency", passed=best <= bound, value=round(best, 4), bound=bound, said=said)


def _round(exam: Exam, bound: float) -> tuple[float, int]:
    """The larger of both p99, and how many were asked; cut short once it must lie above *bound*."""
    alone = _ask(exam, ALONE, bound)
    if percentile(alone) > bound:
        return percentile(alone), len(alone)
    with ThreadPoolExecutor(CALLERS) as pool:
        parts = list(pool.map(lambda start: _ask(exam, EACH, math.inf, start), range(CALLERS)))
    together = [spent for part in parts for spent in part]
    return max(percentile(alone), percentile(together)), len(alone) + len(together)


def _ask(exam: Exam, count: int, bound: float, start: int = 0) -> list[float]:
    """Milliseconds of each request; ends as soon as more than 1 % lie above *bound*."""
    with exam.another_caller() as caller:
        return _timed(caller, [exam.rows[i % len(exam.rows)] for i in range(start, start + count)], bound)


def _trivial(exam: Exam) -> float:
    """p99 of the version that the router began with: what the machine itself takes."""
    with Caller(exam.router, exam.trivial, exam.deadline) as caller:
        return percentile(_timed(caller, [{"x": 1.0}] * ALONE, math.inf))


def _timed(caller: Caller, rows: list[Row], bound: float) -> list[float]:
    spent: list[float] = []
    slow, allowed = 0, len(rows) // 100
    for row in rows:
        spent.append(caller.one(row)[1])
        slow += spent[-1] > bound
        if slow > allowed:
            break
    return spent


def percentile(spent: list[float], share: float = 0.99) -> float:
    """
    Smallest value that at least *share* of the values do not exceed.

    Example:
        >>> percentile([float(i) for i in range(1, 201)])
        198.0
    """
    return sorted(spent)[math.ceil(share * len(spent)) - 1]
