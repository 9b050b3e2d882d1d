"""Features against time: when did what begin to move?"""

from collections.abc import Sequence

from flows.reports import svg
from flows.reports.axes import clock
from flows.reports.drift.content import Past
from flows.reports.drift.naming import label
from flows.reports.part import Part
from flows.reports.text import counted, html, plain_number, short

_ROWS, _LOOKS, _HIGH, _LEFT, _RIGHT = 20, 60, 20, 30.0, 98.0
_STRONG = 0.5  # PSI from which a field is as dark as can be


def heat_map(history: Sequence[Past]) -> Part:
    """Draw the PSI of the features that ever moved most, look by look."""
    title = "When it began"
    looks = sorted(history, key=lambda past: past.at)
    if len(looks) < 2:
        return Part(title, why=f"there {'is one look' if looks else 'is no look'} in the history so far")
    looks = [looks[i] for i in svg.thinned(len(looks), _LOOKS)]
    names = _rows(looks)
    fields = "".join(_row(n, name, looks) for n, name in enumerate(names))
    alt = f"PSI of {counted(len(names), 'feature')} over {counted(len(looks), 'look')}"
    height = _HIGH * len(names)
    picture = (
        f'<svg width="100%" height="{height + 24}" role="img" aria-label="{html(alt)}">{fields}{_times(looks, height)}'
        "</svg>"
    )
    said = f"Stronger colour: a larger PSI, up to {plain_number(_STRONG)}. A frame: called drifted at that look."
    return Part(title, svg.figure("PSI by feature and look", picture, said, wide=True))


def _rows(looks: Sequence[Past]) -> list[str]:
    most: dict[str, tuple[bool, float]] = {}
    for look in looks:
        for name, psi in look.psi.items():
            was = most.get(name, (False, 0.0))
            most[name] = (was[0] or name in look.drifted, max(was[1], psi))
    return sorted(most, key=lambda name: (not most[name][0], -most[name][1], name))[:_ROWS]


def _row(number: int, name: str, looks: Sequence[Past]) -> str:
    top, wide = number * _HIGH, (_RIGHT - _LEFT) / len(looks)
    said = f'<text x="{_LEFT - 1:g}%" y="{top + 14}" class="end">{label(name)}</text>'
    return said + "".join(
        _field(name, look, f'x="{_LEFT + n * wide:.2f}%" y="{top + 1}" width="{max(0.2, wide - 0.15):.2f}%"')
        for n, look in enumerate(looks)
        if name in look.psi
    )


def _field(name: str, look: Past, place: str) -> str:
    psi, moved = look.psi[name], name in look.drifted
    shade = min(1.0, 0.06 + 0.94 * psi / _STRONG)
    said = f"{short(name)}: PSI {plain_number(psi)}{', drifted' if moved else ''}"
    kind = "heat moved" if moved else "heat"
    shape = f'height="{_HIGH - 3}" fill-opacity="{shade:.2f}" class="{kind}"'
    return f"<rect {place} {shape}><title>{html(said)}</title></rect>"


def _times(looks: Sequence[Past], height: int) -> str:
    axis = clock(looks[0].at, looks[-1].at, most=5)
    wide = _RIGHT - _LEFT
    return "".join(
        f'<text x="{_LEFT + axis.share(at) * wide:.2f}%" y="{height + 18}" class="mid soft">{html(said)}</text>'
        for at, said in axis.ticks
    )
