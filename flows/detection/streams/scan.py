"""The detector by default: all recent windows against all rows before them."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flows.config.detection.streams import Streams
from flows.detection.streams.dependence import dependence
from flows.detection.streams.evidence import Before, BinaryEvidence, RealEvidence, cut_outliers, evidence, is_binary
from flows.detection.streams.thresholds import evidence_limits, window_widths

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
_GROWTH = 1.25  # a stretch ends at so many times the rows at its start
_KNOWN = 0.7  # share of the rows so far from which dependence is learned: the newest may have changed
_EFFECTIVE = 30  # independent rows that a level must rest on
_STEPS = 32  # a window moves on by this part of its width


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    Where the error changed.

    Attributes:
        row: At which it was noticed, counted from 0; since: at which the window begins that shows it best.
        before, after: Mean loss of the rows before `since`, and from there to `row`.
    """

    row: int
    since: int
    before: float
    after: float


def scan_rises(losses: Floats, options: Streams, before: Before | None = None) -> tuple[Change, ...]:
    """
    Rises of the error, each against the level since the last one.

    Windows of many widths end at each row; each is held against all rows before it since the last rise.
    It alarms by a likelihood ratio divided by what dependence takes from it.

    Args:
        losses: Shape (n,), finite, in time order: errors 0 and 1, or real losses.
        options: Run length, warm-up, and the range of the widths.
        before: The level before the first row, if it is known; without it the first
            `warm_up` rows tell, and small rises are found later.

    Returns:
        In time order. Without a rise one in `run_length` rows, on average.

    Source:
        Generalised likelihood ratio, both levels unknown: Siegmund, Venkatraman (1995),
        Ann. Stat. 23:255-271; Lai (1995), JRSS B 57:613-658.
    """
    return _scan(losses, options, before or Before(), falls=False)


def scan_falls(losses: Floats, options: Streams) -> tuple[Change, ...]:
    """
    Falls of the error, by the same measure as rises.

    Args:
        losses: As of `scan_rises`.
        options: As of `scan_rises`.
    """
    return _scan(losses, options, Before(), falls=True)


def _scan(losses: Floats, options: Streams, before: Before, *, falls: bool) -> tuple[Change, ...]:
    scanner = _Scanner(options, binary=is_binary(losses), falls=falls)
    found: list[Change] = []
    start = 0
    while (at := scanner.first(losses[start:], before)) is not None:
        end, since = start + at[0], start + at[1]
        level = float(losses[start:since].mean()) if since > start else before.mean
        found.append(Change(row=end - 1, since=since, before=level, after=float(losses[since:end].mean())))
        start, before = since, Before()
    return tuple(found)


class _Scanner:
    def __init__(self, options: Streams, *, binary: bool, falls: bool) -> None:
        self.widths = window_widths(options.shortest, options.longest)
        self.limits = evidence_limits(self.widths, options.run_length)
        self.warm_up, self.binary, self.falls = options.warm_up, binary, falls

    def first(self, losses: Floats, before: Before) -> tuple[int, int] | None:
        """End and start of the first window that alarms; None if none does."""
        edges = _edges(self.warm_up + int(self.widths[0]), losses.size)
        for low, high in pairwise(edges):
            found = self._stretch(losses[:high], low, before)
            if found is not None:
                return found
        return None

    def _stretch(self, losses: Floats, low: int, before: Before) -> tuple[int, int] | None:
        """Windows that end after *low* rows, up to the last."""
        known = max(self.warm_up, int(_KNOWN * low))
        kept = losses if self.binary else cut_outliers(losses, known)
        deflate = dependence(kept[:known], self.widths)
        measure = evidence(kept, before, binary=self.binary, falls=self.falls)
        least = np.maximum(np.maximum(self.warm_up, self.widths), _EFFECTIVE * deflate) - before.rows
        firsts = np.maximum(low + 1, np.ceil(np.maximum(least, 0)) + self.widths).astype(np.int64)
        end = losses.size + 1
        for place in np.flatnonzero(firsts <= losses.size).tolist():
            ends = _ends(int(firsts[place]), min(end, losses.size), int(self.widths[place]))
            over = measure.of(ends, int(self.widths[place])) >= self.limits[place] * deflate[place]
            if over.any():
                end = int(ends[int(np.argmax(over))])
        return None if end > losses.size else (end, self._since(measure, end, deflate, firsts))

    def _since(self, measure: BinaryEvidence | RealEvidence, end: int, deflate: Floats, firsts: Whole) -> int:
        """Start of the window, of those that end there, that shows the change best."""
        widths = self.widths[firsts <= end]
        at = np.array([end])
        shown = [float(measure.of(at, int(width))[0]) for width in widths] / deflate[: widths.size]
        return end - int(widths[int(np.argmax(shown))])


def _edges(first: int, last: int) -> list[int]:
    """Stretches that grow with the rows before them, so that all of them together cost one pass."""
    edges = [first]
    while edges[-1] < last:
        edges.append(min(last, math.ceil(edges[-1] * _GROWTH)))
    return edges


def _ends(first: int, last: int, width: int) -> Whole:
    step = max(1, width // _STEPS)
    return np.arange(-(-first // step) * step, last + 1, step)
