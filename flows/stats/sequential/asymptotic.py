"""
Means of anything with a variance: confidence sequences that hold at all times, asymptotically.

Each says nothing (unbounded interval, p = 1, and a note of what is missing) until there is
enough for the limit theorem; the docs show how often an A/A test is then rejected.
"""

import math

from flows.stats.checks import Pairs, Sample, numbers
from flows.stats.results import AlwaysValid, probability
from flows.stats.sequential.arms import arms, effective_events, pooled_variance
from flows.stats.sequential.mixture import log_p, radius, tuning
from flows.stats.sequential.units import Unit, unit

MIN_ASYMPTOTIC = 30
MIN_PAIRED = 100
MIN_EVENTS = 5
_GUARDED_EVENTS = 25


def paired_sequence(moments: Sample, *, alpha: float = 0.05, tuned_to: float = 500) -> AlwaysValid:
    """
    Mean of a per-request difference.

    Says nothing before `MIN_PAIRED` differences, because theirs may be skewed.

    Args:
        moments: (n, mean, m2) of the differences, or an array of them.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Number of differences at which the interval is tightest.

    Returns:
        Mean difference with its confidence sequence and always-valid p-value.

    Raises:
        ValueError: If the moments are of no sample, alpha is out of range or tuned_to not positive.

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv 2103.06476, eq. 9, 155 and 161.

    Example:
        >>> seen = paired_sequence((500, 0.1, 499.0))
        >>> f"[{seen.low:.5f}, {seen.high:.5f}]"
        '[-0.03574, 0.23574]'
    """
    n, mean, m2 = numbers("the differences", moments)
    variance = m2 / (n - 1) if n > 1 else 0.0
    method = "asymptotic confidence sequence, paired"
    return _one_sample(Unit(n, mean, variance), alpha, tuned_to, method)


def two_sample_sequence(
    champion: Sample,
    challenger: Sample,
    *,
    alpha: float = 0.05,
    tuned_to: float = 500,
) -> AlwaysValid:
    """
    Difference of two means over different callers.

    Valid from the first look it answers, at `MIN_ASYMPTOTIC` values per arm, also for rare
    events and uneven splits: from 2 to 1 on, the standard error is the larger of Welch's and the
    pooled one, and therefore conservative when the larger arm varies more; up to 5 to 4 it is Welch's.

    Args:
        champion, challenger: (n, mean, m2), or an array of values.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Values per arm of an even split at which the interval is tightest; at other splits a group counts
            by the information that it adds (95/5: 1.9 times the smaller group).

    Returns:
        Difference of means with its confidence sequence and always-valid p-value.

    Raises:
        ValueError: As `paired_sequence`.

    Source:
        As `paired_sequence`, at the information time of a two-sample difference (`arms`).

    Example:
        >>> seen = two_sample_sequence((500, 0.0, 499.0), (500, 0.2, 499.0))
        >>> f"[{seen.low:.5f}, {seen.high:.5f}] p = {seen.p_value:.4f}"
        '[0.00804, 0.39196] p = 0.0352'
    """
    ours, theirs = (_plain(name, x) for name, x in (("champion", champion), ("challenger", challenger)))
    return _difference(ours, theirs, alpha, tuned_to, "asymptotic confidence sequence, two samples")


def relative_sequence(
    champion: Sample,
    challenger: Sample,
    *,
    alpha: float = 0.05,
    tuned_to: float = 500,
) -> AlwaysValid:
    """
    Relative lift of one mean over another, challenger / champion - 1.

    Tested on the scale of the logarithm, where rare events are nearly symmetric. Says nothing
    before both means are positive and rest on `MIN_EVENTS` effective events. The pooled error
    counts fully up to 25 effective events, then less and less.

    Args:
        champion, challenger: (n, mean, m2); both means positive.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: As in `two_sample_sequence`.

    Returns:
        The lift, 0.05 for 5 % more, with its confidence sequence and always-valid p-value.

    Raises:
        ValueError: As `paired_sequence`.

    Source:
        As `two_sample_sequence`, with the delta method for log(mean).

    Example:
        >>> seen = relative_sequence((20_000, 0.010, 198.0), (20_000, 0.015, 295.5), tuned_to=20_000)
        >>> f"{seen.estimate:.2f} [{seen.low:.3f}, {seen.high:.3f}]"
        '0.50 [0.139, 0.976]'
    """
    ours, theirs = (_plain(name, x) for name, x in (("champion", champion), ("challenger", challenger)))
    return _relative(ours, theirs, alpha, tuned_to, "asymptotic confidence sequence, log ratio")


def unit_sequence(champion: Pairs, challenger: Pairs, *, alpha: float = 0.05, tuned_to: float = 500) -> AlwaysValid:
    """
    Difference of two ratios sum(y) / sum(x) over different keys.

    The key is what was randomised; x counts its requests, y sums its losses or gains.

    Args:
        champion, challenger: Co-moments over keys: x the denominator, y the numerator.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Keys per arm of an even split at which the interval is tightest.

    Returns:
        Difference of ratios with its confidence sequence and always-valid p-value.

    Raises:
        ValueError: As `paired_sequence`.

    Source:
        Deng, Knoblich, Lu (2018), KDD (delta method); `two_sample_sequence`.

    Example:
        >>> from flows.stats.moments import CoMoments
        >>> ours = CoMoments(n=500, mean_x=1.0, mean_y=0.0, m2_x=0.0, m2_y=499.0, co=0.0)
        >>> seen = unit_sequence(ours, ours._replace(mean_y=0.2))
        >>> f"[{seen.low:.5f}, {seen.high:.5f}]"
        '[0.00804, 0.39196]'
    """
    ours, theirs = unit("champion", champion), unit("challenger", challenger)
    return _difference(ours, theirs, alpha, tuned_to, "asymptotic confidence sequence, ratio per key")


def unit_relative_sequence(
    champion: Pairs, challenger: Pairs, *, alpha: float = 0.05, tuned_to: float = 500
) -> AlwaysValid:
    """
    Relative lift of one ratio sum(y) / sum(x) over another, over different keys.

    Args:
        champion, challenger: As in `unit_sequence`; both ratios positive.
        alpha, tuned_to: As in `unit_sequence`.

    Returns:
        The lift, 0.05 for 5 % more, with its confidence sequence and always-valid p-value.

    Raises:
        ValueError: As `paired_sequence`.

    Source:
        As `unit_sequence` and `relative_sequence`.

    Example:
        >>> from flows.stats.moments import CoMoments
        >>> ours = CoMoments(n=500, mean_x=2.0, mean_y=1.0, m2_x=0.0, m2_y=499.0, co=0.0)
        >>> seen = unit_relative_sequence(ours, ours._replace(mean_y=1.5))
        >>> plain = relative_sequence((500, 1.0, 499.0), (500, 1.5, 499.0))
        >>> f"{seen.low:.5f} {plain.low:.5f}"
        '0.27421 0.27421'
    """
    ours, theirs = unit("champion", champion), unit("challenger", challenger)
    return _relative(ours, theirs, alpha, tuned_to, "asymptotic confidence sequence, log ratio per key")


def unit_paired_sequence(keys: Pairs, *, alpha: float = 0.05, tuned_to: float = 500) -> AlwaysValid:
    """
    Mean of a per-request difference, where requests of one key depend on each other.

    Args:
        keys: Co-moments over keys: x the number of requests, y the sum of differences.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Number of keys at which the interval is tightest.

    Returns:
        Mean difference per request with its confidence sequence and always-valid p-value.

    Raises:
        ValueError: As `paired_sequence`.

    Source:
        Deng, Knoblich, Lu (2018), KDD (delta method); `paired_sequence`.

    Example:
        >>> from flows.stats.moments import CoMoments
        >>> seen = unit_paired_sequence(CoMoments(n=500, mean_x=1.0, mean_y=0.1, m2_x=0.0, m2_y=499.0, co=0.0))
        >>> f"[{seen.low:.5f}, {seen.high:.5f}]"
        '[-0.03574, 0.23574]'
    """
    return _one_sample(unit("keys", keys), alpha, tuned_to, "asymptotic confidence sequence, paired, clustered by key")


def _plain(name: str, moments: Sample) -> Unit:
    n, mean, m2 = numbers(name, moments)
    return Unit(n, mean, m2 / (n - 1) if n > 1 else 0.0)


def _one_sample(unit: Unit, alpha: float, tuned_to: float, method: str) -> AlwaysValid:
    tuning(alpha, tuned_to)
    missing = unit.note or _short("differences", unit.n, MIN_PAIRED) or _constant(unit.variance)
    if missing:
        return _silent(method, unit.mean, unit.n, missing)
    error = math.sqrt(unit.variance / unit.n)
    half = float(radius(error, unit.n, alpha=alpha, tuned_to=tuned_to))
    found = float(log_p((unit.mean / error) ** 2, unit.n, alpha=alpha, tuned_to=tuned_to))
    return _answer(method, (unit.mean, unit.mean - half, unit.mean + half), found, unit.n)


def _difference(ours: Unit, theirs: Unit, alpha: float, tuned_to: float, method: str) -> AlwaysValid:
    tuning(alpha, tuned_to)
    n, estimate = min(ours.n, theirs.n), theirs.mean - ours.mean if ours.n and theirs.n else 0.0
    missing = _unready(ours, theirs)
    if missing:
        return _silent(method, estimate, n, missing)
    pooled = pooled_variance(ours.n, ours.variance, theirs.n, theirs.variance)
    error, time = arms(ours.n, ours.variance, theirs.n, theirs.variance, pooled)
    half = float(radius(error, time, alpha=alpha, tuned_to=tuned_to))
    found = float(log_p((estimate / error) ** 2, time, alpha=alpha, tuned_to=tuned_to))
    return _answer(method, (estimate, estimate - half, estimate + half), found, n)


def _relative(ours: Unit, theirs: Unit, alpha: float, tuned_to: float, method: str) -> AlwaysValid:
    tuning(alpha, tuned_to)
    n = min(ours.n, theirs.n)
    estimate = theirs.mean / ours.mean - 1 if ours.mean > 0 else 0.0
    missing = _unready(ours, theirs) or _few_events(ours, theirs)
    if missing:
        return _silent(method, estimate, n, missing)
    middle = (ours.n * ours.mean + theirs.n * theirs.mean) / (ours.n + theirs.n)
    pooled = pooled_variance(ours.n, ours.variance, theirs.n, theirs.variance) / middle**2
    guard = min(1.0, _GUARDED_EVENTS / min(effective_events(*ours[:3]), effective_events(*theirs[:3])))
    error, time = arms(ours.n, ours.variance / ours.mean**2, theirs.n, theirs.variance / theirs.mean**2, pooled, guard)
    half = float(radius(error, time, alpha=alpha, tuned_to=tuned_to))
    log_ratio = math.log(theirs.mean / ours.mean)
    found = float(log_p((log_ratio / error) ** 2, time, alpha=alpha, tuned_to=tuned_to))
    return _answer(method, (estimate, math.expm1(log_ratio - half), _expm1(log_ratio + half)), found, n)


def _unready(ours: Unit, theirs: Unit) -> str:
    return (
        ours.note
        or theirs.note
        or _short("values in an arm", min(ours.n, theirs.n), MIN_ASYMPTOTIC)
        or _constant(ours.variance + theirs.variance)
    )


def _few_events(ours: Unit, theirs: Unit) -> str:
    for name, arm in (("champion", ours), ("challenger", theirs)):
        if arm.mean <= 0:
            return f"the {name}'s mean is not positive, so that there is no ratio"
        if effective_events(*arm[:3]) < MIN_EVENTS:
            return f"the {name}'s mean rests on fewer than {MIN_EVENTS} effective events, too few for a ratio"
    return ""


def _short(what: str, n: int, least: int) -> str:
    return f"fewer than {least} {what}, too few for an asymptotic interval" if n < least else ""


def _constant(variance: float) -> str:
    return "" if variance > 0 else "no variance, so that nothing bounds the difference"


def _silent(method: str, estimate: float, n: int, note: str) -> AlwaysValid:
    """Too early to say anything."""
    return AlwaysValid(
        method=method,
        estimate=estimate,
        low=-math.inf,
        high=math.inf,
        p_value=1.0,
        log_p=0.0,
        log_e=None,
        n=n,
        note=note,
    )


def _answer(method: str, interval: tuple[float, float, float], log_p: float, n: int) -> AlwaysValid:
    estimate, low, high = interval
    return AlwaysValid(
        method=method,
        estimate=estimate,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        log_e=None,
        n=n,
    )


def _expm1(x: float) -> float:
    return math.expm1(x) if x < 700 else math.inf
