"""The running estimate with its always-valid band."""

import math
from collections.abc import Sequence

import numpy as np

from flows.reports import svg
from flows.reports.axes import Axis, clock, linear, spread
from flows.reports.effects import metric_of, tested_as_ratio
from flows.reports.evidence import Evidence, TracePoint
from flows.reports.measures import PERCENT, POINTS, measure_of
from flows.reports.part import Part
from flows.reports.text import counted, html, plain_number, short, signed
from registry.records.verdict import Decision

_TITLE, _MOST = "How the evidence grew", 300


def running(evidence: Evidence | None, decision: Decision) -> Part:
    """Draw estimate and band over time, with the phases marked."""
    points = [p for p in evidence.trace if math.isfinite(p.at) and math.isfinite(p.estimate)] if evidence else []
    points.sort(key=lambda p: p.at)
    if len(points) < 2:
        return Part(_TITLE, why=_why(decision, len(points)))
    name = (evidence.trace_metric if evidence else "") or decision.policy.metric
    ratio = any(metric_of(f) == name and tested_as_ratio(f) for f in decision.findings if f.estimate is not None)
    unit = PERCENT if ratio else measure_of(name).unit
    scale = 100.0 if unit in (PERCENT, POINTS) else 1.0
    kept = [_scaled(points[i], scale) for i in svg.thinned(len(points), _MOST)]
    x = clock(kept[0].at, kept[-1].at, most=5)
    y = linear(*_range(kept), _axis_title(unit), signs=True, most=6)
    return Part(_TITLE, svg.figure(_heading(name), _picture(name, kept, x, y), _said(kept, unit, y), wide=True))


def _axis_title(unit: str) -> str:
    return "difference" if not unit else f"difference in {'percent' if unit == PERCENT else unit.strip()}"


def _why(decision: Decision, looks: int) -> str:
    if decision.kind == "holdout":
        return "all rows were judged at once, so there were no earlier looks"
    if looks == 0:
        return "no earlier look with an estimate was handed to the report"
    return f"there is only {counted(looks, 'look')} with an estimate so far"


def _scaled(point: TracePoint, scale: float) -> TracePoint:
    low = -math.inf if math.isnan(point.low) else point.low * scale
    high = math.inf if math.isnan(point.high) else point.high * scale
    return TracePoint(point.at, point.n, point.estimate * scale, low, high, point.phase)


def _range(points: Sequence[TracePoint]) -> tuple[float, float]:
    """Room for the later looks; the first ones know so little that they would hide the rest."""
    later = points[len(points) // 4 :]
    ends = [v for p in later for v in (p.low, p.high, p.estimate)]
    return spread([0.0, *ends])


def _picture(name: str, points: Sequence[TracePoint], x: Axis, y: Axis) -> str:
    at, estimate, low, high = np.array([(p.at, p.estimate, p.low, p.high) for p in points]).T
    marks = svg.band(x, y, at, low, high, "challenger") + svg.across(y, 0.0, "zero")
    starts = _phases(points)
    marks += "".join(svg.upright(x, p.at, "phase") for p in starts[1:])
    marks += svg.line(x, y, at, estimate, "challenger")
    alt = f"Running estimate of {name} over {len(points)} looks, ending at {signed(points[-1].estimate)}"
    picture = svg.plot(alt, x, y, marks, height=300)
    if len(starts) < 2:
        return picture
    items = "".join(f"<li>{html(short(p.phase or 'without a name', 40))}: from {p.n:,} on</li>" for p in starts)
    return f'{picture}<p class="soft">Phases, at the upright lines:</p><ol class="soft phases">{items}</ol>'


def _phases(points: Sequence[TracePoint]) -> list[TracePoint]:
    """First look of each phase."""
    return [p for i, p in enumerate(points) if i == 0 or p.phase != points[i - 1].phase]


def _heading(name: str) -> str:
    return f"{short(measure_of(name).title, 40)}: challenger minus champion, above 0 is better"


def _said(points: Sequence[TracePoint], unit: str, y: Axis) -> str:
    last = points[-1]
    cut = any(p.low < y.low or p.high > y.high for p in points)
    more = " Where the band meets the edge it is wider than the picture." if cut else ""
    side = _side(last, unit)
    return (
        f"After {last.n:,} labelled requests the estimate is {signed(last.estimate)}{unit}; the band {side}. "
        f"It holds at all times at once, so looking often does no harm. Line: the estimate; band: its interval.{more}"
    )


def _side(last: TracePoint, unit: str) -> str:
    if last.low > 0:
        return f"lies above 0, by {plain_number(last.low, 2)}{unit} or more"
    if last.high < 0:
        return f"lies below 0, by {plain_number(-last.high, 2)}{unit} or more"
    return "still holds 0, so it is open which is better"
