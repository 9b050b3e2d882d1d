"""Features on both sides, laid over each other."""

from collections.abc import Sequence

import numpy as np

from flows.reports import svg
from flows.reports.axes import linear, spread
from flows.reports.drift.content import Distribution
from flows.reports.page import table
from flows.reports.part import Part
from flows.reports.text import html, named, percent, short

_MOST, _LEVELS = 8, 12


def distributions(found: Sequence[Distribution]) -> Part:
    """Draw the features, the first ones given."""
    title = "What they look like now"
    if not found:
        return Part(title, why="no values were handed to the report")
    key = svg.legend([("champion", "reference"), ("challenger", "now")])
    pictures = "".join(_numeric(one) if one.edges else _levels(one) for one in found[:_MOST])
    return Part(title, f'{key}<div class="figures">{pictures}</div>')


def _numeric(one: Distribution) -> str:
    x = linear(one.edges[0], one.edges[-1], most=3)
    highest = max(*one.reference, *one.current, 1e-9)
    y = linear(0.0, 100 * spread([0.0, highest])[1], "% of the rows", most=4)
    alt = f"{short(one.name)}: shares of {len(one.reference)} bins on both sides"
    marks = "".join(
        svg.line(x, y, *_steps(one.edges, shares), kind)
        for shares, kind in ((one.reference, "champion"), (one.current, "challenger"))
    )
    return svg.figure(short(one.name, 40), svg.plot(alt, x, y, marks, height=190))


def _steps(edges: Sequence[float], shares: Sequence[float]) -> tuple[list[float], list[float]]:
    """Corners of a histogram's outline."""
    ends = np.repeat(np.asarray(edges, dtype=np.float64), 2)
    heights = np.concatenate([[0.0], np.repeat(100 * np.asarray(shares, dtype=np.float64), 2), [0.0]])
    return ends.tolist(), heights.tolist()


def _levels(one: Distribution) -> str:
    pairs = sorted(
        zip(one.levels, one.reference, one.current, strict=True), key=lambda pair: (-abs(pair[1] - pair[2]), pair[0])
    )
    rows = [[named(level, 40), html(percent(was)), html(percent(now))] for level, was, now in pairs[:_LEVELS]]
    left = len(pairs) - len(rows)
    below = f"{left} more levels moved less." if left > 0 else ""
    return svg.figure(short(one.name, 40), table(["level", "reference", "now"], rows, numbers=(1, 2)), below)
