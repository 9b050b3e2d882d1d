"""
Two arms over several strata with weights of their own, e.g. the weights of a bandit, one after another.

Adding up the arms over strata is wrong where a weight depends on what was seen: an arm that had bad
luck gets few requests afterwards, so that its bad luck stays in its mean, and an hour that is bad for everybody
counts for the arm that had most of it. Here arms are compared within strata only. Each stratum
counts by its numbers of units, never by their outcomes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from flows.stats.checks import Pairs, Sample, numbers, pair_numbers
from flows.stats.results import AlwaysValid, probability
from flows.stats.sequential.mixture import log_p, radius, tuning

MIN_UNITS = 30
METHOD = "asymptotic confidence sequence, stratified"


class Cell(NamedTuple):
    """
    One arm in one stratum.

    Attributes:
        n: Units: requests, or keys.
        mean: Of a request.
        squares: Sum of squared deviations of what one unit adds to the mean.
    """

    n: int
    mean: float
    squares: float


class Gain(NamedTuple):
    """
    Challenger minus champion over all strata.

    Attributes:
        estimate: Weighted mean of the differences within strata.
        error: Its standard error; infinite while nothing can be said.
        time: Information time, in units per arm of an even split.
        n: Units of the smaller arm.
        champion, challenger: Means with the weights of the estimate, so that they differ by it.
        note: Why nothing can be said, or empty.
    """

    estimate: float
    error: float
    time: float
    n: int
    champion: float
    challenger: float
    note: str = ""


Strata = Sequence[tuple[Cell, Cell]]


def value_cell(name: str, given: Sample) -> Cell:
    """Make a cell of (n, mean, m2); ValueError if they are of no sample."""
    n, mean, m2 = numbers(name, given)
    return Cell(n, mean, m2)


def key_cell(name: str, given: Pairs) -> Cell:
    """
    Make a cell of co-moments over keys: x counts requests, y sums values.

    Source:
        Deng, Knoblich, Lu (2018), KDD: the ratio, linearised.
    """
    keys = pair_numbers(name, given)
    if not keys.n or keys.mean_x <= 0:
        return Cell(0, 0.0, 0.0)
    ratio = keys.mean_y / keys.mean_x
    rest = keys.m2_y - 2 * ratio * keys.co + ratio**2 * keys.m2_x
    return Cell(keys.n, ratio, max(0.0, rest) / keys.mean_x**2)


def stratified_gain(strata: Strata) -> Gain:
    """
    Combine differences within strata.

    A stratum of n and m units weighs n m / (n + m); the variance of a unit is that within strata, of each arm
    or, if that is larger, of both together.

    Args:
        strata: (champion, challenger) of each; one without units of both arms says nothing.

    Source:
        Cochran (1954), Biometrics 10:417-451; Greenland and Robins (1985), Biometrics 41:55-68 (weights).

    Example:
        >>> hour = Cell(100, 0.5, 25.0), Cell(100, 0.6, 24.0)
        >>> gain = stratified_gain([hour, (Cell(300, 0.2, 48.0), Cell(100, 0.3, 21.0))])
        >>> f"{gain.estimate:.3f} {gain.n}"
        '0.100 200'
    """
    both = [(ours, theirs) for ours, theirs in strata if ours.n and theirs.n]
    n = min(sum(ours.n for ours, _ in both), sum(theirs.n for _, theirs in both)) if both else 0
    if not both:
        return Gain(0.0, math.inf, 0.0, 0, 0.0, 0.0, "no values of both arms")
    weights = [ours.n * theirs.n / (ours.n + theirs.n) for ours, theirs in both]
    total = sum(weights)
    means = [sum(w * arm[side].mean for w, arm in zip(weights, both, strict=True)) / total for side in (0, 1)]
    ours, theirs = (_variance([arm[side] for arm in both]) for side in (0, 1))
    estimate = means[1] - means[0]
    short = _missing(n, ours, theirs)
    if short:
        return Gain(estimate, math.inf, 0.0, n, means[0], means[1], short)
    pooled = _variance([cell for arm in both for cell in arm])
    square = max(_square(weights, both, ours, theirs), _square(weights, both, pooled, pooled))
    return Gain(estimate, math.sqrt(square), (ours + theirs) / square, n, means[0], means[1])


def stratified_sequence(strata: Strata, *, alpha: float = 0.05, tuned_to: float = 500) -> AlwaysValid:
    """
    Difference of two means over strata, valid at any look and for weights that follow the outcomes.

    Within a stratum callers are dealt by one weight, chosen from what came before it: the weighted sum of
    differences is a martingale, and its boundary that of a single split at the same information.

    Args:
        strata: (champion, challenger) of each, in any order.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Units per arm of an even split at which the interval is tightest.

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv 2103.06476, eq. 9 and 155, for terms that are
        martingale differences; `stratified_gain`.

    Example:
        >>> strata = [(Cell(250, 0.0, 249.0), Cell(250, 0.2, 249.0))] * 2
        >>> seen = stratified_sequence(strata)
        >>> f"[{seen.low:.3f}, {seen.high:.3f}]"
        '[0.008, 0.392]'
    """
    tuning(alpha, tuned_to)
    gain = stratified_gain(strata)
    if gain.note:
        return _answer(gain, math.inf, 0.0)
    half = float(radius(gain.error, gain.time, alpha=alpha, tuned_to=tuned_to))
    found = float(log_p((gain.estimate / gain.error) ** 2, gain.time, alpha=alpha, tuned_to=tuned_to))
    return _answer(gain, half, found)


def _square(weights: Sequence[float], strata: Strata, ours: float, theirs: float) -> float:
    parts = (w * w * (ours / a.n + theirs / b.n) for w, (a, b) in zip(weights, strata, strict=True))
    return sum(parts) / sum(weights) ** 2


def _variance(cells: Sequence[Cell]) -> float:
    """Of one unit, within strata; 0 while no stratum has two."""
    freedom = sum(cell.n - 1 for cell in cells)
    return sum(cell.squares for cell in cells) / freedom if freedom > 0 else 0.0


def _missing(n: int, ours: float, theirs: float) -> str:
    if n < MIN_UNITS:
        return f"fewer than {MIN_UNITS} values in an arm, too few for an asymptotic interval"
    return "" if ours + theirs > 0 else "no variance, so that nothing bounds the difference"


def _answer(gain: Gain, half: float, log_p_value: float) -> AlwaysValid:
    return AlwaysValid(
        method=METHOD,
        estimate=gain.estimate,
        low=gain.estimate - half,
        high=gain.estimate + half,
        p_value=probability(log_p_value),
        log_p=log_p_value,
        log_e=None,
        n=gain.n,
        note=gain.note,
    )
