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
_REMEMBERED = 5_000  # rows of earlier levels that dependence is learned from, too
_EFFECTIVE = 30  # independent rows that a level must rest on
_STEPS = 32  # a window moves on by this part of its width


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    Where the error changed.

    Attributes:
        row: At which it was noticed, counted from 0; since: from which on it most likely holds.
        before, after: Mean loss of the rows before `since`, and from there to `row`.
    """

    row: int
    since: int
    before: float
    after: float


def scan_changes(losses: Floats, options: Streams, before: Before | None = None) -> tuple[Change, ...]:
    """
    Rises of the error, and the falls that end them.

    Windows of many widths end at each row; each is held against all rows before it since the last change.
    It alarms by a likelihood ratio divided by what dependence takes from it. Only after a rise a fall counts:
    else a season's low would make its return a rise.

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
    scanner = _Scanner(options, binary=is_binary(losses))
    known, risen = before or Before(), False
    found: list[Change] = []
    start = 0
    while (at := scanner.first(losses[start:], known, rises=True, falls=risen)) is not None:
        change = _change(losses, start, at, known)
        level = losses[start : change.since]
        falls = () if risen else scan_falls(level, options)
        for part in np.split(level, [fall.since for fall in falls]):
            scanner.learn(part)
        found.append(change)
        start, known, risen = change.since, Before(), change.after > change.before
    return tuple(found)


def scan_falls(losses: Floats, options: Streams) -> tuple[Change, ...]:
    """
    Falls of the error from a level that had not risen, by the same measure.

    Args:
        losses: As of `scan_changes`.
        options: As of `scan_changes`.
    """
    scanner = _Scanner(options, binary=is_binary(losses))
    found: list[Change] = []
    start = 0
    while (at := scanner.first(losses[start:], Before(), rises=False, falls=True)) is not None:
        found.append(_change(losses, start, at, Before()))
        scanner.learn(losses[start : found[-1].since])
        start = found[-1].since
    return tuple(found)


def _change(losses: Floats, start: int, at: tuple[int, int], known: Before) -> Change:
    end, since = start + at[0], start + at[1]
    level = float(losses[start:since].mean()) if since > start else known.mean
    return Change(row=end - 1, since=since, before=level, after=float(losses[since:end].mean()))


class _Scanner:
    """Finds one change after the other; what earlier levels taught about dependence stays."""

    def __init__(self, options: Streams, *, binary: bool) -> None:
        self.widths = window_widths(options.shortest, options.longest)
        self.limits = evidence_limits(self.widths, options.run_length)
        self.warm_up, self.binary = options.warm_up, binary
        self.past = np.empty(0)

    def learn(self, level: Floats) -> None:
        """Rows of a level that has ended: how they hang together."""
        self.past = np.concatenate([self.past, self._standard(level)])[-_REMEMBERED:]

    def first(self, losses: Floats, before: Before, *, rises: bool, falls: bool) -> tuple[int, int] | None:
        """End and start of the first window that alarms; None if none does."""
        directions = [down for down, asked in ((False, rises), (True, falls)) if asked]
        for low, high in pairwise(_edges(self.warm_up + int(self.widths[0]), losses.size)):
            stretch = self._prepared(losses[:high], low, before)
            found = [at for down in directions if (at := self._alarm(stretch, down=down)) is not None]
            if found:
                return min(found)
        return None

    def _standard(self, level: Floats) -> Floats:
        kept = level if self.binary or not level.size else cut_outliers(level, level.size)
        spread = float(kept.std()) if level.size else 0.0
        return (kept - kept.mean()) / spread if spread > 0 else kept[:0]

    def _prepared(self, losses: Floats, low: int, before: Before) -> "_Stretch":
        known = max(self.warm_up, int(_KNOWN * low))
        kept = losses if self.binary else cut_outliers(losses, known)
        deflate = dependence(np.concatenate([self.past, self._standard(losses[:known])]), self.widths)
        least = np.maximum(np.maximum(self.warm_up, self.widths), _EFFECTIVE * deflate) - before.rows
        firsts = np.maximum(low + 1, np.ceil(np.maximum(least, 0)) + self.widths).astype(np.int64)
        return _Stretch(kept, before, deflate, firsts)

    def _alarm(self, stretch: "_Stretch", *, down: bool) -> tuple[int, int] | None:
        measure = evidence(stretch.losses, stretch.before, binary=self.binary, falls=down)
        last = stretch.losses.size
        end = last + 1
        for place in np.flatnonzero(stretch.firsts <= last).tolist():
            width = int(self.widths[place])
            ends = _ends(int(stretch.firsts[place]), min(end, last), width)
            over = measure.of(ends, width) >= self.limits[place] * stretch.deflate[place]
            if over.any():
                end = int(ends[int(np.argmax(over))])
        return None if end > last else (end, self._since(measure, end, stretch))

    def _since(self, measure: BinaryEvidence | RealEvidence, end: int, stretch: "_Stretch") -> int:
        """Start of the window that shows the change best, of all that end there."""
        longest = int(self.widths[stretch.firsts <= end][-1])
        widths = np.arange(1, longest + 1)
        place = np.maximum(np.searchsorted(self.widths, widths, side="right") - 1, 0)
        shown = measure.of(np.full(longest, end), widths) / stretch.deflate[place]
        return end - int(widths[int(np.argmax(shown))])


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Losses up to the stretch's end, what dependence takes, and the first row at which each width may end."""

    losses: Floats
    before: Before
    deflate: Floats
    firsts: Whole


def _edges(first: int, last: int) -> list[int]:
    """Stretches that grow with the rows before them, so that all of them together cost one pass."""
    edges = [first]
    while edges[-1] < last:
        edges.append(min(last, math.ceil(edges[-1] * _GROWTH)))
    return edges


def _ends(first: int, last: int, width: int) -> Whole:
    step = max(1, width // _STEPS)
    return np.arange(-(-first // step) * step, last + 1, step)
