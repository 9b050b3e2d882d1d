"""One rollout on the screen: its steps as a table, the verdict so far, who must agree, and the watch after it."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flows.cli.durations import span, stay
from flows.cli.screen import facts, say, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flows.cli.standing import Known, Seen
    from registry.records.gate import GateState
    from registry.records.rollout import Gate, Rollout, Step
    from registry.records.verdict import Finding
    from registry.records.watch import Watch

STEPS = ("", "step", "share", "stays", "labelled", "outcome", "said")
QUESTIONS = {
    "begin": "may it answer the first caller",
    "advance": "may it take the next step",
    "promote": "may it become champion",
    "inconclusive": "what shall become of a step without a verdict",
}


def show_standing(known: "Known", seen: "Seen | None") -> None:
    """Print everything about one rollout, the most important first."""
    rollout = known.rollout
    say(facts(f"{rollout.model}: {rollout.challenger} against {rollout.champion}", _head(known)))
    say(table("Steps", STEPS, step_rows(rollout, known.baked_s, seen)))
    if seen is not None:
        say(*_verdict(seen))
    if known.asked is not None:
        say(facts("People are asked", asked_facts(known.asked)))
    if known.watch is not None:
        say(facts("Watch after the promotion", watch_facts(known.watch)))


def _head(known: "Known") -> dict[str, object]:
    rollout = known.rollout
    found: dict[str, object] = {
        "rollout": f"{rollout.id}, {rollout.strategy}, {rollout.status.replace('_', ' ')}",
        "said": rollout.said,
        "began": rollout.created_at,
        "plan": None if known.plan is None else known.plan.epoch,
        "next move": None if known.next_s is None else next_text(known.next_s),
    }
    return {name: value for name, value in found.items() if value is not None}


def next_text(seconds: float) -> str:
    """Say when a step may be left."""
    return f"not before {span(seconds)} from now" if seconds > 0 else "with the next look, if the verdict allows it"


def step_rows(rollout: "Rollout", baked_s: float | None, seen: "Seen | None") -> Iterator[tuple[object, ...]]:
    """One row per step: where it is, what it gives, and what came of it."""
    for index, step in enumerate(rollout.steps):
        now = index == rollout.step
        stays = stay(step.min_s, step.max_s)
        labelled: object = f"at least {step.min_labelled}" if step.min_labelled else "-"
        if now and baked_s is not None and rollout.active:
            stays = f"{span(baked_s)} of {stays}"
        if now and seen is not None and not seen.trouble:
            labelled = f"{seen.labelled} of {seen.needed}"
        outcome, said = _outcome(rollout, index, seen)
        yield (mark(rollout, index), index + 1, share_of(rollout, index), stays, labelled, outcome, said)


def mark(rollout: "Rollout", index: int) -> str:
    """Whether a step is over, under way, the one at which it ended, or to come."""
    if index == rollout.step and rollout.status != "succeeded":
        return "▶" if rollout.active else "✗"
    return "✓" if index < rollout.step or rollout.status == "succeeded" else "·"


def share_of(rollout: "Rollout", index: int) -> str:
    """Say the share of a step, and where it has moved to."""
    step = rollout.steps[index]
    if step.weighting == "fixed":
        return percent(step.share)
    here = rollout.weight if index == rollout.step and rollout.weight is not None else step.share
    return f"{percent(here)} (moves, at least {percent(step.floor)})"


def percent(share: int) -> str:
    """Say parts per million.

    Example:
        >>> percent(0), percent(100_000)
        ('shadow', '10 %')
    """
    return "shadow" if share == 0 else f"{share / 10_000:.4g} %"


def _outcome(rollout: "Rollout", index: int, seen: "Seen | None") -> tuple[str | None, str | None]:
    """How the step ended; of the one under way what it comes to so far, and not why it was begun."""
    ended = [one for one in rollout.results if one.step == index]
    if ended and not (index == rollout.step and rollout.active):
        by = "" if ended[-1].by == "rollout" else f" (by {ended[-1].by})"
        return ended[-1].outcome + by, ended[-1].said
    if index != rollout.step:
        return None, None
    if seen is not None and seen.outcome is not None:
        return seen.outcome, seen.said
    return rollout.outcome, rollout.said


def _verdict(seen: "Seen") -> "Iterator[RenderableType]":
    from rich.markup import escape

    if seen.trouble:
        yield f"The router could not be asked: {escape(seen.trouble)}"
        return
    if seen.decision is None:
        yield "Nothing to judge yet: the step has no traffic."
        return
    measured = [one for one in seen.decision.findings if one.estimate is not None]
    if measured:
        title = "Verdict so far (effect above 0: the challenger is better)"
        yield table(title, ("metric", "role", "effect and interval", "n"), _findings(measured))
    yield f"{seen.decision.outcome}: {escape(seen.decision.headline)}"


def _findings(found: "Iterable[Finding]") -> Iterator[tuple[object, ...]]:
    for one in found:
        passed = {True: ": passed", False: ": failed", None: ""}[one.passed]
        yield (one.name, one.role + passed, interval_text(one), one.n)


def interval_text(one: "Finding") -> str:
    """Say an estimate with its interval."""
    low = "-inf" if one.low is None else f"{one.low:+.3g}"
    high = "inf" if one.high is None else f"{one.high:+.3g}"
    return f"{one.estimate or 0.0:+.3g} [{low}, {high}]"


def asked_facts(asked: "GateState") -> dict[str, object]:
    """Say what people are asked, who has agreed, who has not, and until when."""
    found: dict[str, object] = {
        "question": question_text(asked),
        "signed": [f"{one.role}: {one.actor} ({one.reason})" for one in asked.signed],
        "missing": list(asked.missing),
        "for another report": [f"{one.role}: {one.actor}" for one in asked.stale],
        "asked": asked.since,
        "until": end_text(asked),
        "read": f"digest {asked.bound_to[:12]}",
    }
    return {name: value for name, value in found.items() if value or name in ("signed", "missing")}


def question_text(asked: "GateState") -> str:
    """Say what people are asked."""
    question = QUESTIONS[asked.question or "begin"]
    return f"{question}? {asked.said}".strip()


def end_text(asked: "GateState") -> str:
    """Say until when people are asked; empty if that is not known."""
    after = "it is aborted" if asked.on_expiry == "abort" else "people are asked again"
    return f"{asked.expires_at:%Y-%m-%d %H:%M}, then {after}" if asked.expires_at else ""


def watch_facts(watch: "Watch") -> dict[str, object]:
    """Say how a new champion does."""
    limits = watch.limits
    return {
        "watch": f"{watch.id} over {watch.version}, {watch.status.replace('_', ' ')}",
        "until": watch.until,
        "brings back": watch.former,
        "limits": [
            f"errors {limits.error_rate:.0%}",
            f"latency +{limits.latency_increase:.0%}",
            f"{limits.kpi or 'KPI'} -{limits.kpi_drop:.0%}",
            f"loss +{limits.accuracy_drop:.0%}",
        ],
        "last look": watch.said or "none yet",
    }


def show_foreseen(rollout: "Rollout", *, asks: bool, notes: list[str]) -> None:
    """Print what a rollout would do, before it is begun."""
    guards, gate = rollout.guards, rollout.gate
    say(table(f"{rollout.model}: {rollout.challenger} against {rollout.champion}, {rollout.strategy}", *_plan(rollout)))
    least, most = sum(s.min_s for s in rollout.steps), sum(s.max_s for s in rollout.steps)
    planned = rollout.policy.horizon
    say(
        facts(
            "What is agreed before it begins",
            {
                "takes": f"{stay(least, most)} if every step succeeds",
                "must agree": gate_text(gate) if asks else "nobody: the policy asks for no approval",
                "judged by": f"{rollout.policy.metric}, at least {rollout.policy.min_labelled} labelled requests",
                "planned sample": "as much as it takes; looked at any time" if planned is None else f"{planned:,} rows",
                "taken off at": f"errors above {guards.error_rate:.0%}, latency +{guards.latency_increase:.0%}, "
                f"{guards.kpi or 'loss'} {guards.kpi_drop:.0%} worse",
                "watched after": span(rollout.watch_s) if rollout.watch_s else "not at all",
            },
        )
    )
    say(*notes, "Nothing was begun.")


def _plan(rollout: "Rollout") -> "tuple[tuple[str, ...], list[tuple[object, ...]]]":
    columns = ("step", "share", "stays", "labelled", "without a verdict")
    return columns, [_planned(index, rollout, step) for index, step in enumerate(rollout.steps)]


def _planned(index: int, rollout: "Rollout", step: "Step") -> tuple[object, ...]:
    timeout = {"ask": "people are asked", "hold": "stays", "advance": "goes on", "roll_back": "is rolled back"}
    labelled = f"at least {step.min_labelled}" if step.min_labelled else "-"
    return (index + 1, share_of(rollout, index), stay(step.min_s, step.max_s), labelled, timeout[step.on_timeout])


def gate_text(gate: "Gate") -> str:
    """Say who must agree, and until when."""
    people = [f"{role} ({', '.join(gate.approvers[role])})" if role in gate.approvers else role for role in gate.roles]
    end = "it is aborted" if gate.on_expiry == "abort" else "they are asked on"
    who = f"{' and '.join(people)}{', different people' if len(people) > 1 else ''}"
    return f"{who}; within {span(gate.expire_s)}, else {end}; reminded every {span(gate.remind_s)}"
