"""Past looks as pictures: a page of its own, or one SVG file."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from flows.reports.axes import Axis, clock, linear, spread
from flows.reports.page import page
from flows.reports.style import STYLE
from flows.reports.svg import dots, figure, line, plot
from flows.reports.text import html, named, plain_number
from registry.records.history import PastLook

_WIDE, _HIGH, _HEAD = 900, 260, 28


class Series(NamedTuple):
    """One curve; NaN where nothing is known."""

    title: str
    at: list[float]
    values: list[float]
    marked: list[bool]


def history_page(model: str, looks: Sequence[PastLook], feature: str | None = None) -> str:
    """
    Draw a self-contained HTML page.

    Args:
        model: Its name.
        looks: Oldest first.
        feature: Draw its numbers beside the error; all features' number of drifts if None.
    """
    title = _title(model, feature)
    if not looks:
        return page(title, f"<h1>{html(title)}</h1><p>There was no look yet.</p>", strict=True)
    pictures = "".join(figure(one.title, _picture(one), _said(one), wide=True) for one in _series(looks, feature))
    span = f"{_day(looks[0].at)} to {_day(looks[-1].at)}, {len(looks)} looks. Dots: drifted, or a retraining triggered."
    heading = f"<h1>{named(title)}</h1><p class='soft'>{html(span)}</p>"
    return page(title, f"{heading}{pictures}", strict=True)


def history_picture(model: str, looks: Sequence[PastLook], feature: str | None = None) -> str:
    """Draw the same curves as one SVG file, below each other."""
    curves = _series(looks, feature) if looks else []
    parts = [
        f'<svg y="{_HEAD + place * (_HIGH + _HEAD)}" width="{_WIDE}" height="{_HIGH + _HEAD}">'
        f'<text x="0" y="18">{html(one.title)}</text><svg class="chart" y="{_HEAD}">{_picture(one)}</svg></svg>'
        for place, one in enumerate(curves)
    ]
    high = _HEAD + max(1, len(curves)) * (_HIGH + _HEAD)
    said = "" if curves else '<text x="0" y="60">There was no look yet.</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDE}" height="{high}" viewBox="0 0 {_WIDE} {high}">'
        f"<style>{html(STYLE)}</style><text x='0' y='18'>{html(_title(model, feature))}</text>"
        f"{said}{''.join(parts)}</svg>\n"
    )


def _title(model: str, feature: str | None) -> str:
    return f"{model}: {feature}" if feature is not None else f"{model}: drift history"


def _series(looks: Sequence[PastLook], feature: str | None) -> list[Series]:
    at = [look.at.timestamp() for look in looks]
    error = Series("Error", at, [_number(look.error) for look in looks], [look.triggered for look in looks])
    if feature is None:
        counts = [float(len(look.drifted)) if look.enough else float("nan") for look in looks]
        return [Series("Drifted features", at, counts, [bool(look.drifted) for look in looks]), error]
    points = [look.features.get(feature) for look in looks]
    drifted = [point is not None and point.drifted for point in points]
    curves = {"Population stability index": "psi", "KS D or Cramer's V": "statistic", "Adjusted p-value": "adjusted"}
    made = [
        Series(title, at, [_number(getattr(point, name)) if point else float("nan") for point in points], drifted)
        for title, name in curves.items()
    ]
    return [*made, error]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _picture(one: Series) -> str:
    x, y = clock(min(one.at), max(one.at)), _upright(one.values)
    marked = [
        (at, value)
        for at, value, mark in zip(one.at, one.values, one.marked, strict=True)
        if mark and math.isfinite(value)
    ]
    spots = dots(x, y, [at for at, _ in marked], [value for _, value in marked], "challenger")
    return plot(_said(one), x, y, line(x, y, one.at, one.values, "challenger") + spots, height=_HIGH)


def _upright(values: Sequence[float]) -> Axis:
    low, high = spread([0.0, *values])
    return linear(max(low, 0.0) if min(low, 0.0) > -0.1 * high else low, high)


def _said(one: Series) -> str:
    known = [value for value in one.values if math.isfinite(value)]
    if not known:
        return f"{one.title}: never known."
    return f"{one.title}: {plain_number(min(known))} to {plain_number(max(known))}, last {plain_number(known[-1])}."


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
