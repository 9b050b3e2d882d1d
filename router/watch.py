"""
Sequential detection on running counts: what fails or slows down is found soon, whenever it begins.

Errors are watched by CUSUM, which forgets a long healthy past; latencies by confidence sequences
over the whole phase and over consecutive stretches of it.
"""

import math
from typing import NamedTuple

from registry.records.live import Moments
from router.guards import LATENCY_SLACK_MS, exceeds

REFERENCE = 1.2
THRESHOLD = 9.0
_AT_ALPHA = 0.001
STRETCH = 2000


class Evidence(NamedTuple):
    """
    What was counted of one variant since its phase began, over all workers.

    Attributes:
        asked, failures: Requests, and those of them that failed.
        timed, sum_ms, squares: Calls, the sum of their latencies in milliseconds, and of the squares.
    """

    asked: int = 0
    failures: int = 0
    timed: int = 0
    sum_ms: float = 0.0
    squares: float = 0.0

    def plus(self, other: "Evidence") -> "Evidence":
        """Both together."""
        return Evidence(
            self.asked + other.asked,
            self.failures + other.failures,
            self.timed + other.timed,
            self.sum_ms + other.sum_ms,
            self.squares + other.squares,
        )

    def less_than(self, before: "Evidence") -> bool:
        """Whether something is missing that was there *before*, because a board was lost or had no room."""
        return self.asked < before.asked or self.failures < before.failures or self.timed < before.timed

    def since(self, before: "Evidence") -> "Evidence":
        """What was added."""
        return Evidence._make(now - then for now, then in zip(self, before, strict=True))

    @property
    def latency_ms(self) -> Moments:
        """Of the latencies."""
        if not self.timed:
            return Moments()
        mean = self.sum_ms / self.timed
        return Moments(n=self.timed, mean=mean, m2=max(self.squares - self.timed * mean * mean, 0.0))


NOTHING = Evidence()


class ErrorWatch:
    """
    CUSUM of failures: how far they exceed 1.2 times what is tolerated, since it was farthest below.

    The alarm sounds at 9 failures beyond that (at an alpha of 0.001; in proportion to log(1/alpha)
    otherwise). Tolerated 2 %: a rate that jumps from 1 to 5 % is found within 800 requests in 99 %
    of cases, however long the healthy time before; a steady 1 % sounds a false alarm once in
    120,000,000 requests, a steady 1.5 % once in 530,000, a steady 2 % once in 17,000. No test that
    finds 5 % so surely so soon is much quieter at 2 %: one at a level of 0.001 on 800 requests
    finds it in 96 % only (Neyman and Pearson).

    Args:
        tolerated: Share of failures.
        alpha: Smaller waits longer.
        start: Counts that are not held against it.

    Source:
        Page (1954), Biometrika 41:100; run lengths by the Markov chain of Brook and Evans (1972),
        Biometrika 59:539.
    """

    def __init__(self, tolerated: float, alpha: float, start: Evidence = NOTHING) -> None:
        self._reference = min(REFERENCE * tolerated, (1 + tolerated) / 2)
        self._threshold = THRESHOLD * math.log(alpha) / math.log(_AT_ALPHA)
        self._excess, self._seen, self._began = 0.0, start, start

    def alarmed(self, now: Evidence) -> bool:
        """Take the counts in as they stand now; starts afresh after an alarm, and when counts were lost."""
        if now.less_than(self._seen):
            self._excess, self._seen = 0.0, now
        asked, failures = now.asked - self._seen.asked, now.failures - self._seen.failures
        if self._excess == 0.0:
            self._began = self._seen
        self._excess = max(0.0, self._excess + failures - self._reference * asked)
        self._seen = now
        if self._excess < self._threshold:
            return False
        self._excess = 0.0
        return True

    def said(self, now: Evidence) -> str:
        """The failures since the excess began to grow."""
        recent = now.since(self._began)
        return f"{recent.failures} of the last {recent.asked} requests failed"


class BaselineWatch:
    """
    Whether the mean latency of a new champion surely exceeds (1 + increase) times that of the one before by 10 ms.

    The one before no longer answers, so that its side stands still: *alpha* is spent like in `LatencyWatch`.

    Args:
        before: What it did while it answered; of fewer than 30 requests nothing is concluded.
        increase: Tolerated, as a share.
        alpha: Level over the whole watch.
        cap_ms: Largest latency that counts.
        start: Counts of the new champion that are left out.
    """

    def __init__(
        self, before: Moments, increase: float, alpha: float, cap_ms: float, start: Evidence = NOTHING
    ) -> None:
        self._before, self._increase, self._alpha, self._cap_ms = before, increase, alpha, cap_ms
        self._stretch, self._start, self._began, self._seen = 1, start, start, start

    def alarmed(self, now: Evidence) -> bool:
        """Take the counts in as they stand now; starts afresh when counts were lost."""
        if now.less_than(self._seen):
            self._start = self._began = now
        self._seen = now
        recent = now.since(self._began)
        level = self._alpha / 2 / (self._stretch * (self._stretch + 1))
        if self._exceeds(now.since(self._start), self._alpha / 2) or self._exceeds(recent, level):
            return True
        if recent.timed >= STRETCH:
            self._stretch += 1
            self._began = now
        return False

    def said(self, now: Evidence) -> str:
        """The means, with the limit."""
        mean = now.since(self._began).latency_ms.mean or now.latency_ms.mean
        return (
            f"mean latency {mean:.1f} ms against {self._before.mean:.1f} ms of the champion before, "
            f"more than {self._increase:.0%} above it"
        )

    def _exceeds(self, now: Evidence, alpha: float) -> bool:
        return exceeds(self._before, now.latency_ms, self._increase, alpha, LATENCY_SLACK_MS, self._cap_ms)


class LatencyWatch:
    """
    Whether the challenger's mean latency surely exceeds (1 + increase) times the champion's by 10 ms more.

    Half of alpha is spent on the whole phase; of the rest 1/(j(j+1)) on the j-th stretch of 2,000
    calls, so that a change after a long time does not drown in it. All together a false alarm over
    the phase has at most the probability alpha, as far as confidence sequences for means hold it:
    asymptotically, which is why latencies count with the deadline at most.

    Args:
        increase: Tolerated, as a share.
        alpha: Level over the whole phase.
        cap_ms: Largest latency that counts.
        start: Counts of champion and challenger that are left out.
    """

    def __init__(
        self, increase: float, alpha: float, cap_ms: float, start: tuple[Evidence, Evidence] = (NOTHING, NOTHING)
    ) -> None:
        self._increase, self._alpha, self._cap_ms = increase, alpha, cap_ms
        self._stretch, self._start, self._began, self._seen = 1, start, start, start

    def alarmed(self, champion: Evidence, challenger: Evidence) -> bool:
        """Take the counts in as they stand now; starts afresh when counts were lost."""
        if champion.less_than(self._seen[0]) or challenger.less_than(self._seen[1]):
            self._start = self._began = champion, challenger
        self._seen = champion, challenger
        whole = champion.since(self._start[0]), challenger.since(self._start[1])
        ours, theirs = champion.since(self._began[0]), challenger.since(self._began[1])
        level = self._alpha / 2 / (self._stretch * (self._stretch + 1))
        if self._exceeds(*whole, self._alpha / 2) or self._exceeds(ours, theirs, level):
            return True
        if min(ours.timed, theirs.timed) >= STRETCH:
            self._stretch += 1
            self._began = champion, challenger
        return False

    def _exceeds(self, ours: Evidence, theirs: Evidence, alpha: float) -> bool:
        return exceeds(ours.latency_ms, theirs.latency_ms, self._increase, alpha, LATENCY_SLACK_MS, self._cap_ms)
