"""A decision for the Prefect UI."""

import re

from flows.reports.effects import (
    ROLES,
    effect_text,
    label_of,
    metric_of,
    of_metric,
    shown_of,
    value_text,
)
from flows.reports.text import clean, in_cell, in_markdown, p_value
from flows.reports.verdict import expected_data, next_steps, outcome_line, verdict_sentence, what_would_change
from registry.records.verdict import Decision, Finding

_MARKS = {True: "yes", False: "**no**", None: "open"}
_HEAD = ("finding", "role", "champion", "challenger", "effect", "p-value", "passed", "says")


def decision_markdown(decision: Decision, path: str | None = None) -> str:
    """
    The verdict, a table of every finding, and what would change it, as markdown.

    Args:
        path: Where the HTML report is: an address becomes a link, a file is named.
    """
    lines = [f"# {in_markdown(outcome_line(decision))}", "", f"**{in_markdown(verdict_sentence(decision))}**", ""]
    lines += [in_markdown(decision.headline), "", *_table(decision), "", "## What happens next", ""]
    lines += [f"- {in_markdown(step)}" for step in next_steps(decision)]
    changes = what_would_change(decision)
    lines += (
        ["", "## What would change the verdict", "", *(f"- {in_markdown(one)}" for one in changes)] if changes else []
    )
    expected = expected_data(decision)
    lines += ["", f"More data expected: {expected}"] if expected else []
    lines += ["", _where(path)] if path else []
    return "\n".join(lines) + "\n"


def _table(decision: Decision) -> list[str]:
    if not decision.findings:
        return ["There is no finding."]
    ordered = sorted(decision.findings, key=lambda f: ROLES.index(f.role))
    rows = [_HEAD, ("---",) * len(_HEAD), *(_row(decision, finding) for finding in ordered)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _row(decision: Decision, finding: Finding) -> tuple[str, ...]:
    shown = shown_of(finding, decision)
    metric = metric_of(finding)
    values = [of_metric(decision, finding, arm) for arm in ("champion", "challenger")] if shown else [None, None]
    passed = "" if finding.passed is None and finding.role in ("context", "segment") else _MARKS[finding.passed]
    return (
        in_cell(label_of(finding)),
        finding.role,
        *(in_cell(value_text(metric, value)) for value in values),
        in_cell(effect_text(shown)) if shown else "",
        p_value(finding.log_p, finding.p_value),
        passed,
        in_cell(finding.said),
    )


def _where(path: str) -> str:
    if re.match(r"https?://", path):
        return f"[The whole report]({path.replace(')', '%29').replace(' ', '%20')})"
    return f"The whole report: `{clean(path).replace('`', '')}`"
