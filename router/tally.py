"""Counts of one worker since it started: plain numbers, touched by its event loop only."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf

import msgspec

from registry.eventlog.events import Predicted
from registry.records.plan import TrafficPlan

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
"""Upper bounds of the latency buckets, in milliseconds; the last bucket has none."""
MOST_REASONS = 16
MOST_PAST = 64
"""Tallies of former phases that stay apart: requests under way may still count in them."""
MOST_VERSIONS, OLDER = 128, "older"
"""Former versions that stay apart, and the name of all before them: a board has no room for the history of years."""
Key = tuple[str, str, str, str]


class Tally(msgspec.Struct, array_like=True):
    """
    What one variant did in one phase, counted by the variant assigned.

    Attributes:
        cap_ms: Latencies count for the guards with at most this: the deadline.
        rows: Answered by the variant itself, all; enrolled: of these, those that take part.
        fallbacks: By reason, rows answered by the champion instead: [all, enrolled].
        errors: By reason, rows that nobody answered: [all, enrolled].
        asked: Requests with enrolled rows, for the guards (all but those of a stopped variant): its rows
            are answered, or not, together, so that a hundred of them that come late are one hiccup.
        suspect: Failures among them.
        timed: Calls of enrolled rows that it answered, or answered too late.
        sum_ms, squares: Of the latencies of these calls, at most cap_ms each.
        total_ms, buckets: Of the latencies of all such calls; counts per bucket of `BOUNDS`.
    """

    model: str
    phase: str
    variant: str
    version: str
    cap_ms: float = inf
    rows: int = 0
    enrolled: int = 0
    fallbacks: dict[str, list[int]] = {}
    errors: dict[str, list[int]] = {}
    asked: int = 0
    suspect: int = 0
    timed: int = 0
    sum_ms: float = 0.0
    squares: float = 0.0
    total_ms: float = 0.0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def answered(self, n: int, enrolled: int, latency_ms: float, requests: int = 1) -> None:
        """One call that it answered: *n* rows of so many *requests*, of which *enrolled* take part."""
        self.rows += n
        self.total_ms += latency_ms
        self.buckets[bisect_left(BOUNDS, latency_ms)] += 1
        if enrolled:
            self.enrolled += enrolled
            self.asked += requests
            latency_ms = min(latency_ms, self.cap_ms)
            self.timed += 1
            self.sum_ms += latency_ms
            self.squares += latency_ms * latency_ms

    def fell_back(self, reason: str, n: int, enrolled: int, latency_ms: float, requests: int = 1) -> None:
        """One call that the champion answered instead; it has a latency only if it was late."""
        _add(self.fallbacks, reason, n, enrolled)
        if reason != "stopped":
            self._failure(reason, enrolled, latency_ms, requests)

    def failed(self, reason: str, n: int, enrolled: int, latency_ms: float) -> None:
        """One call that nobody answered."""
        _add(self.errors, reason, n, enrolled)
        self._failure(reason, enrolled, latency_ms, 1)

    def merge(self, other: "Tally") -> None:
        """Take the counts of another worker, or of another phase, in."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.buckets = [ours + theirs for ours, theirs in zip(self.buckets, other.buckets, strict=True)]
        for mine, its in ((self.fallbacks, other.fallbacks), (self.errors, other.errors)):
            for reason, (n, enrolled) in its.items():
                _add(mine, reason, n, enrolled)

    @property
    def key(self) -> Key:
        """Model, phase, variant and version."""
        return self.model, self.phase, self.variant, self.version

    def _failure(self, reason: str, enrolled: int, latency_ms: float, requests: int) -> None:
        if enrolled:
            self.asked += requests
            self.suspect += requests
        if reason != "deadline":
            return
        self.total_ms += latency_ms
        self.buckets[bisect_left(BOUNDS, latency_ms)] += 1
        if enrolled:
            latency_ms = min(latency_ms, self.cap_ms)
            self.timed += 1
            self.sum_ms += latency_ms
            self.squares += latency_ms * latency_ms


_SUMS = ("rows", "enrolled", "asked", "suspect", "timed", "sum_ms", "squares", "total_ms")


class Tallies:
    """All tallies of one worker."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Tally] = {}

    def of(self, plan: TrafficPlan, variant: str) -> Tally:
        """The tally of one arm of a plan; the same object as long as phase and version stay."""
        tally = self._of((plan.model, plan.phase, variant, plan.version_of(variant)))
        tally.cap_ms = plan.guards.deadline_ms
        return tally

    def count(self, events: Sequence[Predicted]) -> None:
        """Take in the rows of one answered request."""
        groups: dict[tuple[str, str, str, str, str | None, bool, float], list[int]] = {}
        for e in events:
            kind = (e.model, e.phase, e.assigned, e.assigned_version, e.error, e.failed, e.latency_ms)
            group = groups.setdefault(kind, [0, 0])
            group[0] += 1
            group[1] += e.enrolled
        for (*key, error, failed, latency_ms), (n, enrolled) in groups.items():
            tally = self._of((key[0], key[1], key[2], key[3]))
            if failed:
                tally.failed(error or "unknown", n, enrolled, latency_ms)
            elif error is not None:
                tally.fell_back(error, n, enrolled, latency_ms)
            else:
                tally.answered(n, enrolled, latency_ms)

    def inherit(self, tallies: Sequence[Tally]) -> None:
        """Go on from the counts of a process that is dead."""
        for tally in tallies:
            self._of(tally.key).merge(tally)

    def fold(self, phases: set[tuple[str, str]]) -> None:
        """Merge the oldest tallies of other phases than these (model, phase), so that what is kept stays bounded."""
        past = [key for key in self._by_key if key[:2] not in phases and key[1]]
        for model, phase, variant, version in past[:-MOST_PAST]:
            self._move((model, phase, variant, version), (model, "", variant, version))
        versions = [key for key in self._by_key if not key[1] and key[3] != OLDER]
        for model, phase, variant, version in versions[:-MOST_VERSIONS]:
            self._move((model, phase, variant, version), (model, "", variant, OLDER))

    def _move(self, key: Key, to: Key) -> None:
        """Merge one into another, which is the youngest then."""
        old, tally = self._by_key.pop(key), self._by_key.pop(to, None) or Tally(*to)
        tally.merge(old)
        self._by_key[to] = tally

    def __iter__(self) -> Iterator[Tally]:
        return iter(self._by_key.values())

    def _of(self, key: Key) -> Tally:
        tally = self._by_key.get(key)
        if tally is None:
            tally = self._by_key[key] = Tally(*key)
        return tally


def _add(counts: dict[str, list[int]], reason: str, n: int, enrolled: int) -> None:
    if reason not in counts and len(counts) >= MOST_REASONS:
        reason = "other"
    count = counts.setdefault(reason, [0, 0])
    count[0] += n
    count[1] += enrolled
