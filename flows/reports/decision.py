"""The report of one decision, for the person who must act on it."""

import re

from flows.reports.effects import effect_text, label_of, primary_of, relative, unmeasured
from flows.reports.evidence import ARMS, ArmName, Evidence
from flows.reports.forest import forest
from flows.reports.glossary import glossary
from flows.reports.markdown import decision_markdown
from flows.reports.page import page
from flows.reports.part import Part
from flows.reports.publish import publish_decision
from flows.reports.quality import quality
from flows.reports.running import running
from flows.reports.sections import checks, flow, identities, numbers, policy, power, small_print
from flows.reports.text import chance, counted, html, named, sentence, short
from flows.reports.verdict import (
    COLOURS,
    TITLES,
    expected_data,
    next_steps,
    of_files,
    outcome_line,
    verdict_sentence,
    what_would_change,
)
from registry.records.verdict import Decision, Finding

__all__ = ["decision_markdown", "decision_report", "publish_decision"]

_KINDS = {
    "holdout": "Both models were asked about the same held-out rows, which the challenger had not learned from.",
    "shadow": "Both models were asked about the same live requests; callers saw the champion's answers only.",
    "split": "Callers were dealt to one of the two models by a rule that does not know who they are.",
}
_FILES = {
    "holdout": "Both models scored the same rows, given in two files.",
    "split": "Each model scored callers of its own, given in two files.",
}


def decision_report(decision: Decision, evidence: Evidence | None = None) -> str:
    """
    Render a decision as one HTML file that works offline.

    Args:
        decision: What was concluded.
        evidence: Rows and history behind it; what is missing is left out, and said so.

    Returns:
        The same bytes for the same arguments.
    """
    names: dict[ArmName, str] = dict(zip(ARMS, (decision.champion, decision.challenger), strict=True))
    parts = [
        _effects(decision),
        checks(decision),
        running(evidence, decision),
        _segments(decision),
        *quality(evidence, names),
        power(decision),
        flow(decision),
        policy(decision),
        identities(decision),
        numbers(decision),
        small_print(decision),
    ]
    body = [
        _head(decision),
        _verdict(decision),
        _glance(decision),
        _next(decision, evidence),
        *(_section(part) for part in parts if part.body),
        _left_out(parts),
        glossary(decision),
        _foot(decision),
    ]
    title = f"{short(decision.model)}: {outcome_line(decision)}"
    return page(title, "\n".join(part for part in body if part), strict=True)


def _head(decision: Decision) -> str:
    against = f"{named(decision.challenger)} against {named(decision.champion)}"
    if of_files(decision):
        said = _FILES.get(decision.kind, _KINDS[decision.kind])
    else:
        said = f"{decision.created_at:%-d %B %Y, %H:%M} on the model's clock. {_KINDS[decision.kind]}"
    return f'<header><h1>{named(decision.model)}: {against}</h1><p class="soft">{said}</p></header>'


def _verdict(decision: Decision) -> str:
    kind = COLOURS[decision.outcome]
    return (
        f'<section class="verdict {kind}" aria-label="Verdict">'
        f'<p class="outcome {kind}">Verdict: {TITLES[decision.outcome]}</p>'
        f"<p><strong>{html(verdict_sentence(decision))}</strong></p>"
        f'<p class="soft">For the record: {html(decision.headline)}</p></section>'
    )


def _glance(decision: Decision) -> str:
    guards = [f for f in decision.findings if f.role == "guardrail"]
    elsewhere = len(unmeasured(decision))
    primary = primary_of(decision)
    lift = relative(primary, decision) if primary else None
    sound = decision.outcome != "invalid"
    tiles = [
        (f"{label_of(primary)}, relative", effect_text(lift)) if primary and lift and sound else None,
        ("Guardrails surely held", _held(guards, elsewhere)) if guards or elsewhere else None,
        ("Data", _amount(decision, primary.n)) if primary and primary.n else None,
        ("Power reached", chance(decision.power)) if decision.power is not None else None,
    ]
    cells = "".join(f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>" for name, value in filter(None, tiles))
    return f'<dl class="glance">{cells}</dl>' if cells else ""


def _held(guards: list[Finding], elsewhere: int) -> str:
    measured = f"{sum(f.passed is True for f in guards)} of {len(guards)}" if guards else ""
    live = f"{elsewhere} measured elsewhere" if elsewhere else ""
    return "; ".join(filter(None, (measured, live)))


def _amount(decision: Decision, n: int) -> str:
    one = {"holdout": "same row", "shadow": "same request", "split": "request in the smaller group"}[decision.kind]
    many = "requests in the smaller group" if decision.kind == "split" else ""
    return counted(n, one, many)


def _next(decision: Decision, evidence: Evidence | None) -> str:
    steps = "".join(f"<li>{_coded(step)}</li>" for step in next_steps(decision))
    parts = [f"<h2>What happens next</h2><ul>{steps}</ul>"]
    changes = "".join(f"<li>{html(change)}</li>" for change in what_would_change(decision))
    if changes:
        parts.append(f"<h3>What would change the verdict</h3><ul>{changes}</ul>")
    expected = expected_data(decision, evidence.trace if evidence else ())
    if expected:
        parts.append(f"<h3>More data expected</h3><p>{html(expected)}</p>")
    return f"<section>{''.join(parts)}</section>"


def _coded(step: str) -> str:
    """Commands stand in backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html(step))


def _effects(decision: Decision) -> Part:
    title = "How large the effects are"
    drawn = forest(decision, ("primary", "goal", "guardrail", "context"))
    if not drawn:
        return Part(title, why="no effect could be estimated yet")
    note = (
        '<p class="soft">Bar: the interval; dot: the estimate; full line: no difference; dashed mark: what a bar has '
        "to lie right of. An arrow: the bar goes on. Rows above one ruler share its scale.</p>"
    )
    unsaid = [f for f in decision.findings if f.role in ("primary", "goal", "guardrail") and f.estimate is None]
    lacking = "".join(f"<li>{html(sentence(f.said))}</li>" for f in unsaid)
    warned = '<p class="bad"><b>This comparison cannot be trusted: do not act on these effects.</b></p>'
    lacking = f"<p>Not measured here:</p><ul>{lacking}</ul>" if lacking else ""
    return Part(title, f"{warned if decision.outcome == 'invalid' else ''}{drawn}{note}{lacking}")


def _segments(decision: Decision) -> Part:
    title = "Who gains, who loses"
    drawn = forest(decision, ("segment",), heads=False)
    if not drawn:
        return Part(title, why="no segment was named, or none has enough rows")
    note = (
        '<p class="soft">The same test within each group. Each interval holds for its group alone; among many groups '
        "one looks bad by chance. Segments decide nothing.</p>"
    )
    return Part(title, drawn + note)


def _section(part: Part) -> str:
    return f"<section><h2>{html(part.title)}</h2>{part.body}</section>"


def _left_out(parts: list[Part]) -> str:
    items = "".join(
        f"<li><b>{html(part.title.rstrip('?'))}</b>: {html(part.why)}.</li>"
        for part in parts
        if not part.body and part.why
    )
    return f"<section><h2>Left out of this report</h2><ul>{items}</ul></section>" if items else ""


def _foot(decision: Decision) -> str:
    if not decision.report:
        return ""
    file = decision.report.rsplit("/", 1)[-1].removesuffix(".html") + ".json"
    return f'<p class="soft">The same as canonical JSON: <a href="./{html(file)}">{html(file)}</a></p>'
