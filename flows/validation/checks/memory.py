"""Is it small enough?"""

from flows.validation.exam import Exam
from flows.validation.report import Check


def memory(exam: Exam) -> list[Check]:
    """Compare the worker with itself, before it loaded the version: libraries that only this one needs count."""
    added, bound = exam.router.memory() - exam.before_mb, exam.rules.memory_mb
    said = (
        f"It adds {added:.0f} MB (bound {bound:g} MB) of resident memory to a router worker of"
        f" {exam.before_mb:.0f} MB, after it has answered."
    )
    return [Check(name="memory", passed=added <= bound, value=round(added, 1), bound=bound, said=said)]


def hog(mb: float, bound: float) -> Check:
    """Say of a version that was stopped on the way that it is too large."""
    said = f"It was stopped when it had added {mb:.0f} MB (bound {bound:g} MB) to a router worker."
    return Check(name="memory", passed=False, value=round(mb, 1), bound=bound, said=said)
