"""Which features moved, and how far: a bar for each, with what chance alone would do."""

from collections.abc import Sequence

from flows.reports import svg
from flows.reports.drift.content import FeatureLine
from flows.reports.drift.naming import label
from flows.reports.page import table
from flows.reports.part import Part
from flows.reports.text import DASH, counted, html, named, p_value, percent, plain_number, signed

_MOST, _ROW, _LEFT, _RIGHT = 25, 24, 30.0, 90.0
_LISTED = 100
_ROOM = 12.0  # percent of the picture that a number needs between bar and mark
_KEY = (
    "Bar: PSI. Red: drifted, and far; amber: drifted; grey: not. "
    "Upright mark: what chance alone exceeds once in a thousand times."
)


def psi_bars(features: Sequence[FeatureLine]) -> Part:
    """Draw the population stability index of the features that moved most."""
    title = "How far each feature moved"
    able = [feature for feature in features if feature.measured]
    shown = sorted(able, key=lambda f: (-f.drifted, -f.psi, f.name))[:_MOST]
    if not shown:
        return Part(title, why="no feature could be compared")
    longest = max(0.05, *(max(f.psi, f.null_psi) for f in shown))
    rows = "".join(_row(n, feature, longest) for n, feature in enumerate(shown))
    alt = f"PSI of {counted(len(shown), 'feature')}; the largest is {plain_number(shown[0].psi)}"
    picture = f'<svg width="100%" height="{_ROW * len(shown) + 4}" role="img" aria-label="{html(alt)}">{rows}</svg>'
    left = len(able) - len(shown)
    more = f" {counted(left, 'more feature')} moved less." if left > 0 else ""
    silent = len(features) - len(able)
    more += f" {counted(silent, 'feature')} without values to compare: see the table." if silent else ""
    said = f"{_KEY}{more}"
    return Part(title, svg.figure("Population stability index", picture, said, wide=True))


def feature_table(features: Sequence[FeatureLine]) -> Part:
    """List every feature with its numbers."""
    title = "Every feature in numbers"
    if not features:
        return Part(title, why="no feature could be compared")
    weighed = any(f.importance is not None for f in features)
    head = ["feature", "drifted", "D or V", "adjusted p", "PSI", "missing", *(["importance"] if weighed else [])]
    rows = [_cells(f, weighed=weighed) for f in features[:_LISTED]]
    body = table([*head, "findings"], rows, numbers=tuple(range(2, len(head))), headed=True)
    left = len(features) - len(rows)
    return Part(title, body + (f'<p class="soft">{counted(left, "feature")} more.</p>' if left > 0 else ""))


def _cells(feature: FeatureLine, *, weighed: bool) -> list[str]:
    verdict = ("high" if feature.high else "yes") if feature.drifted else "no" if feature.measured else "unknown"
    known = feature.measured
    numbers = [
        html(plain_number(feature.statistic if known else None)),
        html(p_value(None, feature.adjusted) if known else DASH),
        html(plain_number(feature.psi if known else None)),
        html(signed(100 * feature.missing_change) + "%" if feature.missing_change else ""),
    ]
    weight = [html(percent(feature.importance) if feature.importance is not None else "")] if weighed else []
    return [named(feature.name), verdict, *numbers, *weight, html("; ".join(feature.findings))]


def _row(number: int, feature: FeatureLine, longest: float) -> str:
    top, wide = number * _ROW, _RIGHT - _LEFT
    width = max(0.3, wide * feature.psi / longest)
    mark = _LEFT + wide * feature.null_psi / longest
    end = _LEFT + width
    said_at = end if mark - end > _ROOM else max(end, mark)
    kind = "bad" if feature.high else "wait" if feature.drifted else "calm"
    return (
        f'<text x="{_LEFT - 1:g}%" y="{top + 16}" class="end">{label(feature.name)}</text>'
        f'<rect x="{_LEFT:g}%" y="{top + 5}" width="{width:.2f}%" height="14" class="psi {kind}"/>'
        f'<line x1="{mark:.2f}%" x2="{mark:.2f}%" y1="{top + 2}" y2="{top + 22}" class="chance"/>'
        f'<text x="{said_at + 1:.2f}%" y="{top + 16}" class="start soft">'
        f"{html(plain_number(feature.psi))}</text>"
    )
