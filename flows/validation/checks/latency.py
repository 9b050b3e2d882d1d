"""Is it quick enough?"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flows.validation.asking import Caller, Failed
from flows.validation.exam import Exam, Row
from flows.validation.report import Check

ROUNDS, PATIENCE = 3, 8
"""
A machine that trains beside it is noisy: the best round counts, and one good round is enough. There are more
rounds while the machine is so busy that even a trivial version needs half of the budget, or while most
answers take less than a quarter of it and a few are late: those may have met something else that runs.
"""
PAUSE_S = 0.5
ALONE, CALLERS, EACH = 200, 4, 25
ENOUGH, ENOUGH_MS = 20, 1000.0  # requests, or milliseconds, of which a round that must fail tells a median
_WARM = 10


def latency(exam: Exam) -> list[Check]:
    """Ask single rows, one after the other and from four callers at once; 99 of 100 must be within the budget."""
    try:
        _ask(exam, _WARM, math.inf)
        return [_judged(exam)]
    except Failed as failed:
        return [Check(name="latency", passed=False, said=f"A row was not answered: {failed}.")]


def _judged(exam: Exam) -> Check:
    bound, rounds, trivial = exam.rules.latency_ms, 0, 0.0
    best = Round(math.inf, math.inf, 0)
    while best.p99 > bound and (rounds < ROUNDS or (_noisy(best, trivial, bound) and rounds < PATIENCE)):
        time.sleep(exam.deadline.left(PAUSE_S * rounds) if rounds else 0.0)
        rounds += 1
        best = best.or_better(_round(exam, bound))
        trivial = _trivial(exam) if best.p99 > bound else 0.0
    said = (
        f"p99 is {best.p99:.3g} ms (bound {bound:g} ms) of single rows, one after the other and from {CALLERS} callers;"
        f" {best.asked} requests, best of {rounds} round{'s' if rounds > 1 else ''}."
    )
    return _verdict(best, bound, trivial, said)


def _noisy(best: "Round", trivial: float, bound: float) -> bool:
    """Whether the machine may be what is slow: it is so for a trivial version, or most answers came soon enough."""
    return trivial > bound / 2 or best.median <= bound / 4


def _verdict(best: "Round", bound: float, trivial: float, said: str) -> Check:
    """By p99; by the median where p99 tells of the machine only, as a trivial version takes half the budget, too."""
    if best.p99 <= bound:
        return Check(name="latency", passed=True, value=round(best.p99, 4), bound=bound, said=said)
    said += f" A trivial version takes {trivial:.3g} ms here at the same time."
    if trivial <= bound / 2:
        return Check(name="latency", passed=False, value=round(best.p99, 4), bound=bound, said=said)
    said += f" The machine is too busy to judge by p99, so the median counts: {best.median:.3g} ms."
    return Check(name="latency", passed=best.median <= bound, value=round(best.median, 4), bound=bound, said=said)


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds, and how many requests they are of."""

    p99: float
    median: float
    asked: int

    def or_better(self, other: "Round") -> "Round":
        """Take the best of each, and count all."""
        return Round(min(self.p99, other.p99), min(self.median, other.median), self.asked + other.asked)


def _round(exam: Exam, bound: float) -> Round:
    """Ask one after the other, then together; cut short once p99 must lie above *bound*."""
    alone = _ask(exam, ALONE, bound)
    if percentile(alone) > bound:
        return Round(percentile(alone), percentile(alone, 0.5), len(alone))
    with ThreadPoolExecutor(CALLERS) as pool:
        parts = list(pool.map(lambda start: _ask(exam, EACH, math.inf, start), range(CALLERS)))
    together = [spent for part in parts for spent in part]
    p99 = max(percentile(alone), percentile(together))
    return Round(p99, percentile(alone, 0.5), len(alone) + len(together))


def _ask(exam: Exam, count: int, bound: float, start: int = 0) -> list[float]:
    """Milliseconds of each request; ends once more than 1 % lie above *bound* and the median is known."""
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
        if slow > allowed and (len(spent) >= ENOUGH or sum(spent) > ENOUGH_MS):
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
