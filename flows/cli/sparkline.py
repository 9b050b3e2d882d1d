"""A time series in one line of text."""

import math
from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(values: Sequence[float | None], width: int = 60) -> str:
    """
    One character per value, oldest first; of more than *width* values the largest of each stretch.

    What is not known is a dot, so that a gap is never taken for a low value.

    Example:
        >>> sparkline([0.0, 0.5, None, 1.0])
        '▁▅·█'
    """
    shown = _thinned(values, width)
    known = [value for value in shown if value is not None]
    if not known:
        return _GAP * len(shown)
    low, high = min(known), max(known)
    step = (high - low) / (len(_BARS) - 1)
    return "".join(_GAP if v is None else _BARS[math.floor((v - low) / step + 0.5) if step else 0] for v in shown)


def _thinned(values: Sequence[float | None], width: int) -> list[float | None]:
    known = [value if value is not None and math.isfinite(value) else None for value in values]
    if len(known) <= width:
        return known
    edges = [len(known) * place // width for place in range(width + 1)]
    return [max((v for v in known[start:end] if v is not None), default=None) for start, end in pairwise(edges)]
