"""
Pictures as inline SVG: small, sharp, in the page's colours, and the same bytes every time.

Places along a picture are shares of its width, so that letters keep their size on a phone.
Curves live in an inner picture of 1000 x 1000 units that is stretched to fit; strokes are not.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike

from flows.reports.axes import SPAN, Axis
from flows.reports.text import html

LEFT, RIGHT, TOP, BOTTOM = 12.5, 97.5, 10, 42  # per cent, per cent, pixels, pixels


def figure(title: str, picture: str, said: str = "", *, wide: bool = False) -> str:
    """A picture with its heading, and a sentence that says what to see."""
    kind = "chart wide" if wide else "chart"
    below = f'<p class="soft">{said}</p>' if said else ""
    return f'<figure class="{kind}"><figcaption>{html(title)}</figcaption>{picture}{below}</figure>'


def plot(alt: str, x: Axis, y: Axis, marks: str, *, height: int = 260) -> str:
    """
    Axes with *marks* between them.

    Args:
        alt: What the picture shows, for those who cannot see it.
        marks: Made by the functions below, with the same axes.
        height: In pixels; the width is that of the page.
    """
    top = TOP + (16 if y.title else 0)
    inside = height - top - BOTTOM
    inner = (
        f'<svg x="{LEFT}%" y="{top}" width="{RIGHT - LEFT:g}%" height="{inside}" viewBox="0 0 {SPAN} {SPAN}" '
        f'preserveAspectRatio="none" overflow="visible">{_grid(x, y)}{marks}</svg>'
    )
    return (
        f'<svg width="100%" height="{height}" role="img" aria-label="{html(alt)}">'
        f"{inner}{_x_labels(x, height)}{_y_labels(y, top, inside)}</svg>"
    )


def line(x: Axis, y: Axis, xs: ArrayLike, ys: ArrayLike, kind: str) -> str:
    """A line through the points; it breaks where a value is missing."""
    good = np.isfinite(np.asarray(xs, dtype=np.float64)) & np.isfinite(np.asarray(ys, dtype=np.float64))
    runs = np.split(np.arange(good.size), np.flatnonzero(np.diff(good.astype(np.int8))) + 1)
    px, py = x.places(np.where(good, xs, x.low)), SPAN - y.places(np.where(good, ys, y.low))
    path = "".join(_through(px[run], py[run]) for run in runs if run.size and good[run[0]])
    return f'<path class="line {kind}" d="{path}"/>' if path else ""


def band(x: Axis, y: Axis, xs: ArrayLike, lows: ArrayLike, highs: ArrayLike, kind: str) -> str:
    """The area between two curves; infinite bounds end at the edge."""
    px, lower, upper = x.places(xs), SPAN - y.places(lows), SPAN - y.places(highs)
    if px.size == 0:
        return ""
    there, back = _through(px, upper), _through(px[::-1], lower[::-1])
    return f'<path class="band {kind}" d="{there}L{back[1:]}Z"/>'


def dots(x: Axis, y: Axis, xs: ArrayLike, ys: ArrayLike, kind: str) -> str:
    """Points: a stroke without length, whose ends are drawn."""
    px, py = x.places(xs), SPAN - y.places(ys)
    path = "".join(f"M{a} {b}h0" for a, b in zip(px.tolist(), py.tolist(), strict=True))
    return f'<path class="dots {kind}" d="{path}"/>' if path else ""


def whiskers(x: Axis, y: Axis, xs: ArrayLike, lows: ArrayLike, highs: ArrayLike, kind: str) -> str:
    """Upright intervals."""
    px, lower, upper = x.places(xs), SPAN - y.places(lows), SPAN - y.places(highs)
    path = "".join(f"M{a} {b}V{c}" for a, b, c in zip(px.tolist(), lower.tolist(), upper.tolist(), strict=True))
    return f'<path class="thin {kind}" d="{path}"/>' if path else ""


def across(y: Axis, value: float, kind: str) -> str:
    """A level line, if it lies in the picture."""
    if not y.low <= value <= y.high:
        return ""
    return f'<path class="rule {kind}" d="M0 {SPAN - round(y.share(value) * SPAN)}H{SPAN}"/>'


def upright(x: Axis, value: float, kind: str) -> str:
    """An upright line, if it lies in the picture."""
    if not x.low <= value <= x.high:
        return ""
    return f'<path class="rule {kind}" d="M{round(x.share(value) * SPAN)} 0V{SPAN}"/>'


def diagonal(x: Axis, y: Axis) -> str:
    """Where both are equal."""
    low, high = max(x.low, y.low), min(x.high, y.high)
    return line(x, y, [low, high], [low, high], "ideal")


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """
    Say which stroke is which.

    Args:
        entries: Kind of the stroke, and its name as HTML.
    """
    swatch = '<svg width="34" height="12" aria-hidden="true"><path class="line {0}" d="M1 6H33"/>{1}</svg>'
    dot = '<path class="dots {0}" d="M17 6h0"/>'
    items = "".join(
        f"<span>{swatch.format(kind, dot.format(kind) if kind in ('champion', 'challenger') else '')} {said}</span>"
        for kind, said in entries
    )
    return f'<p class="key">{items}</p>'


def thinned(n: int, most: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """
    Indices of at most *most* of n points, evenly, with both ends.

    Example:
        >>> thinned(9, 3).tolist(), thinned(2, 5).tolist()
        ([0, 4, 8], [0, 1])
    """
    if n <= most:
        return np.arange(n)
    return np.unique(np.rint(np.linspace(0, n - 1, most)).astype(np.int64))


def _through(px: np.ndarray[tuple[int], np.dtype[np.int64]], py: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    points = [point for point, _ in groupby(zip(px.tolist(), py.tolist(), strict=True))]
    if len(points) == 1:
        points *= 2
    return "M" + "L".join(f"{a} {b}" for a, b in points)


def _grid(x: Axis, y: Axis) -> str:
    ups = "".join(f"M{round(x.share(value) * SPAN)} 0V{SPAN}" for value, _ in x.ticks)
    overs = "".join(f"M0 {SPAN - round(y.share(value) * SPAN)}H{SPAN}" for value, _ in y.ticks)
    return f'<path class="grid" d="{ups}{overs}"/><path class="frame" d="M0 0V{SPAN}H{SPAN}"/>'


def _x_labels(x: Axis, height: int) -> str:
    wide = RIGHT - LEFT
    ticks = "".join(
        f'<text x="{LEFT + x.share(value) * wide:.2f}%" y="{height - BOTTOM + 17}" class="mid">{html(said)}</text>'
        for value, said in x.ticks
    )
    title = f'<text x="{LEFT + wide / 2:g}%" y="{height - 4}" class="mid soft">{html(x.title)}</text>'
    return ticks + (title if x.title else "")


def _y_labels(y: Axis, top: int, inside: int) -> str:
    title = f'<text x="0" y="12" class="soft">&#8593; {html(y.title)}</text>' if y.title else ""
    return title + "".join(
        f'<text x="{LEFT - 1}%" y="{top + (1 - y.share(value)) * inside + 4:.1f}" class="end">{html(said)}</text>'
        for value, said in y.ticks
    )
