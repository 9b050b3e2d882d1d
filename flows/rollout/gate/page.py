"""What people read before they sign, as Markdown."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.rollout.gate.checklist import Point, interval
from flows.rollout.machine import share_text
from registry.approval import LEAST_DIGEST
from registry.records.gate import GateState, SignOff
from registry.records.rollout import Rollout
from registry.records.verdict import Decision

_CHECKLIST = "## Checklist"
_APPROVED = re.compile(r"^(\d+\. \*\*Deployment approved\*\*: ).*")


def page(
    rollout: Rollout, state: GateState, decision: Decision | None, points: Sequence[Point], reports_dir: Path
) -> str:
    """
    Write the whole gate: verdict with intervals, checklist, who may sign, and what follows.

    Args:
        rollout: Whose challenger is judged.
        state: Who has signed.
        decision: What speaks for it.
        points: The checklist.
        reports_dir: Where the HTML report is.
    """
    parts = [
        f"# {rollout.model}: may {rollout.challenger} go on?",
        f"**{title(rollout, state)}** {_why_asked(state, decision)}".rstrip(),
        _verdict(decision, reports_dir),
        _consequences(rollout, state),
        _people(state),
        _checklist(points),
        f"Sign-offs are bound to `{state.bound_to}`: the steps, the gate, both models and the report above. "
        "If any of these changes, people are asked again.",
    ]
    return "\n\n".join(part for part in parts if part)


def closed(
    rollout: Rollout,
    ended: str,
    given: Sequence[Mapping[str, Any]],
    decision: Decision | None,
    reports_dir: Path,
    before: str,
) -> str:
    """
    Write what became of a question that nobody is asked any more.

    Args:
        rollout: Whose challenger was judged.
        ended: How it ended.
        given: Who has signed, as the registry lists them.
        decision: What spoke for it.
        reports_dir: Where the HTML report is.
        before: The page while people were asked; its checklist stays as it was.
    """
    signed = [f"- **{one['role']}**: {_cell(one['actor'])}, {one['at'][:16]}: {_cell(one['reason'])}" for one in given]
    parts = [
        f"# {rollout.model}: may {rollout.challenger} go on?",
        f"**Nobody is asked any more.** {_sentence(_cell(ended))}",
        "\n".join(["Signed:", "", *signed]) if signed else "Nobody has signed.",
        _verdict(decision, reports_dir),
        _checklist_of(before),
    ]
    return "\n\n".join(part for part in parts if part)


def form_text(rollout: Rollout, state: GateState, decision: Decision | None, reports_dir: Path, trouble: str) -> str:
    """The text above the form: short, with what was wrong with the last answer."""
    wrong = f"**The last answer was not taken.** {trouble}" if trouble else ""
    parts = [
        wrong,
        f"### {rollout.model}: may {rollout.challenger} go on?",
        f"**{title(rollout, state)}** {_why_asked(state, decision)}".rstrip(),
        _verdict(decision, reports_dir),
        _consequences(rollout, state),
        _people(state),
        f"Report read: `{state.bound_to[:LEAST_DIGEST]}` (a changed report asks again). "
        "The artifact of this run has the checklist.",
    ]
    return "\n\n".join(part for part in parts if part)


def _why_asked(state: GateState, decision: Decision | None) -> str:
    """Why people are asked, unless that is what the verdict below says."""
    return "" if decision is not None and decision.headline in state.said else state.said


def title(rollout: Rollout, state: GateState) -> str:
    """What is asked, in one sentence."""
    question = {
        "begin": f"May it begin, with {_following(rollout)}?",
        "advance": f"May it go on to {_following(rollout)}?",
        "promote": "May it become the champion?",
        "inconclusive": f"There is no verdict. May it go on to {_following(rollout)} all the same?",
        None: "Nobody is asked at the moment.",
    }
    return question[state.question]


def outcome_of_yes(rollout: Rollout, state: GateState) -> str:
    """What happens once everybody has agreed."""
    if state.question == "promote" or rollout.step + 1 >= len(rollout.steps):
        return f"{rollout.challenger} becomes the champion and answers everybody"
    return f"{rollout.challenger} goes on with {_following(rollout)}"


def _following(rollout: Rollout) -> str:
    following = rollout.step + 1
    return share_text(rollout.steps[following]) if following < len(rollout.steps) else "production"


def _verdict(decision: Decision | None, reports_dir: Path) -> str:
    if decision is None:
        return "No comparison speaks for it: a person wants it."
    rows = [
        f"- {interval(one)}: {one.said}" if one.estimate is not None else f"- {interval(one)}"
        for one in decision.findings
        if one.role in ("primary", "goal", "guardrail", "integrity")
    ]
    report = [f"Report: `{reports_dir / decision.report}`"] if decision.report else []
    head = f"Verdict `{decision.id}`: **{decision.outcome.replace('_', ' ')}**. {_sentence(decision.headline)}"
    return "\n\n".join([head, *(["\n".join(rows)] if rows else []), *report])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _consequences(rollout: Rollout, state: GateState) -> str:
    no = f"the rollout ends, {rollout.champion} stays the champion, and the reason is kept"
    until = ""
    if state.expires_at is not None:
        then = "the rollout ends as if somebody had said no" if state.on_expiry == "abort" else "it goes on waiting"
        until = f"\n- **No answer** until {state.expires_at:%Y-%m-%d %H:%M} UTC: {then}"
    return f"- **Yes**, by everybody: {outcome_of_yes(rollout, state)}\n- **No**, by anybody: {no}{until}"


def _people(state: GateState) -> str:
    """A list: Prefect's page, and still more its form, cut off what a wide table says."""
    rows = [f"- **{role}** ({_who(state, role)} may sign): {_signed(state.signed, role)}" for role in state.roles]
    stale = f"\n\n{_stale(state.stale)}" if state.stale else ""
    return "\n".join(rows) + f"\n\nEvery role takes another person.{stale}"


def _who(state: GateState, role: str) -> str:
    return ", ".join(state.approvers[role]) if role in state.approvers else "anybody"


def _signed(signed: Sequence[SignOff], role: str) -> str:
    mine = [f"{_cell(one.actor)}, {one.at:%Y-%m-%d %H:%M}: {_cell(one.reason)}" for one in signed if one.role == role]
    return "; ".join(mine) or "has not signed yet"


def _stale(stale: Sequence[SignOff]) -> str:
    named = ", ".join(f"{_cell(one.actor)} as {one.role}" for one in stale)
    return f"Given for another report, and not counted: {named}."


def _checklist(points: Sequence[Point]) -> str:
    rows = [f"{n}. **{p.name}**: {p.answer}. {_cell(p.evidence)}" for n, p in enumerate(points, 1)]
    return "\n".join([_CHECKLIST, "", *rows])


def _checklist_of(before: str) -> str:
    """As it was asked about; who has signed since is said elsewhere."""
    head, *points = "".join(before.partition(_CHECKLIST)[1:]).partition("\n\nSign-offs are bound")[0].split("\n")
    kept = [_APPROVED.sub(r"\1see above.", one) for one in points]
    return "\n".join([f"{head}, as people were asked", *kept]) if head else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
