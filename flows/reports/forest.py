"""A forest plot: every effect with its interval, around the line of no difference."""

from collections.abc import Sequence
from html import escape

from registry.records.verdict import Finding

_WIDTH, _LABEL, _SAID, _ROW = 880, 150, 200, 34


def forest(findings: Sequence[Finding]) -> str:
    """
    Draw the findings that have an estimate; each on a scale of its own, zero in the middle.

    Metrics have different units, so a common axis would show only the largest one.
    """
    shown = [finding for finding in findings if finding.estimate is not None]
    if not shown:
        return '<p class="soft">No effect could be estimated yet.</p>'
    height = _ROW * len(shown) + 40
    middle = _LABEL + (_WIDTH - _LABEL - _SAID) / 2
    rows = "".join(_row(finding, 24 + index * _ROW, middle) for index, finding in enumerate(shown))
    zero = f'<line x1="{middle}" x2="{middle}" y1="6" y2="{height - 28}" stroke="var(--soft)" stroke-dasharray="3 3"/>'
    hints = _hint(_LABEL, height, "&#8592; champion better")
    hints += _hint(_WIDTH - _SAID - 150, height, "challenger better &#8594;")
    label = "Effects with their intervals, challenger minus champion"
    picture = f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{zero}{rows}{hints}</svg>'
    return f'{picture}<p class="soft">Every row has a scale of its own.</p>'


def _hint(x: float, height: float, said: str) -> str:
    return f'<text x="{x}" y="{height - 8}" style="fill:var(--soft)">{said}</text>'


def _row(finding: Finding, y: float, middle: float) -> str:
    estimate = finding.estimate or 0.0
    low, high = finding.low, finding.high
    reach = max(abs(value) for value in (estimate, low or 0.0, high or 0.0)) or 1.0
    half = (_WIDTH - _LABEL - _SAID) / 2 - 8

    def x(value: float | None, edge: float) -> float:
        return edge if value is None else middle + value / reach * half

    left, right = x(low, middle - half), x(high, middle + half)
    color = {True: "var(--good)", False: "var(--bad)", None: "var(--mark)"}[finding.passed]
    return (
        f'<text x="0" y="{y + 4}">{escape(finding.name)}</text>'
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="3"/>'
        f'<circle cx="{x(estimate, middle):.1f}" cy="{y}" r="5" fill="{color}"/>'
        f'<text x="{_WIDTH - _SAID + 8}" y="{y + 4}">{_interval(estimate, low, high)}</text>'
    )


def _interval(estimate: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{estimate:+.3g} (unbounded)"
    return f"{estimate:+.3g} [{low:.2g}, {high:.2g}]"
