"""Whether a new champion keeps the limits of its watch; pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.stats.moments import CoMoments
from flows.stats.results import AlwaysValid
from flows.stats.sequential.asymptotic import paired_sequence, two_sample_sequence, unit_paired_sequence
from flows.stats.sequential.discrete import Tally, interval, log_wealth
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.plan import CHAMPION
from registry.records.watch import Watch

Name = Literal["errors", "latency", "kpi", "loss"]
SLACK_MS = 10.0
"""Milliseconds that a mean may rise whatever the share: less is noise of the machine."""
LEAST_REQUESTS = 30
"""Fewer say nothing in favour of a champion."""
_ERRORS_TUNED_TO = 200.0
_LEAST_TUNED_TO = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    One quantity that is watched.

    Attributes:
        broken: None while there is too little data to say.
        estimate, low, high: What was seen, with its confidence sequence: of errors the rate, of all others how
            far the new champion is beyond the former one; None where nothing can be said.
        limit: What the interval must lie beyond to break it.
        now, before: Means of the new champion, and of the one before.
        n: Requests, or labelled ones.
        said: One sentence with the numbers.
        blind: What was counted is no number, so that nothing can be said, however much there is.
    """

    name: Name
    broken: bool | None
    said: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float
    now: float | None = None
    before: float | None = None
    n: int = 0
    blind: bool = False


def judge(watch: Watch, metrics: ModelMetrics) -> tuple[Figure, ...]:
    """
    Test every limit, however often one looks.

    Each quantity sounds a false alarm over the whole watch with at most half of `limits.alpha`; the other half
    is the router's, which judges the same quantities on its own counts within seconds.
    """
    phases = list(_of_watch(watch, metrics.phases))
    champion = _merged([phase.variants[CHAMPION] for phase in phases])
    return (
        _errors(watch, champion),
        _latency(watch, champion),
        *([_kpi(watch, champion)] if watch.limits.kpi else []),
        _loss(watch, champion, [seen for phase in phases if (seen := phase.shadows.get(watch.former))]),
    )


def _of_watch(watch: Watch, phases: Sequence[PhaseMetrics]) -> Iterator[PhaseMetrics]:
    """From the promotion on, while the new champion is the champion."""
    begun = False
    for phase in phases:
        begun = begun or phase.phase == watch.phase
        champion = phase.variants.get(CHAMPION)
        if begun and champion is not None and champion.version == watch.version:
            yield phase


@dataclass(frozen=True, slots=True)
class _Seen:
    assigned: int
    failed: int
    latency: Moments
    loss: Moments
    outcomes: tuple[dict[str, Moments], ...]


def _merged(variants: Sequence[VariantMetrics]) -> _Seen:
    latency, loss = Moments(), Moments()
    for one in variants:
        latency, loss = latency.merge(one.latency_ms), loss.merge(one.loss)
    return _Seen(
        assigned=sum(one.assigned for one in variants),
        failed=sum(sum(one.errors.values()) for one in variants),
        latency=latency,
        loss=loss,
        outcomes=tuple(one.outcomes for one in variants),
    )


def _errors(watch: Watch, seen: _Seen) -> Figure:
    limit, alpha = watch.limits.error_rate, watch.limits.alpha / 2
    if seen.assigned == 0:
        return Figure(name="errors", broken=None, limit=limit, said="no request has come yet")
    tally = Tally((0.0, 1.0), (seen.assigned - seen.failed, seen.failed))
    rate, prior = seen.failed / seen.assigned, _ERRORS_TUNED_TO
    broken = log_wealth(tally, limit, prior, side=1) >= -math.log(alpha)
    low, high = interval(tally, prior, alpha)
    before = watch.baseline.errors / watch.baseline.requests if watch.baseline.requests else None
    said = f"{seen.failed} of {seen.assigned} requests failed ({rate:.2%}, allowed {limit:.1%})"
    few = seen.assigned < LEAST_REQUESTS
    if few and not broken:
        said = f"{said}, which are too few: at least {LEAST_REQUESTS} are needed"
    return Figure(
        name="errors",
        broken=broken or (None if few else False),
        said=said,
        estimate=rate,
        low=low,
        high=high,
        limit=limit,
        now=rate,
        before=before,
        n=seen.assigned,
    )


def _latency(watch: Watch, seen: _Seen) -> Figure:
    base, increase = watch.baseline, watch.limits.latency_increase
    if base.latency_ms is None or base.latency_m2 is None:
        return Figure(name="latency", broken=None, limit=SLACK_MS, said="the champion before left no latencies")
    if not _finite(seen.latency):
        return _blind("latency", SLACK_MS, seen.latency.n)
    factor = 1 + increase
    found = two_sample_sequence(
        (base.requests, factor * base.latency_ms, factor**2 * base.latency_m2),
        (seen.latency.n, seen.latency.mean, seen.latency.m2),
        alpha=watch.limits.alpha / 2,
        tuned_to=_LEAST_TUNED_TO,
    )
    said = (
        f"mean latency {seen.latency.mean:.1f} ms against {base.latency_ms:.1f} ms before "
        f"(allowed {increase:.0%} and {SLACK_MS:.0f} ms more)"
    )
    return _figure("latency", found, found.low > SLACK_MS, SLACK_MS, said, (seen.latency.mean, base.latency_ms))


def _kpi(watch: Watch, seen: _Seen) -> Figure:
    base, limits, kpi = watch.baseline, watch.limits, watch.limits.kpi or ""
    now = Moments()
    for outcomes in seen.outcomes:
        now = now.merge(outcomes.get(kpi, Moments()))
    if base.kpi_mean is None or base.kpi_m2 is None:
        return Figure(name="kpi", broken=None, limit=0.0, said=f"the champion before left no {kpi}", n=now.n)
    if not _finite(now):
        return _blind("kpi", 0.0, now.n)
    if now.n < limits.min_labelled:
        said = f"{now.n} of at least {limits.min_labelled} values of {kpi}"
        return Figure(name="kpi", broken=None, limit=0.0, said=said, n=now.n)
    factor = 1 - limits.kpi_drop if base.kpi_mean > 0 else 1 + limits.kpi_drop
    found = two_sample_sequence(
        (base.kpi_n, factor * base.kpi_mean, factor**2 * base.kpi_m2),
        (now.n, now.mean, now.m2),
        alpha=limits.alpha / 2,
        tuned_to=max(limits.min_labelled, _LEAST_TUNED_TO),
    )
    said = f"mean {kpi} {now.mean:.4g} against {base.kpi_mean:.4g} before (allowed {limits.kpi_drop:.0%} less)"
    return _figure("kpi", found, found.high < 0, 0.0, said, (now.mean, base.kpi_mean))


def _loss(watch: Watch, seen: _Seen, pairs: Sequence[ShadowMetrics]) -> Figure:
    limits, n = watch.limits, sum(one.pairs for one in pairs)
    if n < limits.min_labelled:
        said = f"{n} of at least {limits.min_labelled} labelled requests that both have scored"
        return Figure(name="loss", broken=None, limit=0.0, said=said, n=n)
    difference = Moments()
    for one in pairs:
        difference = difference.merge(one.loss_difference)
    if not (_finite(difference) and _finite(seen.loss)):
        return _blind("loss", 0.0, n)
    found = _worse(pairs, difference, seen.loss, limits.accuracy_drop, limits.alpha / 2, limits.min_labelled)
    former = seen.loss.mean - difference.mean
    allowed = f"allowed {limits.accuracy_drop:.0%} more" if limits.accuracy_drop else "none is allowed"
    said = f"mean loss {difference.mean:+.4g} against {watch.former} on the same {n} labelled requests ({allowed})"
    return _figure("loss", found, found.low > 0, 0.0, said, (seen.loss.mean, former))


def _worse(
    pairs: Sequence[ShadowMetrics], difference: Moments, ours: Moments, drop: float, alpha: float, least: int
) -> AlwaysValid:
    """How far the loss is beyond (1 + drop) times the former champion's; the spread is at most the sum of both."""
    tuned = max(least, _LEAST_TUNED_TO)
    keys = pairs[0].units.get("loss") if len(pairs) == 1 else None
    if drop == 0 and keys is not None and keys.n and all(map(math.isfinite, _co(keys))):
        return unit_paired_sequence(_co(keys), alpha=alpha, tuned_to=tuned)
    spread = (1 + drop) * _sd(difference) + drop * _sd(ours)
    mean, n = (1 + drop) * difference.mean - drop * ours.mean, difference.n
    return paired_sequence((n, mean, spread**2 * max(n - 1, 0)), alpha=alpha, tuned_to=tuned)


def _co(keys: UnitMoments) -> CoMoments:
    return CoMoments(keys.n, keys.mean_x, keys.mean_y, keys.m2_x, keys.m2_y, keys.co)


def _finite(moments: Moments) -> bool:
    return math.isfinite(moments.mean) and math.isfinite(moments.m2)


def _blind(name: Name, limit: float, n: int) -> Figure:
    said = f"nothing can be said of the {name}: what the router has counted of {n} requests is no number"
    return Figure(name=name, broken=None, limit=limit, n=n, said=said, blind=True)


def _sd(moments: Moments) -> float:
    return math.sqrt(moments.variance) if moments.n > 1 else 0.0


def _figure(
    name: Name, found: AlwaysValid, broken: bool, limit: float, said: str, means: tuple[float, float]
) -> Figure:
    silent = math.isinf(found.low) or math.isinf(found.high)
    return Figure(
        name=name,
        broken=None if silent else broken,
        said=said,
        estimate=found.estimate,
        low=None if silent else found.low,
        high=None if silent else found.high,
        limit=limit,
        now=means[0],
        before=means[1],
        n=found.n,
    )
