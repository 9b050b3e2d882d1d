"""The rollout as a pure machine: state and evidence in, one move out."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from registry.assignment import TOTAL
from registry.records.rollout import Rollout, Step
from registry.records.verdict import Decision

Kind = Literal["none", "hold", "start", "wait", "resume", "advance", "promote", "roll_back"]
_ACTIVE = ("waiting_approval", "running", "paused")


class Evidence(NamedTuple):
    """
    How much the challenger has been seen in the step's phase.

    Attributes:
        seen: Requests dealt to it, or copies it scored as a shadow.
        labelled: Of these, those whose label is known.
    """

    seen: int = 0
    labelled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """
    What a rollout does next, and why.

    Attributes:
        kind: "none": there is no rollout; "hold": stay; "start": first step; "wait":
            ask people; "resume": they agreed; "advance": next step; "promote": the
            challenger becomes champion; "roll_back": it is taken off.
        step: The step after the move.
        said: One sentence with the numbers.
        decision: The comparison it rests on, if any.
    """

    kind: Kind
    step: int
    said: str
    decision: Decision | None = None

    @property
    def moves(self) -> bool:
        """Whether anything changes."""
        return self.kind not in ("none", "hold")


def next_move(
    rollout: Rollout,
    decision: Decision | None,
    now: datetime,
    *,
    evidence: Evidence = Evidence(),  # noqa: B008  immutable
    approved: bool = False,
) -> Move:
    """
    Decide the one next move of *rollout*.

    A challenger that is significantly worse is taken off from any state. Otherwise a
    step is left only after its shortest stay, with enough data and a verdict in favour;
    an inconclusive one is left after its longest stay, as its `on_timeout` says. A sample
    ratio mismatch ("invalid") and numbers that are not finite block every step forward,
    never the way back. At a share of 1 nobody is left to compare with: the step only
    bakes.

    Args:
        rollout: As stored.
        decision: Comparison in the current step's phase; None if there is no data.
        now: On the model's clock.
        evidence: Counts behind the decision.
        approved: The people who must agree have agreed.
    """
    if rollout.status not in _ACTIVE:
        return _hold(rollout, f"the rollout is over: {rollout.status}")
    if decision is not None and decision.outcome == "reject":
        return Move(kind="roll_back", step=rollout.step, said=decision.headline, decision=decision)
    if rollout.status == "paused":
        return _hold(rollout, "it is paused")
    if rollout.status == "waiting_approval":
        return _at_the_gate(rollout, approved)
    if rollout.step < 0:
        return _start(rollout, approved)
    return _in_a_step(rollout, decision, now, evidence, approved)


def share_text(step: Step) -> str:
    """Say a step as people say it.

    Example:
        >>> share_text(Step(share=100_000, min_s=0, max_s=0))
        '10 % of callers'
    """
    return "shadow" if step.share == 0 else f"{step.share / TOTAL * 100:g} % of callers"


def _start(rollout: Rollout, approved: bool) -> Move:
    first = rollout.steps[0]
    if first.share > 0 and rollout.policy.require_approval and not approved:
        return Move(kind="wait", step=-1, said="people must agree before the first caller is answered")
    return Move(kind="start", step=0, said=f"starts with {share_text(first)}")


def _at_the_gate(rollout: Rollout, approved: bool) -> Move:
    if not approved:
        return _hold(rollout, "it waits for approval by ml_lead and business_owner")
    if rollout.step < 0:
        return Move(kind="start", step=0, said=f"approved; starts with {share_text(rollout.steps[0])}")
    return Move(kind="resume", step=rollout.step, said="approved; goes on where it was")


def _in_a_step(rollout: Rollout, decision: Decision | None, now: datetime, evidence: Evidence, approved: bool) -> Move:
    step, stayed = rollout.steps[rollout.step], (now - rollout.step_started_at).total_seconds()
    if stayed < step.min_s:
        return _hold(rollout, f"{stayed:.0f} of at least {step.min_s:.0f} s have passed", decision)
    blocked = _blocked(decision, evidence, step)
    verdict = "promote" if step.share == TOTAL else decision.outcome if decision else "continue"
    if not blocked and verdict == "promote":
        return _forward(rollout, decision, approved, f"{share_text(step)} succeeded")
    if not blocked and verdict == "needs_approval":
        return _forward(rollout, decision, approved, "it is better, but by less than required", people=True)
    if stayed >= step.max_s:
        return _timed_out(rollout, step, decision, blocked, approved)
    return _hold(rollout, blocked or f"inconclusive so far: {_headline(decision)}", decision)


def _timed_out(rollout: Rollout, step: Step, decision: Decision | None, blocked: str, approved: bool) -> Move:
    why = f"{step.max_s:.0f} s have passed without a verdict ({blocked or _headline(decision)})"
    if step.on_timeout == "roll_back":
        return Move(kind="roll_back", step=rollout.step, said=why, decision=decision)
    if step.on_timeout == "advance" and not blocked:
        return _forward(rollout, decision, approved, why)
    return _hold(rollout, why, decision)


def _forward(rollout: Rollout, decision: Decision | None, approved: bool, why: str, *, people: bool = False) -> Move:
    following = rollout.step + 1
    last = following == len(rollout.steps)
    asks = people or (rollout.policy.require_approval and (last or rollout.steps[following].share > 0))
    if asks and not approved:
        said = f"{why}; people must agree before it goes on"
        return Move(kind="wait", step=rollout.step, said=said, decision=decision)
    if last:
        return Move(kind="promote", step=rollout.step, said=why, decision=decision)
    said = f"{why}; goes on with {share_text(rollout.steps[following])}"
    return Move(kind="advance", step=following, said=said, decision=decision)


def _blocked(decision: Decision | None, evidence: Evidence, step: Step) -> str:
    """Why no verdict could count, or nothing."""
    if evidence.seen < 1:
        return "the challenger has not been seen yet"
    if evidence.labelled < step.min_labelled:
        return f"{evidence.labelled} of at least {step.min_labelled} labelled requests"
    if decision is not None and decision.outcome == "invalid":
        return decision.headline
    if step.share == TOTAL:
        return ""
    if decision is None:
        return "there is no comparison"
    return "" if _finite(decision) else "a number of the comparison is not finite"


def _finite(decision: Decision) -> bool:
    numbers = [n for f in decision.findings for n in (f.estimate, f.low, f.high, f.p_value) if n is not None]
    return all(not math.isnan(number) for number in numbers)


def _headline(decision: Decision | None) -> str:
    return decision.headline if decision else "no comparison"


def _hold(rollout: Rollout, said: str, decision: Decision | None = None) -> Move:
    return Move(kind="hold", step=rollout.step, said=said, decision=decision)
