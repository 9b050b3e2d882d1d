"""What a step comes to so far: successful, failed, inconclusive, or nothing that could be computed."""

import math
from typing import NamedTuple

from registry.assignment import TOTAL
from registry.records.rollout import Outcome, Rollout, Step
from registry.records.verdict import Decision


class Evidence(NamedTuple):
    """
    How much the challenger has been seen in the step.

    Attributes:
        seen: Requests dealt to it, or copies it scored as a shadow.
        labelled: Of these, those whose label is known.
        finite: Whether all that was summed up over them is a number.
    """

    seen: int = 0
    labelled: int = 0
    finite: bool = True


NOTHING = Evidence()


class Judged(NamedTuple):
    """
    What a step comes to.

    Attributes:
        outcome: None before the first step.
        said: Why, with the numbers.
        decision: The comparison it rests on.
        short: It is inconclusive for want of labels alone.
        doubtful: It is better, but by so little that people decide.
    """

    outcome: Outcome | None = None
    said: str = ""
    decision: Decision | None = None
    short: bool = False
    doubtful: bool = False


def judged(rollout: Rollout, decision: Decision | None, evidence: Evidence, trouble: str = "") -> Judged:
    """
    Judge the step under way.

    Harm is "failed", however little there is of anything else. Nothing seen, no label although labels are needed, a
    mismatch of the split, or a number that is not finite is "error".

    Args:
        rollout: In one of its steps.
        decision: Comparison in the step; None if there is no data.
        evidence: Counts behind it.
        trouble: Why nothing could be seen, if nothing could.
    """
    step = rollout.steps[rollout.step]
    if decision is not None and decision.outcome == "reject":
        return Judged("failed", decision.headline, decision)
    wrong = trouble or _wrong(decision, evidence, step)
    if wrong:
        return Judged("error", wrong, decision)
    if evidence.labelled < step.min_labelled:
        said = f"{evidence.labelled} of at least {step.min_labelled} labelled requests"
        return Judged("inconclusive", said, decision, short=True)
    if step.share == TOTAL:
        said = f"{evidence.seen} requests, {evidence.labelled} of them labelled; nobody is left to compare with"
        return Judged("successful", said, decision)
    return _by_the_verdict(decision)


def _by_the_verdict(decision: Decision | None) -> Judged:
    if decision is None:
        return Judged("error", "there is no comparison")
    if decision.outcome in ("promote", "needs_approval"):
        return Judged("successful", decision.headline, decision, doubtful=decision.outcome == "needs_approval")
    return Judged("inconclusive", decision.headline, decision)


def _wrong(decision: Decision | None, evidence: Evidence, step: Step) -> str:
    """Why no verdict could count, or nothing."""
    if evidence.seen < 1:
        return "the challenger has not been seen yet"
    if not evidence.finite:
        return "a number that the router counted is not finite"
    if evidence.labelled < 1 <= step.min_labelled:
        return f"none of {evidence.seen} requests has a label yet"
    if decision is not None and decision.outcome == "invalid":
        return decision.headline
    if step.share == TOTAL:
        return ""
    if decision is None:
        return "there is no comparison"
    return "" if _finite(decision) else "a number of the comparison is not finite"


def _finite(decision: Decision) -> bool:
    numbers = [n for f in decision.findings for n in (f.estimate, f.low, f.high, f.p_value) if n is not None]
    return all(math.isfinite(number) for number in numbers)
