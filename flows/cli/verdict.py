"""One decision on the screen: the verdict first, then the numbers."""

from typing import TYPE_CHECKING

from flows.cli.screen import console, facts, say, table

if TYPE_CHECKING:
    from pathlib import Path

    from registry.records.verdict import Decision, Finding

_WIDE = 96
_SAYS = {
    "promote": "Promote the challenger",
    "needs_approval": "Better, but people must decide",
    "continue": "No verdict yet",
    "reject": "Keep the champion",
    "invalid": "The data cannot be trusted",
}


def show_verdict(found: "Decision", report: "Path | None" = None) -> None:
    """
    Verdict in a sentence, findings, sample flow, and what would change it.

    Args:
        found: What was concluded.
        report: Where its report is, if there is one.
    """
    say(facts(_SAYS[found.outcome], _head(found) | ({"report": report} if report else {})))
    measured = [f for f in found.findings if f.estimate is not None]
    if measured:
        wide = console().width >= _WIDE
        columns = ("metric", "role", *(("champion", "challenger") if wide else ()), "effect and interval", "p")
        rows = [_row(f, wide=wide) for f in measured]
        say(table("Findings (effect above 0: the challenger is better)", columns, rows))
    say(*(_escaped(_named(f)) for f in found.findings if f.estimate is None or _unbounded(f)))
    if found.flow:
        names = list(dict.fromkeys(name for counts in found.flow.values() for name in counts))
        rows = [(arm, *(counts.get(name) for name in names)) for arm, counts in found.flow.items()]
        say(table("Rows", ("of", *names), rows))
    if found.changes:
        say("What would change it:", *(f"- {_escaped(one)}" for one in found.changes))


def _head(found: "Decision") -> dict[str, object]:
    rows = found.identities.get("rows")
    how = {"holdout": "the same rows", "shadow": "the same requests, live", "split": "different callers"}[found.kind]
    known: dict[str, object] = {
        "verdict": f"{found.outcome}: {found.headline}",
        "compared": f"{found.challenger} against {found.champion}, on {rows or how}",
        "taken": found.identities.get("columns"),
        "judged by": _judged(found),
        "more rows needed": None if found.more_needed is None else f"about {found.more_needed:,}",
        "power": None if found.power is None else f"{found.power:.0%} for the improvement that the policy asks for",
        "decision": found.id,
    }
    return {name: value for name, value in known.items() if value is not None}


def _judged(found: "Decision") -> str:
    """Task, metric, rule and test in one line."""
    policy, task = found.policy, found.identities.get("task")
    primary = next((f for f in found.findings if f.role == "primary"), None)
    metric = policy.metric
    if primary is not None and primary.metric != metric:
        metric = f"{primary.metric}, since {metric} is not defined where all labels are the same"
    rule = "better" if policy.rule == "superiority" else f"not worse by {policy.margin:.1%} of the loss"
    said = [metric, f"{rule} at alpha {policy.alpha:g}", f"a gain below {policy.min_improvement:.3g} goes to people"]
    if policy.rule != "superiority":
        said.pop()
    return "; ".join([*said, *([primary.method] if primary and primary.method else []), *([task] if task else [])])


def _unbounded(f: "Finding") -> bool:
    """Whose interval says nothing, so that words must."""
    return f.low is None and f.high is None


def _row(f: "Finding", *, wide: bool) -> tuple[object, ...]:
    low = "-inf" if f.low is None else f"{f.low:+.3g}"
    high = "inf" if f.high is None else f"{f.high:+.3g}"
    role = f.role if f.passed is None else f"{f.role}: {'passed' if f.passed else 'failed'}"
    values = (f.champion, f.challenger) if wide else ()
    return (f.name, role, *values, f"{f.estimate or 0.0:+.3g} [{low}, {high}]", _p(f))


def _named(f: "Finding") -> str:
    return f.said if f.said.startswith(f.name) else f"{f.name}: {f.said}"


def _p(f: "Finding") -> str:
    """Never 0."""
    if f.p_value is None:
        return "-"
    if f.log_p is not None and f.log_p < -9.3:
        return f"10^{f.log_p / 2.302585093:.1f}"
    return f"{f.p_value:.4f}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
