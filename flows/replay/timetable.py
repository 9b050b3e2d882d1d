"""When which rows are sent, labels delivered and flows called: pure, so that a resumed replay finds the same stops."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flows.replay.batches import Batch

Times = NDArray[np.float64]
MOST_ROWS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """
    One stop of the virtual clock.

    Attributes:
        first, last: Rows sent at this stop are first <= row < last.
        now: Virtual clock after them, in epoch seconds.
        batch: Number of the batch, from 0.
        ends_batch: Whether the monitor looks now.
    """

    first: int
    last: int
    now: float
    batch: int
    ends_batch: bool


def timetable(times: Times, *, start: int, batch: Batch, ticks: int = 4, most_rows: int = MOST_ROWS) -> list[Stop]:
    """
    Lay out every stop of a replay.

    Args:
        times: Shape (n,), epoch seconds, ascending.
        start: First row that is sent; those before train the first champion.
        batch: Size of one batch; a stretch of time without rows makes none.
        ticks: Stops per batch, at least, as far as there are rows: a rollout moves
            by at most one step at each.
        most_rows: Rows of one request, at most.

    Returns:
        Stops that cover start <= row < n without gap or overlap.
    """
    stops: list[Stop] = []
    for number, (first, last) in enumerate(_batches(times, start, batch)):
        edges = _edges(first, last, ticks, most_rows)
        stops += [
            Stop(first=a, last=b, now=float(times[b - 1]), batch=number, ends_batch=b == last)
            for a, b in pairwise(edges)
        ]
    return stops


def arrived(times: Times, delay: float, now: float) -> int:
    """
    Count the rows whose label is known at *now*; always the first ones, as the delay is the same for all.

    Example:
        >>> arrived(np.array([0.0, 60.0, 120.0]), 60.0, 120.0)
        2
    """
    return int(np.searchsorted(times, now - delay, side="right"))


def _batches(times: Times, start: int, batch: Batch) -> Iterator[tuple[int, int]]:
    if batch.duration is None:
        size = batch.rows or 1
        yield from ((first, min(first + size, len(times))) for first in range(start, len(times), size))
        return
    length, first = batch.duration.total_seconds(), start
    while first < len(times):
        number = int((times[first] - times[start]) // length)
        edge = times[start] + (number + 1) * length
        last = max(int(np.searchsorted(times, edge, side="left")), first + 1)
        yield first, last
        first = last


def _edges(first: int, last: int, ticks: int, most_rows: int) -> list[int]:
    rows = last - first
    parts = min(max(ticks, -(-rows // most_rows)), rows)
    return [first + rows * part // parts for part in range(parts + 1)]
