"""What may be said of the effect after a test that could have stopped earlier."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from flows.stats.sequential.group.bounds import Walked, layers_between, walk_bounds
from flows.stats.sequential.group.spending import Spending
from flows.stats.sequential.group.walk import OPEN, log_above, log_below
from flows.stats.tails import log_two_sided_z

_DEEPEST = 50.0


class Stagewise(NamedTuple):
    """
    Inference in the order of stages, in units of drift: the mean of z at information 1.

    Attributes:
        log_p: Log of the p-value, of as many sides as the test.
        estimate: Median-unbiased.
        low, high: Confidence interval.
    """

    log_p: float
    estimate: float
    low: float
    high: float


def stagewise(looks: Walked, z: float, *, confidence: float) -> Stagewise:
    """
    Inference after stopping at the last of *looks*.

    Earlier crossings count as more extreme than later ones, larger z as more extreme within a
    look. Bounds at the last look itself are of no account, nor are futility bounds.

    Args:
        looks: Efficacy bounds at all looks taken, of `walked`, `walk_bounds` or `fixed_bounds`.
        z: At the last look.
        confidence: Two-sided coverage.

    Returns:
        The interval excludes 0 exactly when z reached its bound, if confidence is 1 - alpha.

    Source:
        Tsiatis, Rosner and Mehta (1984), Biometrics 40:797-803; Jennison and Turnbull (2000),
        ch. 8.4 and 8.5. Agrees with R ldbounds `ldPower(conf=)` and rpact
        `getFinalConfidenceInterval`.

    Example:
        R GroupSeq's vignette: Pocock, z = 2.5 at the second of three looks (0.30 to 5.38):

        >>> from flows.stats.sequential.group.bounds import fixed_bounds
        >>> looks = fixed_bounds([1 / 3, 2 / 3], [-2.2894, -2.2894], [2.2894, 2.2894])
        >>> found = stagewise(looks, 2.5, confidence=0.95)
        >>> f"{found.low:.2f} {found.high:.2f}"
        '0.30 5.38'
    """
    error = (1 - confidence) / 2
    looks = _deep(looks, z)
    return Stagewise(
        log_p=stagewise_log_p(looks, z),
        estimate=_solve(looks, z, 0.5),
        low=_solve(looks, z, error),
        high=_solve(looks, z, 1 - error),
    )


def stagewise_log_p(looks: Walked, z: float) -> float:
    """
    Log of the p-value of a test that ended at the last of *looks*.

    Two-sided where the bounds have two sides: twice the smaller tail.
    """
    log_upper = _log_upper(looks, z, 0.0)
    if math.isinf(looks.low[-1]):
        return min(0.0, log_upper)
    return min(0.0, math.log(2) + min(log_upper, _log_lower(looks, z, 0.0)))


def repeated_log_p(
    looks: Walked, zs: tuple[float, ...], *, spending: Spending, spent_at: tuple[float, ...], sided: int
) -> float:
    """
    Log of the smallest alpha at which some look so far would have stopped.

    Valid at every look, also if the test is never ended as planned.

    Source:
        Jennison and Turnbull (2000), ch. 9.5; Liu and Anderson (2008), Biometrics 64:1082-1088.
    """
    from scipy.optimize import brentq

    values = np.abs(zs) if sided == 2 else np.asarray(zs)

    # Searched on the scale of z, on which bounds are almost linear.
    def excess(quantile: float) -> float:
        at = walk_bounds(looks.times, spent_at, float(special.log_ndtr(-quantile)), sided, spending)
        return float(np.max(values - np.asarray(at.high)))

    least = -float(special.ndtri((1 - 1e-6) / sided))
    if excess(least) <= 0:
        return 0.0
    most = max(float(values.max()), least) + 1e-6
    quantile = brentq(excess, least, most, xtol=1e-10, rtol=1e-12)
    return min(0.0, math.log(sided) + float(special.log_ndtr(-quantile)))


def log_nominal(z: float, sided: int) -> float:
    """Log of the p-value as if this look had been the only one."""
    return log_two_sided_z(z) if sided == 2 else float(special.log_ndtr(-z))


def _deep(looks: Walked, z: float) -> Walked:
    """One side and z far below 0: the quadrature must reach down to the drifts that explain it."""
    if z >= 0 or z < -_DEEPEST or not math.isinf(looks.low[-1]):
        return looks
    return looks._replace(layers=layers_between(looks.times, looks.low, looks.high, reach=OPEN - z))


def _solve(looks: Walked, z: float, target: float) -> float:
    """Drift under which something at least as extreme has the chance *target*."""
    from scipy.optimize import brentq

    root = math.sqrt(looks.times[-1])
    free = (z + float(special.ndtri(target))) / root
    if math.isinf(looks.low[-1]) and z < -_DEEPEST:
        return free
    chance = _chance(looks, z)
    low, high = _bracket(lambda drift: chance(drift) - target, free, 1.0 / root)
    if low == high:
        return low
    found: float = brentq(lambda drift: chance(drift) - target, low, high, xtol=1e-12, rtol=1e-13)
    return found


def _chance(looks: Walked, z: float) -> Callable[[float], float]:
    if z >= 0 or math.isinf(looks.low[-1]):
        return lambda drift: math.exp(min(0.0, _log_upper(looks, z, drift)))
    return lambda drift: -math.expm1(min(0.0, _log_lower(looks, z, drift)))


def _bracket(excess: Callable[[float], float], start: float, step: float) -> tuple[float, float]:
    """Two drifts around the root of a growing function."""
    low = high = start
    for _ in range(60):
        if excess(low) <= 0:
            break
        low, step = low - step, 2 * step
    step = (high - low) or step
    for _ in range(60):
        if excess(high) >= 0:
            break
        high, step = high + step, 2 * step
    return low, high


def _log_upper(looks: Walked, z: float, drift: float) -> float:
    """Log of the chance of an upper exit before the last look, or of at least z there."""
    logs = [
        log_above(layer, time, (bound if k + 1 < len(looks.times) else z) * math.sqrt(time), drift)
        for k, (layer, time, bound) in enumerate(zip(looks.layers, looks.times, looks.high, strict=True))
    ]
    return float(np.logaddexp.reduce(logs))


def _log_lower(looks: Walked, z: float, drift: float) -> float:
    """Log of the chance of a lower exit before the last look, or of at most z there."""
    logs = [
        log_below(layer, time, (bound if k + 1 < len(looks.times) else z) * math.sqrt(time), drift)
        for k, (layer, time, bound) in enumerate(zip(looks.layers, looks.times, looks.low, strict=True))
    ]
    return float(np.logaddexp.reduce(logs))
