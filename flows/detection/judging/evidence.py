"""
How likely chance alone would show as much as one column does; every test of it in one p-value.

A column of numbers is asked three things: Kolmogorov-Smirnov (sees shifts of any kind),
Jensen-Shannon over the reference's deciles (sees the edges, where Kolmogorov-Smirnov is
weak) and values beyond the reference's range. A column of levels is asked two: chi-square,
and levels that one side alone has. Each test gets a share of the level (weighted
Bonferroni), so that together they are wrong no more often than one of them would be.

Sources:
    Jensen-Shannon: 8 JSD / (1/n + 1/m) is about chi2(k - 1) without drift, as is chi-square,
    to which it is equal in second order; unlike PSI it is bounded and has no heavy tail.
    Chi-square of levels with few rows: mean and variance given the margins are those of
    Haldane (1940), Biometrika 31:346-355; a gamma distribution with these gives the tail.
"""

import math
from collections.abc import Sequence

from scipy import special

from flows.detection.judging.chance import free_of_chance, one_sided, outside_by_chance
from flows.detection.univariate.statistics import ColumnStatistics

_NUMBERS = (0.6, 0.3, 0.1)
_LEVELS = (0.8, 0.1, 0.1)
_PER_BIN = 10  # values per bin below which Jensen-Shannon is no chi-square
_LIFT = 1 / 3  # of the standard error: what chance adds to a small Kolmogorov-Smirnov D


def p_value(column: ColumnStatistics) -> float:
    """How likely both samples of the column come from one distribution; 1 if nothing was measured."""
    if column.kind == "numeric":
        return _together(_NUMBERS, (column.ks_p, _divergence(column), _outside(column)))
    return _together(_LEVELS, (_chi_square(column), _new(column), _vanished(column)))


def effect(column: ColumnStatistics) -> float:
    """
    Kolmogorov-Smirnov D or Cramer's V, 0 to 1, less what chance gives.

    It is the share of the rows that would have to be others for both samples to be alike: a
    normal that shifts by s standard deviations has 2 Phi(s/2) - 1, so .03 is a shift of .075.
    """
    n, m = column.reference_n, column.n
    if column.kind == "categorical":
        return free_of_chance(column.cramers_v or 0.0, n, m, column.bins)
    chance = math.sqrt(1 / n + 1 / m) if n and m else 0.0
    return max(0.0, (column.ks or 0.0) - _LIFT * chance)


def statistic(column: ColumnStatistics) -> float:
    """Kolmogorov-Smirnov D or Cramer's V."""
    return (column.ks if column.kind == "numeric" else column.cramers_v) or 0.0


def _together(weights: Sequence[float], p_values: Sequence[float | None]) -> float:
    known = [p / weight for weight, p in zip(weights, p_values, strict=True) if p is not None]
    return min(1.0, *known) if known else 1.0


def _divergence(column: ColumnStatistics) -> float | None:
    n, m, bins = column.reference_n, column.n, column.bins
    if column.jensen_shannon is None or bins < 2 or min(n, m) < _PER_BIN * bins:
        return None
    divergence = column.jensen_shannon**2 * math.log(2)
    return float(special.chdtrc(bins - 1, 8 * divergence / (1 / n + 1 / m)))


def _outside(column: ColumnStatistics) -> float | None:
    if column.outside is None:
        return None
    return outside_by_chance(round(column.outside * column.n), column.reference_n, column.n)


def _chi_square(column: ColumnStatistics) -> float | None:
    if column.chi2 is None or column.chi2_p is None or column.rarity is None:
        return column.chi2_p
    mean, variance = chi_square_moments(column.reference_n, column.n, column.bins, column.rarity)
    if mean <= 0 or variance <= 0:
        return 1.0
    return float(special.gammaincc(mean**2 / variance, column.chi2 * mean / variance))


def chi_square_moments(n: int, m: int, bins: int, rarity: float) -> tuple[float, float]:
    """
    Mean and variance of chi-square without drift, however few rows a level has.

    Args:
        n: Rows of the reference.
        m: Rows of the window.
        bins: Levels.
        rarity: Sum over the levels of 1 / (rows of both sides).

    Example:
        >>> [round(x, 2) for x in chi_square_moments(10**6, 10**6, 10, 1e-4)]  # as chi2(9)
        [9.0, 18.0]
    """
    rows = float(n + m)
    if min(n, m) == 0 or rows < 4:
        return 0.0, 0.0
    levels = (rows * rarity - bins**2) / (rows - 2)
    sides = (rows * rows / (n * m) - 4) / (rows - 2)
    spread = (bins - 1) * (rows - bins) / (rows - 1) - levels
    other = (rows - 2) / (rows - 1) - sides
    variance = 2 * rows / (rows - 3) * spread * other + rows * rows / (rows - 1) * levels * sides
    return rows / (rows - 1) * (bins - 1), variance


def _new(column: ColumnStatistics) -> float | None:
    """The chance of the most frequent level that the reference does not have."""
    return _alone(column, column.new_levels, column.n, column.reference_n)


def _vanished(column: ColumnStatistics) -> float | None:
    return _alone(column, column.vanished_levels, column.reference_n, column.n)


def _alone(column: ColumnStatistics, levels: tuple[tuple[str, float], ...], here: int, there: int) -> float | None:
    if not levels:
        return None
    return min(1.0, max(1, column.bins) * one_sided(round(levels[0][1] * here), here, there))
