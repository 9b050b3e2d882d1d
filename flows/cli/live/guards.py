"""How near every guard is to its limit."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from registry.records.live import VariantMetrics
from registry.records.plan import Guards
from registry.records.watch import Baseline, WatchLimits


class Guard(NamedTuple):
    """
    One limit, and where it stands.

    Attributes:
        value: None where nothing is known.
        limit: Above it, surely, the version is taken off.
    """

    name: str
    value: float | None
    limit: float


def split_guards(guards: Guards, champion: VariantMetrics, challenger: VariantMetrics) -> Iterator[Guard]:
    """Challenger against champion, as the router guards it; the router acts once it is sure, not at the limit."""
    yield Guard("errors", _failed(challenger), guards.error_rate)
    yield Guard("latency", _rise(challenger.latency_ms.mean, champion.latency_ms.mean), guards.latency_increase)
    if guards.kpi is None:
        yield Guard("loss", _rise(challenger.loss.mean, champion.loss.mean), guards.kpi_drop)
    else:
        ours, theirs = (one.outcomes.get(guards.kpi) for one in (champion, challenger))
        drop = _rise(ours.mean, theirs.mean, theirs=ours.mean) if ours and theirs else None
        yield Guard(guards.kpi, drop, guards.kpi_drop)


def watch_guards(limits: WatchLimits, baseline: Baseline, champion: VariantMetrics) -> Iterator[Guard]:
    """A new champion against the one before it."""
    yield Guard("errors", _failed(champion), limits.error_rate)
    yield Guard("latency", _rise(champion.latency_ms.mean, baseline.latency_ms), limits.latency_increase)
    kpi = champion.outcomes.get(limits.kpi) if limits.kpi else None
    if limits.kpi is not None:
        before = baseline.kpi_mean
        drop = _rise(before or 0.0, kpi.mean, theirs=before) if kpi and before else None
        yield Guard(limits.kpi, drop, limits.kpi_drop)


def _failed(one: VariantMetrics) -> float | None:
    failed = sum(one.errors.values()) + sum(one.fallbacks.values())
    return failed / one.assigned if one.assigned else None


def _rise(ours: float, before: float | None, *, theirs: float | None = None) -> float | None:
    """Relative rise of *ours* over *before*, as a share of *theirs* if that is given."""
    whole = before if theirs is None else theirs
    if before is None or not whole or not all(map(math.isfinite, (ours, before, whole))):
        return None
    return (ours - before) / abs(whole)
