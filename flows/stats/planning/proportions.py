"""Shares of successes over different callers: conversion, accuracy in a split."""

import math

from flows.stats.checks import number, share
from flows.stats.planning.solving import Sides, critical, normal_power, positive, quantiles, reachable


def two_proportions_power(
    n: float,
    champion: float,
    challenger: float,
    *,
    alpha: float = 0.05,
    ratio: float = 1.0,
    margin: float = 0.0,
    sides: Sides = 2,
) -> float:
    """
    Power of the test that two independent proportions are equal, or not worse by a margin.

    Args:
        n: Rows of the champion; the challenger has ratio * n.
        champion, challenger: Expected shares of successes; more is better.
        alpha: Error rate; of non-inferiority give half of it with sides=1 for the bound
            of a two-sided interval.
        ratio: Challenger's rows per row of the champion.
        margin: Tolerated deterioration; above 0 the variance under the null is not pooled.
        sides: 2 counts rejections in the wrong direction, as R's strict=TRUE does.

    Raises:
        ValueError: If a share lies outside (0, 1), or n or ratio is not above 0.

    Source:
        Fleiss, Levin, Paik (2003), Statistical Methods for Rates and Proportions, 4.4;
        agrees with R `power.prop.test` and `statsmodels.stats.proportion.power_proportions_2indep`.

    Example:
        >>> f"{two_proportions_power(50, 0.50, 0.75):.3f}"  # R: power.prop.test(n = 50, p1 = .50, p2 = .75)
        '0.740'
    """
    number("margin", margin)
    null, spread = _errors(champion, challenger, ratio, margin)
    root = math.sqrt(positive("n", n))
    shift = challenger - champion + margin
    if margin == 0 and sides == 2:
        shift = abs(shift)
    return normal_power(shift, null / root, spread / root, critical(alpha, sides), sides)


def two_proportions_n(
    champion: float,
    challenger: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    ratio: float = 1.0,
    margin: float = 0.0,
    sides: Sides = 2,
) -> float:
    """
    Rows of the champion for a given power; the challenger needs ratio times as many.

    Rejections in the wrong direction do not count, as in R and statsmodels.

    Raises:
        ValueError: If there is no effect to see, or an argument is out of range.

    Source:
        As `two_proportions_power`; with a margin as Chow, Shao, Wang (2008), Sample Size
        Calculations in Clinical Research, 4.2.2 (R `TrialSize::TwoSampleProportion.NIS`).

    Example:
        >>> f"{two_proportions_n(0.50, 0.75, power=0.90):.1f}"  # R: power.prop.test(p1 = .50, p2 = .75, power = .90)
        '76.7'
        >>> f"{two_proportions_n(0.85, 0.85, margin=0.10, alpha=0.025, sides=1):.2f}"  # TrialSize: 200.15
        '200.15'
    """
    null, spread = _errors(champion, challenger, ratio, margin)
    bound, reach = quantiles(alpha, power, sides)
    shift = challenger - champion + margin
    reachable(shift, margin, sides)
    return ((bound * null + reach * spread) / shift) ** 2


def _errors(champion: float, challenger: float, ratio: float, margin: float) -> tuple[float, float]:
    """Standard errors times the root of n, under the null and under the effect."""
    p, q, r = share("champion", champion), share("challenger", challenger), positive("ratio", ratio)
    if margin < 0:
        raise ValueError(f"margin is {margin}; it must not be negative")
    spread = math.sqrt(p * (1 - p) + q * (1 - q) / r)
    if margin:
        return spread, spread
    pooled = (p + r * q) / (1 + r)
    return math.sqrt(pooled * (1 - pooled) * (1 + 1 / r)), spread
