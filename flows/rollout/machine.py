"""The rollout as a pure machine: state and evidence in, one move out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from flows.rollout.judging import NOTHING, Evidence, Judged, judged
from registry.approval import asks_people
from registry.assignment import TOTAL
from registry.records.rollout import Outcome, Question, Rollout, Step
from registry.records.verdict import Decision

__all__ = ["Evidence", "Look", "Move", "expires_at", "next_move", "share_now", "share_text"]

Kind = Literal["none", "hold", "start", "wait", "advance", "weigh", "promote", "roll_back", "abort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """
    What a rollout does next, and why.

    Attributes:
        kind: "none": there is no rollout; "hold": stay; "start": first step; "wait":
            ask people; "advance": next step; "weigh": another weight of the same step; "promote": the
            challenger becomes champion; "roll_back": it is taken off; "abort": people did not answer in
            time.
        step: The step after the move.
        said: One sentence with the numbers.
        decision: The comparison it rests on, if any.
        outcome: What the step under way comes to; None where there is none.
        question: What people are asked, by "wait".
        weight: Parts per million, by "weigh"; turn: its number.
        overdue: It stays beyond the step's longest stay, for want of data to judge by.
    """

    kind: Kind
    step: int
    said: str
    decision: Decision | None = None
    outcome: Outcome | None = None
    question: Question | None = None
    weight: int | None = None
    turn: int = 0
    overdue: bool = False

    @property
    def moves(self) -> bool:
        """Whether anything changes."""
        return self.kind not in ("none", "hold")


class Weight(NamedTuple):
    """The weight that is due in a step whose weight moves."""

    share: int
    turn: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    What one look at a rollout saw.

    Attributes:
        now: On the model's clock.
        baked_s: Seconds of the step's stay that were watched.
        decision: Comparison in the current step; None if there is no data.
        evidence: Counts behind the decision.
        trouble: Why nothing could be seen; empty if something could.
        approved: The people who must agree have agreed to what they are asked.
        outdated: What they are asked about has changed since.
        behind: The clock stands before an earlier look.
        weight: The weight that is due; None if none is.
    """

    now: datetime
    baked_s: float
    decision: Decision | None = None
    evidence: Evidence = NOTHING
    trouble: str = ""
    approved: bool = False
    outdated: bool = False
    behind: bool = False
    weight: Weight | None = None


def next_move(rollout: Rollout, look: Look) -> Move:
    """
    Decide the one next move of *rollout*.

    A challenger that is significantly worse is taken off from any state. Otherwise a step is left only after its
    shortest stay, with enough data and a verdict in favour; an inconclusive one is left after its longest stay, as
    its `on_timeout` says. Without data, with numbers that are not finite or a split that did not deal as planned
    ("error") nothing goes forward, whoever agrees. At a share of 1 nobody is left to compare with: the step only
    bakes. People are asked once, before the first caller is answered; and about a verdict that is not clear.

    Args:
        rollout: As stored.
        look: What was seen.
    """
    if not rollout.active:
        return Move(kind="hold", step=rollout.step, said=f"the rollout is over: {rollout.status}")
    seen = judged(rollout, look.decision, look.evidence, look.trouble) if rollout.step >= 0 else Judged()
    if seen.outcome == "failed":
        return _move("roll_back", rollout, seen, seen.said)
    if rollout.status == "paused":
        return _move("hold", rollout, seen, "it is paused")
    if rollout.status == "waiting_approval":
        return _at_the_gate(rollout, look, seen)
    if look.behind:
        return _move("hold", rollout, seen, "the clock stands before the last look; nothing moves until it has passed")
    if rollout.step < 0:
        return _start(rollout)
    return _in_a_step(rollout, look, seen)


def share_text(step: Step) -> str:
    """Say a step as people say it.

    Example:
        >>> share_text(Step(share=100_000, min_s=0, max_s=0))
        '10 % of callers'
    """
    return _callers(step.share)


def share_now(rollout: Rollout) -> str:
    """Say what the step under way gives; where its weight moves, what it has moved to."""
    return _callers(rollout.steps[rollout.step].share if rollout.weight is None else rollout.weight)


def _callers(share: int) -> str:
    return "shadow" if share == 0 else f"{share / TOTAL * 100:.4g} % of callers"


def expires_at(rollout: Rollout) -> datetime | None:
    """When the question that people are asked ends the rollout; None if it never does, or nothing is asked."""
    if rollout.status != "waiting_approval" or rollout.waiting is None or rollout.gate.on_expiry == "hold":
        return None
    return rollout.waiting.since + timedelta(seconds=rollout.gate.expire_s)


def _start(rollout: Rollout) -> Move:
    if asks_people(rollout):
        said = "people must agree before the first caller is answered"
        return Move(kind="wait", step=-1, said=said, question="begin")
    return Move(kind="start", step=0, said=f"starts with {share_text(rollout.steps[0])}")


def _at_the_gate(rollout: Rollout, look: Look, seen: Judged) -> Move:
    waiting = rollout.waiting
    question = waiting.question if waiting else ("begin" if rollout.step < 0 else "advance")
    if look.outdated:
        return _wait(rollout, seen, question, "what people were asked about has changed: they are asked again")
    if not look.approved and (end := expires_at(rollout)) is not None and look.now >= end:
        return _move("abort", rollout, seen, f"nobody answered within {rollout.gate.expire_s:.0f} s")
    if question == "inconclusive" and seen.outcome == "successful" and not look.behind:
        return _succeeded(rollout, seen)
    if not look.approved:
        return _move("hold", rollout, seen, f"it waits for {' and '.join(rollout.gate.roles)}")
    if look.behind or seen.outcome == "error":
        return _move(
            "hold", rollout, seen, f"people agreed, but {seen.said or 'the clock stands before the last look'}"
        )
    return _go(rollout, seen, "people agreed")


def _in_a_step(rollout: Rollout, look: Look, seen: Judged) -> Move:
    step = rollout.steps[rollout.step]
    if look.baked_s < step.min_s:
        passed = f"{look.baked_s:.0f} of at least {step.min_s:.0f} s have passed"
        said = f"{passed}; {seen.said}" if seen.outcome == "error" else passed
        return _weigh(rollout, look, seen) or _move("hold", rollout, seen, said)
    if seen.outcome == "successful":
        return _succeeded(rollout, seen)
    if look.baked_s >= step.max_s:
        return _timed_out(rollout, look, seen, step)
    said = seen.said if seen.outcome == "error" else f"inconclusive so far: {seen.said}"
    return _weigh(rollout, look, seen) or _move("hold", rollout, seen, said)


def _succeeded(rollout: Rollout, seen: Judged) -> Move:
    """Go forward, unless people must agree, or the verdict is theirs."""
    last = rollout.step + 1 == len(rollout.steps)
    why = f"{share_now(rollout)} succeeded: {seen.said}"
    if seen.doubtful or asks_people(rollout):
        return _wait(rollout, seen, "promote" if last else "advance", f"{why}; people must agree before it goes on")
    return _go(rollout, seen, why)


def _timed_out(rollout: Rollout, look: Look, seen: Judged, step: Step) -> Move:
    why = f"{step.max_s:.0f} s have passed without a verdict ({seen.said})"
    if step.on_timeout == "roll_back":
        return _move("roll_back", rollout, seen, why)
    if seen.outcome == "error" or (seen.short and step.on_timeout == "advance"):
        return replace(_move("hold", rollout, seen, why), overdue=True)
    if step.on_timeout == "ask":
        return _wait(rollout, seen, "inconclusive", why)
    if step.on_timeout == "advance":
        last = rollout.step + 1 == len(rollout.steps)
        asked: Question = "promote" if last else "advance"
        return _wait(rollout, seen, asked, why) if asks_people(rollout) else _go(rollout, seen, why)
    return _weigh(rollout, look, seen) or _move("hold", rollout, seen, why)


def _go(rollout: Rollout, seen: Judged, why: str) -> Move:
    following = rollout.step + 1
    if following == len(rollout.steps):
        return _move("promote", rollout, seen, why)
    on = f"{why}; {'goes on' if rollout.step >= 0 else 'starts'} with {share_text(rollout.steps[following])}"
    kind: Kind = "advance" if rollout.step >= 0 else "start"
    return Move(kind=kind, step=following, said=on, decision=seen.decision, outcome=seen.outcome)


def _wait(rollout: Rollout, seen: Judged, question: Question, said: str) -> Move:
    return Move(
        kind="wait",
        step=rollout.step,
        said=said,
        decision=seen.decision,
        outcome=seen.outcome,
        question=question,
    )


def _weigh(rollout: Rollout, look: Look, seen: Judged) -> Move | None:
    if look.weight is None or seen.outcome == "error":
        return None
    share, turn, said = look.weight
    return Move(
        kind="weigh",
        step=rollout.step,
        said=said,
        decision=seen.decision,
        outcome=seen.outcome,
        weight=share,
        turn=turn,
    )


def _move(kind: Kind, rollout: Rollout, seen: Judged, said: str) -> Move:
    return Move(kind=kind, step=rollout.step, said=said, decision=seen.decision, outcome=seen.outcome)
