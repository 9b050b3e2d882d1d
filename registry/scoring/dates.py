"""Dates as a model sees them: where a moment lies within its day, its week and its year, in UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.records.base import Record

DAY = 86_400.0
WEEK = 7 * DAY
YEAR = 365.2425 * DAY
"""The mean year of the calendar, so that the day of the year is right to one day."""
_MONDAY = 4 * DAY  # 5 January 1970
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_800.0  # the years 1 to 9999, which is the calendar
_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII)


class Cycle(Record, frozen=True, kw_only=True):
    """
    Where a moment lies within a period that repeats, in seconds.

    Attributes:
        period: Seconds.
        start: Epoch second at which one begins.
        step: Rounded down to whole steps of so many seconds; 0: not at all.
        lag: If given, how far it is from the middle of a period that begins *lag* later: 0 in
            the middle, half a period at both ends. Two of them, a quarter apart, are to a
            sum of products what sine and cosine are.
    """

    period: float
    start: float = 0.0
    step: float = 0.0
    lag: float | None = None


PARTS = (Cycle(period=DAY), Cycle(period=WEEK, start=_MONDAY, step=DAY), Cycle(period=YEAR))
"""Hour of the day, weekday and day of the year."""
WAVES = tuple(
    Cycle(period=one.period, start=one.start, step=one.step, lag=lag) for one in PARTS for lag in (0.0, one.period / 4)
)
"""The same for sums of products: Sunday is next to Monday, and midnight to midnight."""


def cycle_mistakes(cycle: Cycle) -> list[str]:
    """Say what could not be computed."""
    fine = all(map(isfinite, (cycle.period, cycle.start, cycle.step, cycle.lag or 0.0)))
    return [] if fine and cycle.period > 0 and cycle.step >= 0 else ["a period must be above 0, and all finite"]


def turned(seconds: NDArray[np.float64], cycle: Cycle) -> NDArray[np.float64]:
    """
    Place moments within *cycle*; NaN stays NaN.

    Nothing but sums, products and rounding: machine code, which does the same, gets the same bits.
    """
    value = _within(seconds - cycle.start, cycle.period)
    if cycle.step > 0:
        value = np.floor(value / cycle.step) * cycle.step
    if cycle.lag is None:
        return value
    return np.asarray(np.abs(_within(value - cycle.lag, cycle.period) - cycle.period / 2), dtype=np.float64)


def phases(table: Any) -> NDArray[np.float64]:
    """Make of each column of epoch seconds its `PARTS`, for trees; shape (n, 3 * columns)."""
    return _each(table, PARTS)


def waves(table: Any) -> NDArray[np.float64]:
    """Make of each column of epoch seconds its `WAVES`, for sums of products; shape (n, 6 * columns)."""
    return _each(table, WAVES)


CYCLES: dict[Callable[[Any], NDArray[np.float64]], tuple[Cycle, ...]] = {phases: PARTS, waves: WAVES}
"""What each of them makes of one column, in order."""


def moment_of(value: Any) -> float:
    """
    Read a date: ISO 8601 text, in UTC if it has no zone, or epoch seconds.

    Raises:
        ValueError: If it is none, or lies outside the years 1 to 9999.
    """
    if isinstance(value, str) and _ISO.fullmatch(value):
        moment = datetime.fromisoformat(value)
        since = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH
        return float(since // _TICK) / 1e6
    if isinstance(value, int | float) and not isinstance(value, bool) and EARLIEST <= value < LATEST:
        return float(value)
    raise ValueError(f"{value!r} is no date")


def _within(value: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    return np.asarray(value - period * np.floor(value / period), dtype=np.float64)


def _each(table: Any, cycles: tuple[Cycle, ...]) -> NDArray[np.float64]:
    seconds = np.asarray(table, dtype=np.float64)
    parts = [turned(seconds[:, place], cycle) for place in range(seconds.shape[1]) for cycle in cycles]
    return np.stack(parts, axis=1)
