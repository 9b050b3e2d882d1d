"""Scales: from values to places in a picture, with ticks that people would choose."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.reports.text import plain_number, signed

SPAN = 1000  # a picture's inner units, from edge to edge
_LEAST, _MOST = 1e-200, 1e300  # differences beyond would underflow or overflow
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    *(1, 5, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 3, 7, 14, 28, 91, 182, 365, 1826, 3652, 36_525)),
)


class Axis(NamedTuple):
    """A range of values and where it is marked."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str = ""

    def share(self, value: float) -> float:
        """How far along *value* lies, from 0 to 1; outside ends at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def places(self, values: ArrayLike) -> NDArray[np.int64]:
        """The same for many, in inner units."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        return np.asarray(np.rint((inside - self.low) / (self.high - self.low) * SPAN), dtype=np.int64)


def linear(low: float, high: float, title: str = "", *, unit: str = "", most: int = 5, signs: bool = False) -> Axis:
    """
    An axis at least from *low* to *high*, with round ticks.

    Example:
        >>> [said for _, said in linear(0.0, 0.37).ticks]
        ['0', '0.1', '0.2', '0.3']
    """
    low, high = _opened(low, high)
    step = _round_step((high - low) / most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    say = signed if signs else plain_number
    ticks = tuple((n * step, f"{say(_exact(n * step, step))}{unit}") for n in range(first, last + 1))
    return Axis(low, high, ticks, title)


def shares(title: str) -> Axis:
    """An axis of probabilities."""
    return Axis(0.0, 1.0, tuple((n / 4, f"{25 * n}%") for n in range(5)), title)


def clock(low: float, high: float, title: str = "", *, most: int = 4) -> Axis:
    """
    An axis of moments, in UTC.

    Args:
        low, high: Epoch seconds.
    """
    low, high = _opened(low, high)
    wide = _STEPS[-1] * math.ceil((high - low) / _STEPS[-1] / most)
    step = next((s for s in _STEPS if (high - low) / s <= most + (2 if _DAY <= s < 91 * _DAY else 0)), wide)
    first = math.ceil(low / step)
    form = _form(step, low, high)
    moments = range(first * step, int(high) + 1, step)
    return Axis(low, high, tuple((float(at), _moment(at, form)) for at in moments), title)


def spread(values: Iterable[float | None], *, pad: float = 0.06) -> tuple[float, float]:
    """
    Smallest range around the finite values, with some air.

    Example:
        >>> spread([0.0, 10.0, None, float("inf")], pad=0.1)
        (-1.0, 11.0)
    """
    known = [max(-_MOST, min(_MOST, v)) for v in values if v is not None and math.isfinite(v)]
    if not known:
        return 0.0, 1.0
    air = (max(known) - min(known)) * pad
    return min(known) - air, max(known) + air


def _opened(low: float, high: float) -> tuple[float, float]:
    """A range that is not empty: where all values are equal, some air around them."""
    low, high = max(low, -_MOST), min(high, _MOST)
    least = max(1e-9 * max(abs(low), abs(high)), _LEAST)
    if high - low > least:
        return low, high
    air = 0.5 * abs(low) if abs(low) > _LEAST else 0.5
    return low - air, high + air


def _round_step(rough: float) -> float:
    scale = 10.0 ** math.floor(math.log10(rough))
    return scale * next((nice for nice in (1.0, 2.0, 5.0) if rough <= nice * scale * (1 + 1e-9)), 10.0)


def _exact(value: float, step: float) -> float:
    places = max(0, -math.floor(math.log10(step)))
    return round(value, min(places, 300))


def _form(step: int, low: float, high: float) -> str:
    if step >= 91 * _DAY:
        return "%b %Y"
    if step >= _DAY:
        return "%-d %b"
    if high - low >= _DAY:
        return "%-d %b %H:%M"
    return "%H:%M" if step >= _MINUTE else "%H:%M:%S"


def _moment(at: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return plain_number(at)
