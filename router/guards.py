"""
When a challenger is taken off without asking anybody: the tests of a whole phase, on the index.

All tests stay valid however often they are looked at: a false alarm over a whole phase
has at most the probability alpha (exactly for the error rate, asymptotically for means).
The workers watch errors and latency on their own counts, much sooner; see `router.watch`.
"""

import math
from collections.abc import Iterator

from registry.records.live import Moments, PhaseMetrics, UnitMoments, VariantMetrics
from registry.records.plan import CHAMPION, Guards
from registry.records.watch import PlanWatch

MIN_VALUES = 30
LATENCY_SLACK_MS = 10.0
_ALTERNATIVES = ((1.5, 0.495), (2.5, 0.495), (5.0, 0.01))
"""Times the tolerated rate, and weight. Higher rates are found by these as well, after a few failures more."""
_IGNORED = {"stopped"}


def trips(phase: PhaseMetrics, guards: Guards, *, labels_only: bool = False) -> str | None:
    """
    Why the challenger of this phase must go; None while it may stay.

    Args:
        labels_only: Leave errors and latency to the workers, who know the calls that the rows came in.
    """
    champion = phase.variants.get(CHAMPION)
    for name, challenger in phase.variants.items():
        if name != CHAMPION:
            asked = () if labels_only else _answers(champion, challenger, guards)
            for said in (*asked, *_labels(champion, challenger, guards)):
                return f"{name} {challenger.version}: {said}"
    return None


def _answers(champion: VariantMetrics | None, challenger: VariantMetrics, guards: Guards) -> Iterator[str]:
    failures = sum(n for reason, n in challenger.fallbacks.items() if reason not in _IGNORED)
    failures += sum(challenger.errors.values())
    asked = challenger.served + failures
    evidence = log_error_evidence(failures, asked, guards.error_rate)
    if evidence >= -math.log(guards.alpha):
        yield f"{failures} of {asked} requests failed, more than the {guards.error_rate:.1%} allowed"
    if champion is None:
        return
    late = guards.deadline_ms  # the longest that an answer of the challenger can take
    if exceeds(
        champion.latency_ms, challenger.latency_ms, guards.latency_increase, guards.alpha, LATENCY_SLACK_MS, late
    ):
        yield (
            f"mean latency {challenger.latency_ms.mean:.1f} ms against {champion.latency_ms.mean:.1f} ms, "
            f"more than {guards.latency_increase:.0%} above the champion"
        )


def _labels(champion: VariantMetrics | None, challenger: VariantMetrics, guards: Guards) -> Iterator[str]:
    if champion is None:
        return
    if guards.kpi is None:
        reach = 1.0 if challenger.correct.n else 0.0  # a squared error of probabilities; others know no bound
        if exceeds(champion.loss, challenger.loss, guards.kpi_drop, guards.alpha, reach=reach):
            yield (
                f"mean loss {challenger.loss.mean:.4g} against {champion.loss.mean:.4g} on {challenger.loss.n} labels, "
                f"more than {guards.kpi_drop:.0%} worse than the champion"
            )
        return
    ours, theirs = challenger.outcomes.get(guards.kpi, Moments()), champion.outcomes.get(guards.kpi, Moments())
    if falls_short(theirs, ours, guards.kpi_drop, guards.alpha):
        yield f"mean {guards.kpi} {ours.mean:.4g} against {theirs.mean:.4g}, a drop of more than {guards.kpi_drop:.0%}"


def falls_behind(phase: PhaseMetrics, watch: PlanWatch) -> str | None:
    """
    Why a champion that is watched must give way: its loss against the former champion's, on the same requests.

    Half of alpha is left to those who look at the labels now and then; errors and latency are the workers'.
    """
    limits, pairs = watch.limits, phase.shadows.get(watch.former)
    champion = phase.variants.get(CHAMPION)
    if pairs is None or champion is None or pairs.pairs < limits.min_labelled:
        return None
    worse = per_key(pairs.units["loss"]) if "loss" in pairs.units else pairs.loss_difference
    ours = per_key(champion.units["loss"]) if "loss" in champion.units else champion.loss
    if not worsened(worse, ours, limits.accuracy_drop, limits.alpha / 2):
        return None
    return (
        f"mean loss {champion.loss.mean:.4g}, {worse.mean:.3g} more than that of {watch.former} on the same "
        f"{pairs.pairs} labelled requests"
    )


def worsened(difference: Moments, ours: Moments, drop: float, alpha: float) -> bool:
    """
    Whether the mean *difference*, new minus former loss, surely exceeds *drop* times the former loss.

    That is (1 + drop) * difference - drop * ours > 0, whose spread is at most the sum of both spreads.
    """
    if difference.n < MIN_VALUES:
        return False
    spread = (1 + drop) * math.sqrt(difference.variance) + drop * (math.sqrt(ours.variance) if ours.n > 1 else 0.0)
    mean, n = (1 + drop) * difference.mean - drop * ours.mean, difference.n
    seen = Moments(n=n, mean=mean, m2=spread**2 * (n - 1))
    nobody = Moments(n=seen.n, mean=0.0, m2=0.0)
    return seen.mean - _radius(seen, nobody, 1.0, alpha) > 0


def per_key(units: UnitMoments) -> Moments:
    """
    Mean per value, with the spread that comes of keys: their values depend on each other.

    Source:
        Deng, Knoblich, Lu (2018), KDD: the delta method for a ratio of two means.
    """
    if units.n == 0 or units.mean_x == 0:
        return Moments()
    ratio = units.mean_y / units.mean_x
    m2 = units.m2_y - 2 * ratio * units.co + ratio * ratio * units.m2_x
    return Moments(n=units.n, mean=ratio, m2=max(m2, 0.0) / units.mean_x**2)


def log_error_evidence(failures: int, n: int, tolerated: float) -> float:
    """
    Log e-value against "the failure rate is at most *tolerated*".

    A mixture of likelihood ratios p against *tolerated* for fixed p above it; each is a
    supermartingale under every rate up to *tolerated*, so crossing log(1/alpha) at any
    time has probability at most alpha (Ville's inequality). At half of *tolerated* = 2 % it
    is below 1e-7 at an alpha of 0.001: three failures among the first three decide nothing.
    """
    if n == 0:
        return 0.0
    logs = []
    for times, weight in _ALTERNATIVES:
        p = 1 - (1 - tolerated) / times if times * tolerated >= 1 else times * tolerated
        ratio = failures * math.log(p / tolerated) + (n - failures) * math.log((1 - p) / (1 - tolerated))
        logs.append(ratio + math.log(weight))
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs))


def exceeds(
    champion: Moments, challenger: Moments, increase: float, alpha: float, slack: float = 0.0, reach: float = 0.0
) -> bool:
    """
    Whether the challenger's mean surely exceeds (1 + increase) times the champion's, plus slack.

    Args:
        reach: The largest value there can be. Give it where large values are rare: until the
            first of them comes the spread seen is far too small.
    """
    difference = challenger.mean - (1 + increase) * champion.mean
    return difference - _radius(challenger, champion, 1 + increase, alpha, reach) > slack


def falls_short(champion: Moments, challenger: Moments, drop: float, alpha: float) -> bool:
    """Whether the challenger's mean is surely below (1 - drop) times the champion's."""
    return challenger.mean - (1 - drop) * champion.mean + _radius(challenger, champion, 1 - drop, alpha) < 0


def _radius(ours: Moments, theirs: Moments, factor: float, alpha: float, reach: float = 0.0) -> float:
    """
    Half width of the asymptotic confidence sequence of mean(ours) - factor * mean(theirs).

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2021), arXiv 2103.06476, eq. 9,
        with the standard error of a two-sample difference; rho tuned to 200 values. Where the
        reach is known, each group is taken to hold one more value, of that size.
    """
    n = min(ours.n, theirs.n)
    if n < MIN_VALUES:
        return math.inf
    variance = _spread(ours, reach) / ours.n + factor**2 * _spread(theirs, reach) / theirs.n
    log_term = -2 * math.log(alpha)
    rho2 = (log_term + math.log(log_term + 1)) / 200
    spread = (n * rho2 + 1) / (n * rho2) * math.log((n * rho2 + 1) / alpha**2)
    return math.sqrt(variance * spread)


def _spread(values: Moments, reach: float) -> float:
    return values.variance if reach == 0 else values.merge(Moments(n=1, mean=reach)).variance
