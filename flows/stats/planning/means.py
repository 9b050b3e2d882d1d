"""Means of anything with a standard deviation: revenue, losses, latency; independent or paired."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats.checks import number
from flows.stats.planning.solving import Sides, critical, positive, reachable, smallest_n


def two_means_power(
    n: float,
    effect: float,
    sd: float,
    *,
    sd_challenger: float | None = None,
    alpha: float = 0.05,
    ratio: float = 1.0,
    margin: float = 0.0,
    sides: Sides = 2,
) -> float:
    """
    Power of the t test of two independent means.

    Args:
        n: Rows of the champion; the challenger has ratio * n.
        effect: Expected difference, challenger minus champion; more is better.
        sd: Standard deviation of one row; of the champion's alone if both are given.
        sd_challenger: Of the challenger's rows; then degrees of freedom are Welch's.
        alpha: Error rate.
        ratio: Challenger's rows per row of the champion.
        margin: Tolerated deterioration, for non-inferiority.
        sides: 2 counts rejections in the wrong direction, as R's strict=TRUE does.

    Raises:
        ValueError: If n gives less than one degree of freedom, or a spread is not above 0.

    Source:
        Noncentral t; agrees with R `power.t.test` and `statsmodels.stats.power.TTestIndPower`.

    Example:
        >>> f"{two_means_power(20, 1, 1):.4f}"  # R: power.t.test(n = 20, delta = 1, sd = 1) gives 0.8689528
        '0.8690'
    """
    positive("n", n), positive("ratio", ratio), number("effect", effect), number("margin", margin)
    first, second = positive("sd", sd) ** 2 / n, positive("sd", sd_challenger or sd) ** 2 / (n * ratio)
    error = math.sqrt(first + second)
    if sd_challenger is None:
        freedom = n * (1 + ratio) - 2
    else:
        freedom = (first + second) ** 2 / (first**2 / (n - 1) + second**2 / (n * ratio - 1))
    return _noncentral_power((effect + margin) / error, freedom, alpha, sides, symmetric=margin == 0)


def two_means_n(
    effect: float,
    sd: float,
    *,
    power: float = 0.8,
    sd_challenger: float | None = None,
    alpha: float = 0.05,
    ratio: float = 1.0,
    margin: float = 0.0,
    sides: Sides = 2,
) -> float:
    """
    Rows of the champion for a given power; the challenger needs ratio times as many.

    Raises:
        ValueError: If there is no effect to see, or an argument is out of range.

    Source:
        As `two_means_power`.

    Example:
        >>> f"{two_means_n(1, 1, power=0.90):.4f}"  # R: power.t.test(power = .90, delta = 1) gives 22.02110
        '22.0211'
    """
    positive("ratio", ratio)
    reachable(effect + margin, margin, sides)
    least = 3 / (1 + ratio) if sd_challenger is None else max(2.0, 2 / ratio)
    return smallest_n(
        lambda n: two_means_power(
            n, effect, sd, sd_challenger=sd_challenger, alpha=alpha, ratio=ratio, margin=margin, sides=sides
        ),
        power,
        least=least,
    )


def paired_means_power(
    n: float, effect: float, sd: float, *, alpha: float = 0.05, margin: float = 0.0, sides: Sides = 2
) -> float:
    """
    Power of the paired t test.

    Args:
        n: Pairs, above 1.
        effect: Expected mean of the differences; more is better.
        sd: Standard deviation of the *differences*; see `sd_of_difference`.
        alpha: Error rate.
        margin: Tolerated deterioration, for non-inferiority.
        sides: 2 counts rejections in the wrong direction.

    Source:
        Noncentral t; agrees with R `power.t.test(type = "paired")` and
        `statsmodels.stats.power.TTestPower`.

    Example:
        >>> f"{paired_means_power(20, 1, 1):.4f}"  # statsmodels: TTestPower().power(1, 20, 0.05)
        '0.9886'
    """
    positive("n", n), positive("sd", sd), number("effect", effect), number("margin", margin)
    return _noncentral_power((effect + margin) * math.sqrt(n) / sd, n - 1, alpha, sides, symmetric=margin == 0)


def paired_means_n(
    effect: float, sd: float, *, power: float = 0.8, alpha: float = 0.05, margin: float = 0.0, sides: Sides = 2
) -> float:
    """
    Pairs for a given power.

    Source:
        As `paired_means_power`.

    Example:
        >>> f"{paired_means_n(0.5, 1, power=0.90):.4f}"  # R: pwr.t.test(d = 0.5, power = 0.9, type = "paired")
        '43.9955'
    """
    reachable(effect + margin, margin, sides)
    return smallest_n(
        lambda n: paired_means_power(n, effect, sd, alpha=alpha, margin=margin, sides=sides), power, least=2.0
    )


def sd_of_difference(sd: float, correlation: float, sd_challenger: float | None = None) -> float:
    """
    Spread of a per-row difference of two models.

    Args:
        sd: Of one model's values.
        correlation: Between both models' values of the same row; losses of two models
            trained on the same table often reach 0.8.
        sd_challenger: As *sd* if absent.

    Example:
        >>> f"{sd_of_difference(1.0, 0.875):.3f}"
        '0.500'
    """
    if not -1 <= correlation < 1:
        raise ValueError(f"correlation is {correlation}; it must lie in [-1, 1): at 1 all differences are equal")
    other = positive("sd", sd_challenger or sd)
    return math.sqrt(positive("sd", sd) ** 2 + other**2 - 2 * correlation * sd * other)


def _noncentral_power(shift: float, freedom: float, alpha: float, sides: Sides, *, symmetric: bool) -> float:
    if not freedom >= 1:
        raise ValueError(f"the rows leave {freedom:g} degrees of freedom; give more of them")
    critical(alpha, sides)
    if symmetric and sides == 2:
        shift = abs(shift)
    bound = float(special.stdtrit(freedom, 1 - alpha / sides))
    right = 1 - _cdf(bound, freedom, shift)
    return right + (_cdf(-bound, freedom, shift) if sides == 2 else 0.0)


def _cdf(t: float, freedom: float, shift: float) -> float:
    """
    Of the noncentral t: a normal tail, averaged over the spread that the sample may show.

    `scipy.special.nctdtr` gives nan from moderate shifts on.
    """
    ends = np.sqrt(special.chdtri(freedom, [1 - 1e-15, 1e-15]))
    low, high = max(float(ends[0]), 1e-12), float(ends[1])
    nodes, weights = _legendre()
    root = (high - low) / 2 * nodes + (high + low) / 2
    log_density = (freedom - 1) * np.log(root) - root**2 / 2 - (freedom / 2 - 1) * math.log(2)
    density = np.exp(log_density - special.gammaln(freedom / 2))
    below = special.ndtr(t * root / math.sqrt(freedom) - shift)
    return float(np.sum(weights * density * below) * (high - low) / 2)


@cache
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.legendre.leggauss(200)
