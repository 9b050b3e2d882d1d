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
"""

import math
from collections.abc import Sequence

from scipy import special

from flows.detection.judging.chance import free_of_chance, one_sided, outside_by_chance
from flows.detection.univariate.statistics import ColumnStatistics

_NUMBERS = (0.6, 0.3, 0.1)
_LEVELS = (0.8, 0.1, 0.1)
_PER_BIN = 10  # values per bin below which Jensen-Shannon is no chi-square


def p_value(column: ColumnStatistics) -> float:
    """How likely both samples of the column come from one distribution; 1 if nothing was measured."""
    if column.kind == "numeric":
        return _together(_NUMBERS, (column.ks_p, _divergence(column), _outside(column)))
    return _together(_LEVELS, (column.pooled_p, _new(column), _vanished(column)))


def effect(column: ColumnStatistics) -> float:
    """
    How much a column changed, 0 to 1: about the share of the rows that would have to be others.

    Of numbers: the Kolmogorov-Smirnov D of a normal that moves as far, in standard
    deviations, as the column did: .03 is .075 standard deviations. D itself is no measure of
    size: where values pile up, the least shift of all of them makes it large.
    Of levels: Cramer's V less what chance gives.
    """
    n, m = column.reference_n, column.n
    if column.kind == "categorical":
        return free_of_chance(column.pooled_v or 0.0, n, m, column.pooled_bins)
    if column.moved is None:
        return column.ks or 0.0
    return 2 * float(special.ndtr(column.moved / 2)) - 1


def statistic(column: ColumnStatistics) -> float:
    """Kolmogorov-Smirnov D or Cramer's V."""
    return (column.ks if column.kind == "numeric" else column.cramers_v_even) or 0.0


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


def _new(column: ColumnStatistics) -> float | None:
    """The chance of the most frequent level that the reference does not have."""
    return _alone(column, column.new_levels, column.n, column.reference_n)


def _vanished(column: ColumnStatistics) -> float | None:
    return _alone(column, column.vanished_levels, column.reference_n, column.n)


def _alone(column: ColumnStatistics, levels: tuple[tuple[str, float], ...], here: int, there: int) -> float | None:
    if not levels:
        return None
    return min(1.0, max(1, column.bins) * one_sided(round(levels[0][1] * here), here, there))
