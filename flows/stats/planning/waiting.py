"""How long an always-valid test runs until it can tell: expected, and at the latest in most cases."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from flows.stats.checks import number, share
from flows.stats.planning.crossing import Passage, passage
from flows.stats.planning.solving import MOST, positive
from flows.stats.sequential.mixture import tuning

Floats = NDArray[np.float64]

_EXACT = 60_000  # discordant rows up to which every one of them is a step
_LEFT = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """
    Rows until an always-valid test tells that the challenger is better.

    Attributes:
        expected: Mean number of labelled rows if the effect is real.
        enough: Labelled rows by which it has told with the wanted power.
        power: Wanted.
        method: How the numbers were found.
    """

    expected: float
    enough: float
    power: float
    method: str


def discordant_waiting(
    difference: float, discordance: float, *, power: float = 0.8, alpha: float = 0.05, a: float = 1.0
) -> Waiting:
    """
    Labelled requests until the e-process on discordant pairs tells two accuracies apart.

    Args:
        difference: Accuracy of the challenger minus that of the champion, not 0.
        discordance: Share of requests on which exactly one of them is right.
        power: For `Waiting.enough`.
        alpha: Error rate over all looks together.
        a: Both parameters of the Beta mixture.

    Source:
        Exact recursion over the numbers of won and lost discordant requests; beyond 60,000
        of them the normal limit of `sequence_waiting`. The test is that of
        `flows.stats.sequential.pairs.discordant_pairs`.

    Example:
        >>> seen = discordant_waiting(0.01, 0.06)
        >>> f"{seen.expected:.0f} {seen.enough:.0f}"
        '5980 9347'
    """
    share("power", power), share("alpha", alpha), positive("a", a)
    d = abs(difference)
    if not 0 < d <= discordance <= 1:
        raise ValueError(
            f"difference is {difference}, discordance {discordance}; "
            "the discordance must lie between the size of the difference and 1, and there must be a difference"
        )
    lean = d / discordance
    if _about(lean, alpha) * 5 > _EXACT:
        limit = sequence_waiting(lean, 1.0, power=power, alpha=alpha, scale=_prior_scale(a), first=8)
        return Waiting(
            expected=limit.expected / discordance,
            enough=limit.enough / discordance,
            power=power,
            method="normal limit of the e-process on discordant pairs",
        )
    stops = _stops((1 + lean) / 2, alpha, a, most=int(_about(lean, alpha) * 10) + 50)
    return Waiting(
        expected=float(stops @ np.arange(stops.size)) / float(stops.sum()) / discordance,
        enough=_pairs_until(stops, discordance, power),
        power=power,
        method="exact recursion over discordant pairs",
    )


def sequence_waiting(
    effect: float,
    sd: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    tuned_to: float = 500.0,
    scale: float | None = None,
    first: float = 100.0,
) -> Waiting:
    """
    Rows until an asymptotic confidence sequence leaves 0 behind.

    Args:
        effect: Expected mean difference (plus the margin, for non-inferiority), above 0.
        sd: Standard deviation of one row's difference; for two groups see `two_sample_clock`.
        power: For `Waiting.enough`.
        alpha: Error rate over all looks together.
        tuned_to: Rows at which the sequence is tightest.
        scale: Instead of tuned_to: rows at which the mixture's prior weighs as much as the data.
        first: Rows before which nothing is said: 100 pairs, 30 values per arm.

    Source:
        The sequence of Waudby-Smith et al., arXiv 2103.06476, eq. 9 and 161, whose first
        passage is found by recursive integration (`flows.stats.planning.crossing`).

    Example:
        >>> seen = sequence_waiting(0.1, 1.0)
        >>> f"{seen.expected:.0f} {seen.enough:.0f}"
        '860 1303'
    """
    share("power", power), share("alpha", alpha), positive("first", first)
    drift = positive("effect", abs(effect)) / positive("sd", sd)
    prior = tuned_scale(tuned_to, alpha) if scale is None else positive("scale", scale)
    last = max(40 * _about(drift, alpha, prior), 4 * first)
    if last > MOST:
        raise ValueError(f"effect {effect} is too small beside a standard deviation of {sd}; nobody can wait so long")
    seen = passage(drift, prior, alpha, first=first, last=last)
    return Waiting(
        expected=_mean(seen),
        enough=_quantile(seen, power),
        power=power,
        method="recursive integration of the asymptotic confidence sequence",
    )


def discordant_told(n: float, difference: float, discordance: float, *, alpha: float = 0.05, a: float = 1.0) -> float:
    """
    Chance that the e-process on discordant pairs has told by a number of labelled requests.

    Args:
        n: Labelled requests.
        difference, discordance, alpha, a: As `discordant_waiting`; with no difference it is
            the chance of a false alarm for the challenger.

    Example:
        >>> f"{discordant_told(9347, 0.01, 0.06):.3f}"
        '0.800'
    """
    positive("n", n), share("alpha", alpha), positive("a", a)
    if not (0 < discordance <= 1 and abs(difference) <= discordance):
        raise ValueError(f"difference is {difference}, discordance {discordance}; the latter must lie from that to 1")
    lean = abs(difference) / discordance
    most = int(special.bdtrik(1 - 1e-9, n, discordance)) + 1 if discordance < 1 else int(n)
    if most > _EXACT:
        return sequence_told(n * discordance, lean, 1.0, alpha=alpha, scale=_prior_scale(a), first=8)
    stops = _stops((1 + lean) / 2, alpha, a, most=most)
    return _told(stops, n, discordance)


def sequence_told(
    n: float,
    effect: float,
    sd: float,
    *,
    alpha: float = 0.05,
    tuned_to: float = 500.0,
    scale: float | None = None,
    first: float = 100.0,
) -> float:
    """
    Chance that an asymptotic confidence sequence has left 0 behind by a number of rows.

    Args:
        n: Rows.
        effect, sd, alpha, tuned_to, scale, first: As `sequence_waiting`.

    Example:
        >>> f"{sequence_told(1304, 0.1, 1.0, first=30):.3f}"
        '0.800'
    """
    positive("n", n), positive("first", first), share("alpha", alpha), number("effect", effect)
    if n <= first:
        return 0.0
    prior = tuned_scale(tuned_to, alpha) if scale is None else positive("scale", scale)
    seen = passage(effect / positive("sd", sd), prior, alpha, first=first, last=n)
    return float(np.interp(n, seen.times, seen.found))


def tuned_scale(tuned_to: float, alpha: float) -> float:
    """
    Scale of the mixture that is tightest at so many rows.

    Source:
        Waudby-Smith et al., arXiv 2103.06476, eq. 161.

    Example:
        >>> f"{tuned_scale(500, 0.05):.2f}"
        '63.00'
    """
    return 1 / tuning(alpha, tuned_to)


def two_sample_clock(sd: float, sd_challenger: float, ratio: float) -> tuple[float, float]:
    """
    Turn two groups into one walk, as `flows.stats.sequential.arms` does.

    Args:
        sd, sd_challenger: Of one row.
        ratio: Challenger's rows per row of the champion.

    Returns:
        Standard deviation per unit of information, and rows of the champion per unit.

    Example:
        >>> "{:.1f} {:.2f}".format(*two_sample_clock(3.0, 4.0, 1.0))
        '5.0 1.00'
        >>> "{:.3f} {:.2f}".format(*two_sample_clock(1.0, 1.0, 1 / 19))
        '1.414 10.00'
    """
    first, second = positive("sd", sd) ** 2, positive("sd_challenger", sd_challenger) ** 2
    positive("ratio", ratio)
    pooled = (first + ratio * second) / (1 + ratio)
    square = max(first + second / ratio, pooled * (1 + 1 / ratio))
    return math.sqrt(first + second), square / (first + second)


def _prior_scale(a: float) -> float:
    """Scale of the normal mixture that is as dense as Beta(a, a) where neither model leads."""
    density = math.exp(-(2 * a - 1) * math.log(2) - float(special.betaln(a, a)))
    return 2 * math.pi * density**2


def _about(drift: float, alpha: float, scale: float = 3.0) -> float:
    """Rows at which the walk's mean meets the bound."""
    n = 1.0
    for _ in range(30):
        n = (math.log1p(n / scale) - 2 * math.log(alpha)) / drift**2 + 1
    return n


def _mean(seen: Passage) -> float:
    steps = np.diff(seen.found, prepend=0.0)
    # Crossed between two looks: on average in the middle.
    middle = np.concatenate([[seen.times[0]], (seen.times[1:] + seen.times[:-1]) / 2])
    return float(steps @ middle) / float(seen.found[-1])


def _quantile(seen: Passage, power: float) -> float:
    if seen.found[-1] < power:
        return math.inf
    return float(np.interp(power, seen.found, seen.times))


def _stops(win: float, alpha: float, a: float, *, most: int) -> Floats:
    """Probability of telling, in the right direction, at each number of discordant rows."""
    bounds = _won_bounds(most, alpha, a)
    inside, lowest = np.ones(1), 0
    stops, left = np.zeros(most + 1), 1.0
    for m in range(1, most + 1):
        moved = np.zeros(inside.size + 1)
        moved[:-1] = inside * (1 - win)
        moved[1:] += inside * win
        high, low = bounds[m], m - bounds[m]
        cut = max(0, high - lowest)
        stops[m] = moved[cut:].sum()
        start = max(0, low + 1 - lowest)
        left -= stops[m] + moved[:start].sum()
        inside, lowest = moved[start:cut], lowest + start
        if left < _LEFT:
            break
    return stops


def _won_bounds(most: int, alpha: float, a: float) -> NDArray[np.int64]:
    """Smallest number of won among m discordant rows at which e reaches 1/alpha; m + 1 if none does."""
    m = np.arange(most + 1)
    low, high = (m + 1) // 2, m + 1
    while np.any(low < high):
        middle = (low + high) // 2
        log_e = special.betaln(a + middle, a + np.maximum(m - middle, 0)) - special.betaln(a, a) + m * math.log(2)
        enough = (log_e >= -math.log(alpha)) & (middle <= m)
        low, high = np.where(enough | (low >= high), low, middle + 1), np.where(enough, middle, high)
    return high


def _pairs_until(stops: Floats, discordance: float, power: float) -> float:
    """Requests by which enough of them were discordant."""
    if stops.sum() < power:
        return math.inf
    low = high = float(np.flatnonzero(stops)[0])
    while _told(stops, high, discordance) < power:
        high *= 2
    if high == low:
        return low
    return float(optimize.brentq(lambda n: _told(stops, n, discordance) - power, low, high, xtol=0.01))


def _told(stops: Floats, n: float, discordance: float) -> float:
    """Chance of having told by *n* requests, of which a binomial number is discordant."""
    m = np.flatnonzero(stops)
    m = m[m <= n]
    reached = np.ones(m.size) if discordance == 1 else special.betainc(m, n - m + 1, discordance)
    return float(stops[m] @ reached)
