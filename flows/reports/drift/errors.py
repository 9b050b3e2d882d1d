"""How the champion's errors went."""

import math
from collections.abc import Sequence

from flows.reports import svg
from flows.reports.axes import clock, linear, spread
from flows.reports.drift.content import DriftContent, Mark
from flows.reports.part import Part
from flows.reports.text import counted, html, plain_number

_MOST = 300


def error_trend(content: DriftContent) -> Part:
    """Draw the mean loss window by window, its baseline, and where detectors saw a change."""
    title = "How the errors went"
    points = sorted((p for p in content.errors if math.isfinite(p.mean)), key=lambda p: p.at)
    if len(points) < 2:
        return Part(title, why="too few labels have arrived to draw a trend")
    kept = [points[i] for i in svg.thinned(len(points), _MOST)]
    x = clock(kept[0].at, kept[-1].at, most=5)
    ends = [v for p in kept for v in (p.low, p.high, p.mean)]
    y = linear(*spread([*ends, content.baseline]), "mean loss", most=6)
    at, mean = [p.at for p in kept], [p.mean for p in kept]
    marks = svg.band(x, y, at, [p.low for p in kept], [p.high for p in kept], "challenger")
    marks += svg.across(y, content.baseline, "ideal") if content.baseline is not None else ""
    marks += "".join(svg.upright(x, mark.at, "phase") for mark in content.marks)
    marks += svg.line(x, y, at, mean, "challenger")
    alt = f"Mean loss over {counted(len(kept), 'window')}, ending at {plain_number(mean[-1])}"
    picture = svg.plot(alt, x, y, marks, height=300)
    return Part(title, svg.figure("Mean loss of each window, lower is better", picture, _said(content), wide=True))


def _said(content: DriftContent) -> str:
    parts = ["Line: the mean loss of a window; band: its 95% interval."]
    if content.baseline is not None:
        parts.append(f"Dotted: {html(plain_number(content.baseline))}, the loss on the holdout when it was trained.")
    if content.marks:
        parts.append(f"Upright: {html(_marked(content.marks))}.")
    return " ".join(parts)


def _marked(marks: Sequence[Mark]) -> str:
    names = sorted({mark.detector for mark in marks})
    return f"{counted(len(marks), 'change')} seen by {', '.join(names)}"
