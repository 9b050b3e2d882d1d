"""A forest plot: every effect with its interval, around the line of no difference."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from flows.reports.axes import Axis, linear, spread
from flows.reports.effects import (
    Shown,
    absolute,
    difference,
    effect_text,
    interval_text,
    label_of,
    metric_of,
    of_metric,
    shown_of,
    value_text,
)
from flows.reports.measures import PERCENT, POINTS
from flows.reports.text import html, named
from registry.records.verdict import Decision, Finding, Role

_HEADS: dict[Role, str] = {
    "primary": "Primary metric",
    "goal": "Goals",
    "guardrail": "Guardrails: the bar must stay right of the mark",
    "segment": "Segments",
    "context": "Also measured: decides nothing",
}
_HEIGHT, _MIDDLE = 34, 17
_MARGIN = "margin"  # no metric's unit
_MARGIN_TICKS = ((-100.0, "margin"), (0.0, "no change"))
_ANCHORS = {"margin": "end", "no change": "start"}  # the two may be close
_INSET = 3.0  # per cent at both ends, for arrows
_TOO_WIDE = 6.0  # an interval this many times as long as is usual is cut off, or it would hide the others


class _Row(NamedTuple):
    """
    One line of the plot.

    Attributes:
        shown: As written.
        drawn: As drawn; a guardrail in percent of its margin, so that all share one mark.
        scale: Rows of the same scale share a ruler.
    """

    finding: Finding
    shown: Shown
    drawn: Shown
    scale: str


def forest(decision: Decision, roles: Sequence[Role], *, heads: bool = True) -> str:
    """
    Draw the findings that have an estimate, by role; empty if there is none.

    Effects in percent of the champion's value share one scale within a role. Those without
    one share it only if their units agree.
    """
    groups = [(role, _rows(decision, role)) for role in roles]
    bodies = "".join(_group(decision, role, rows, heads=heads) for role, rows in groups if rows)
    if not bodies:
        return ""
    columns = ("Metric", "Champion", "Challenger", "Difference with its interval", "", "Verdict")
    if not heads:
        columns = ("Segment", *columns[1:5], "Rows")
    top = "".join(f'<th scope="col"{_number(i)}>{said}</th>' for i, said in enumerate(columns))
    return f'<table class="forest"><thead><tr>{top}</tr></thead>{bodies}</table>'


def _number(column: int) -> str:
    return ' class="number"' if column in (1, 2) else ""


def _rows(decision: Decision, role: Role) -> list[_Row]:
    found = [(f, shown_of(f, decision)) for f in decision.findings if f.role == role]
    return [_row(f, shown) for f, shown in found if shown is not None]


def _row(finding: Finding, shown: Shown) -> _Row:
    if finding.role == "guardrail" and shown.margin:
        return _Row(finding, shown, _of_margin(shown), _MARGIN)
    return _Row(finding, shown, shown, shown.unit if shown.unit in (PERCENT, POINTS) else metric_of(finding))


def _of_margin(shown: Shown) -> Shown:
    size = 100 / abs(shown.margin or 1.0)
    low, high, margin = (None if v is None else v * size for v in (shown.low, shown.high, shown.margin))
    return Shown(shown.estimate * size, low, high, PERCENT, margin, shown.bounded)


def _group(decision: Decision, role: Role, rows: list[_Row], *, heads: bool) -> str:
    head = f'<tr class="head"><th colspan="6" scope="rowgroup">{_head(decision, role)}</th></tr>' if heads else ""
    last = _rows_count if role == "segment" else _verdict
    parts = []
    for scale in dict.fromkeys(row.scale for row in rows):
        same = [row for row in rows if row.scale == scale]
        axis = _axis(same)
        parts += [_line(decision, row, axis, last(row.finding)) for row in same]
        parts.append(_ruler(axis))
    return f"<tbody>{head}{''.join(parts)}</tbody>"


def _head(decision: Decision, role: Role) -> str:
    known = any(f.role != "context" for f in decision.findings)
    return _HEADS[role] if known else "Effects"  # made before findings had roles


def _axis(rows: Sequence[_Row]) -> Axis:
    unit = rows[0].drawn.unit
    reaches = [max(abs(v) for v in _ends(row.drawn)) for row in rows]
    usual = _TOO_WIDE * median(reaches)
    ends = [max(-usual, min(usual, v)) for row in rows for v in _ends(row.drawn)] if usual else [0.0]
    low, high = spread([0.0, *ends])
    if rows[0].scale == _MARGIN:
        low = min(low, -118 - 0.18 * high)
        return Axis(low, max(high, -0.3 * low), _MARGIN_TICKS)  # room for both words
    return linear(low, high, unit=PERCENT if unit == PERCENT else "", most=3, signs=True)


def _ends(shown: Shown) -> list[float]:
    return [v for v in (shown.estimate, shown.low, shown.high, shown.margin) if v is not None]


def _line(decision: Decision, row: _Row, axis: Axis, last: str) -> str:
    finding, shown = row.finding, row.shown
    metric = metric_of(finding)
    cells = [
        f'<th scope="row">{named(label_of(finding))}</th>',
        *(
            f'<td class="number" data-head="{head}">{html(value_text(metric, of_metric(decision, finding, arm)))}</td>'
            for arm, head in (("champion", "champion"), ("challenger", "challenger"))
        ),
        f'<td class="bar">{_picture(row, axis)}</td>',
        f'<td class="effect">{_said(finding, shown)}</td>',
        f"<td>{last}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _said(finding: Finding, shown: Shown) -> str:
    own = absolute(finding) if shown.unit == PERCENT else None
    other = f'<br/><span class="soft">{html(effect_text(own))}</span>' if own is not None and own.unit else ""
    interval = f'<span class="interval">{html(interval_text(shown))}</span>'
    return f"<b>{html(difference(shown.estimate) + shown.unit)}</b> {interval}{other}"


def _verdict(finding: Finding) -> str:
    """In words, so that it can be read without colours."""
    if finding.passed is None and finding.role in ("context", "segment"):
        return '<span class="soft">reported</span>'
    kind, mark, said = {
        True: ("good", "&#10003;", "passed"),
        False: ("bad", "&#10007;", "failed"),
        None: ("wait", "?", "not sure yet"),
    }[finding.passed]
    return f'<span class="{kind}"><span aria-hidden="true">{mark}</span> {said}</span>'


def _rows_count(finding: Finding) -> str:
    return f'{finding.n:,}<span class="phone"> rows</span>'


def _picture(row: _Row, axis: Axis) -> str:
    finding, shown, x = row.finding, row.drawn, _place(axis)
    kind = {True: "good", False: "bad", None: "open"}[finding.passed]
    low, high = _edge(shown.low, axis, axis.low), _edge(shown.high, axis, axis.high)
    zero = f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{_HEIGHT}"/>'
    bar = ""
    if shown.bounded:
        bar = f'<line class="bar {kind}" x1="{x(low)}" x2="{x(high)}" y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
        bar += _arrow(x(low), kind, -1) if _cut(shown.low, axis) else ""
        bar += _arrow(x(high), kind, 1) if _cut(shown.high, axis) else ""
    dot = f'<circle class="{kind}" cx="{x(shown.estimate)}" cy="{_MIDDLE}" r="5"/>'
    alt = html(f"{label_of(finding)}: {effect_text(row.shown)}")
    svg = f'<svg width="100%" height="{_HEIGHT}" role="img" aria-label="{alt}">'
    return f"{svg}{zero}{_mark(shown, axis, x)}{bar}{dot}</svg>"


def _mark(shown: Shown, axis: Axis, x: Callable[[float], str]) -> str:
    """Where the interval has to lie right of; zero has its own line."""
    if not shown.margin or not axis.low <= shown.margin <= axis.high:
        return ""
    return f'<line class="margin" x1="{x(shown.margin)}" x2="{x(shown.margin)}" y1="2" y2="{_HEIGHT - 2}"/>'


def _edge(value: float | None, axis: Axis, otherwise: float) -> float:
    return otherwise if value is None else min(axis.high, max(axis.low, value))


def _cut(value: float | None, axis: Axis) -> bool:
    return value is None or not axis.low <= value <= axis.high


def _arrow(at: str, kind: str, way: int) -> str:
    path = f"M{-8 * way} -6L0 0L{-8 * way} 6"
    return f'<svg x="{at}" y="{_MIDDLE}" overflow="visible"><path class="arrow {kind}" d="{path}"/></svg>'


def _place(axis: Axis) -> Callable[[float], str]:
    return lambda value: f"{_INSET + axis.share(value) * (100 - 2 * _INSET):.2f}%"


def _ruler(axis: Axis) -> str:
    x = _place(axis)
    ticks = "".join(
        f'<line class="tick" x1="{x(value)}" x2="{x(value)}" y1="0" y2="5"/>'
        f'<text class="{_ANCHORS.get(label) or _anchor(axis.share(value))}" x="{x(value)}" y="18">{html(label)}</text>'
        for value, label in axis.ticks
    )
    base = f'<line class="tick" x1="{_INSET}%" x2="{100 - _INSET}%" y1="0" y2="0"/>'
    hints = '<text class="soft" x="0" y="35">&#8592; worse</text>'
    hints += '<text class="soft end" x="100%" y="35">better &#8594;</text>'
    svg = f'<svg width="100%" height="40" aria-hidden="true">{base}{ticks}{hints}</svg>'
    return f'<tr class="ruler"><td colspan="3"></td><td class="bar">{svg}</td><td colspan="2"></td></tr>'


def _anchor(share: float) -> str:
    return "start" if share < 0.08 else "end" if share > 0.92 else "mid"
