"""Bounds below which a challenger that has the planned effect would hardly ever be found."""

import math

import numpy as np

from flows.stats.sequential.group.bounds import MAX_BOUND, Walked, log_difference, region
from flows.stats.sequential.group.spending import Spending
from flows.stats.sequential.group.walk import Layer, bound_above, enter, log_above, log_below, mirrored


def with_futility(
    looks: Walked, spent_at: tuple[float, ...], log_beta: float, drift: float, spending: Spending
) -> Walked:
    """
    Give efficacy bounds a lower bound that spends the type II error.

    The efficacy bounds stay as they are, so the type I error holds whether or not anybody stops
    for futility (non-binding). On the way down the lower of two bounds is that of harm, if there is one.

    Args:
        looks: Efficacy bounds.
        spent_at: Fractions at which the spending function is read.
        log_beta: Log of the type II error.
        drift: Planned mean of z at information 1.
        spending: Of the type II error.

    Returns:
        The same looks with the futility bounds as `low`; they never exceed `high`.

    Source:
        Pampallona, Tsiatis and Kim (2001), Drug Inf. J. 35:1113-1121; as gsDesign's test.type 4
        and rpact's typeBetaSpending with bindingFutility = FALSE.
    """
    planned = spending.log_spent(spent_at, log_beta)
    layers: list[Layer | None] = [None]
    low: list[float] = []
    spent = -math.inf
    for k, time in enumerate(looks.times):
        bound = _lower(layers[k], time, log_difference(float(planned[k]), spent), drift)
        bound = min(max(bound, looks.low[k]), looks.high[k])
        low.append(bound)
        spent = float(np.logaddexp(spent, log_below(layers[k], time, bound * math.sqrt(time), drift)))
        if bound >= looks.high[k] or k + 1 == len(looks.times):
            break
        layers.append(enter(layers[k], region(time, bound, looks.high[k]), looks.times[k + 1]))
    return looks.until(len(low) - 1)._replace(low=tuple(low), layers=tuple(layers))


def _lower(layer: Layer | None, time: float, log_target: float, drift: float) -> float:
    if log_target == -math.inf:
        return -MAX_BOUND
    if log_target >= _log_staying(layer, time, drift):
        return math.inf
    return max(-MAX_BOUND, -bound_above(mirrored(layer), time, log_target, -drift) / math.sqrt(time))


def _log_staying(layer: Layer | None, time: float, drift: float) -> float:
    """Log of the chance of not having left before this look."""
    middle = drift * time
    return float(np.logaddexp(log_above(layer, time, middle, drift), log_below(layer, time, middle, drift)))
