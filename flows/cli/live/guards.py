"""How near every guard is to its limit."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from flows.config.promotion import LATENCY_SLACK_MS
from registry.records.live import VariantMetrics
from registry.records.plan import Guards
from registry.records.watch import Baseline, WatchLimits


class Guard(NamedTuple):
    """
    One limit, and where it stands.

    Attributes:
        value: None where nothing is known.
        limit: Above it, surely, the version is taken off.
        slack: Tolerated beyond it, as a share of the champion's value; said: in words.
    """

    name: str
    value: float | None
    limit: float
    slack: float = 0.0
    said: str = ""

    @property
    def reach(self) -> float:
        """The limit with what is tolerated beyond it."""
        return self.limit + self.slack


def split_guards(guards: Guards, champion: VariantMetrics, challenger: VariantMetrics) -> Iterator[Guard]:
    """Challenger against champion, as the router guards it; the router acts once it is sure, not at the limit."""
    yield Guard("errors", _failed(challenger), guards.error_rate)
    yield _latency(challenger.latency_ms.mean, champion.latency_ms.mean, guards.latency_increase)
    if guards.kpi is None:
        yield Guard("loss", _rise(challenger.loss.mean, champion.loss.mean), guards.kpi_drop)
    else:
        ours, theirs = (one.outcomes.get(guards.kpi) for one in (champion, challenger))
        drop = _rise(ours.mean, theirs.mean, theirs=ours.mean) if ours and theirs else None
        yield Guard(guards.kpi, drop, guards.kpi_drop)


def watch_guards(limits: WatchLimits, baseline: Baseline, champion: VariantMetrics) -> Iterator[Guard]:
    """A new champion against the one before it."""
    yield Guard("errors", _failed(champion), limits.error_rate)
    yield _latency(champion.latency_ms.mean, baseline.latency_ms, limits.latency_increase)
    kpi = champion.outcomes.get(limits.kpi) if limits.kpi else None
    if limits.kpi is not None:
        before = baseline.kpi_mean
        drop = _rise(before or 0.0, kpi.mean, theirs=before) if kpi and before else None
        yield Guard(limits.kpi, drop, limits.kpi_drop)


def _latency(ours: float, before: float | None, limit: float) -> Guard:
    """Where an answer takes microseconds, a rise by half says nothing: milliseconds are tolerated beyond it."""
    slack = LATENCY_SLACK_MS / before if before else 0.0
    return Guard("latency", _rise(ours, before), limit, slack, f" and {LATENCY_SLACK_MS:g} ms")


def _failed(one: VariantMetrics) -> float | None:
    failed = sum(one.errors.values()) + sum(one.fallbacks.values())
    return failed / one.assigned if one.assigned else None


def _rise(ours: float, before: float | None, *, theirs: float | None = None) -> float | None:
    """Relative rise of *ours* over *before*, as a share of *theirs* if that is given."""
    whole = before if theirs is None else theirs
    if before is None or not whole or not all(map(math.isfinite, (ours, before, whole))):
        return None
    return (ours - before) / abs(whole)
