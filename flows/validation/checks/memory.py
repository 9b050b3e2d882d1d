"""Is it small enough?"""

from flows.validation.exam import Exam
from flows.validation.report import Check


def memory(exam: Exam) -> list[Check]:
    """Compare the worker with itself, before it loaded the version: libraries that only this one needs count."""
    exam.watch.look()
    added, bound = exam.watch.peak_mb, exam.rules.memory_mb
    said = (
        f"It added at most {added:.0f} MB (bound {bound:g} MB) of resident memory to a router worker of"
        f" {exam.watch.before_mb:.0f} MB."
    )
    return [Check(name="memory", passed=added <= bound, value=round(added, 1), bound=bound, said=said)]


def stopped(exam: Exam, during: str) -> Check:
    """Say of a version whose router was ended that it is too large."""
    added, bound = exam.watch.peak_mb, exam.rules.memory_mb
    said = f"It was stopped ({during}) when it had added {added:.0f} MB (bound {bound:g} MB) to a router worker."
    return Check(name="memory", passed=False, value=round(added, 1), bound=bound, said=said)
