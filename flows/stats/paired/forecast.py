"""Errors in the order of time, which depend on each other."""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import choice, counts, finite, same_length, share
from flows.stats.paired.losses import differences, same_up_to_rounding
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald

Kernel = Literal["rectangular", "bartlett"]

_KERNELS = {"rectangular": "rectangular", "bartlett": "Bartlett"}


def diebold_mariano(
    champion_errors: ArrayLike,
    challenger_errors: ArrayLike,
    *,
    horizon: int = 1,
    power: float = 2.0,
    kernel: Kernel = "rectangular",
    confidence: float = 0.95,
) -> Effect:
    """
    Diebold-Mariano test of two series of forecast errors, corrected for small samples.

    Args:
        champion_errors, challenger_errors: Shape (n,), actual minus forecast in the order
            of time, of the same times.
        horizon: Steps ahead; errors fewer than so many steps apart may depend on each other.
        power: Loss is the absolute error to this power: 1 absolute, 2 squared.
        kernel: Weights of the autocovariances. Should the rectangular variance not be
            positive, Bartlett's is used instead and noted.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean loss of the champion minus that of the challenger, so that more is better.

    Raises:
        ValueError: If lengths differ, errors are not finite, or an option is out of range.

    Source:
        Diebold and Mariano (1995), J. Bus. Econ. Stat. 13:253-263; Harvey, Leybourne,
        Newbold (1997), Int. J. Forecast. 13:281-291, eq. 8-9; agrees with R
        `forecast::dm.test`. The example is from the tests of PyPI `dieboldmariano`.

    Example:
        >>> effect = diebold_mariano([0, 1, 2, 3, 4, 5], [0, 2, 3, 3, 5, 6])
        >>> f"{effect.estimate:.4f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.5f}"
        '-4.6667 [-9.4834, 0.1501] p = 0.05513'
    """
    a, b = finite("champion_errors", champion_errors), finite("challenger_errors", challenger_errors)
    n = same_length(champion_errors=a, challenger_errors=b)
    _options(horizon, power, confidence)
    method = f"Diebold-Mariano, Harvey-Leybourne-Newbold, {choice('kernel', kernel, _KERNELS)} kernel"
    losses = np.abs(b) ** power, np.abs(a) ** power
    gains = differences(*losses)
    if n <= horizon:
        return undecided(
            method, n, f"{n} errors are too few for a horizon of {horizon}", float(gains.mean()) if n else 0.0
        )
    estimate = float(gains.mean())
    if same_up_to_rounding(gains, *losses):
        return constant(method, estimate, n, log_p=(1 - n // horizon) * math.log(2), confidence=confidence)
    variance, note = _long_run(gains - estimate, horizon, kernel)
    factor = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    effect = wald(estimate, math.sqrt(variance / n / factor), n=n, method=method, confidence=confidence, freedom=n - 1)
    return replace(effect, note=note)


def _options(horizon: int, power: float, confidence: float) -> None:
    counts(horizon=horizon)
    share("confidence", confidence)
    if horizon == 0:
        raise ValueError("horizon is 0; forecasts look at least 1 step ahead")
    if not (power > 0 and math.isfinite(power)):
        raise ValueError(f"power is {power}; it must be finite and above 0")


def _long_run(centred: NDArray[np.float64], horizon: int, kernel: Kernel) -> tuple[float, str]:
    """Variance of a series times its length, and what was done about it."""
    n = centred.size
    lags = np.arange(1, horizon)
    own = float(centred @ centred) / n
    shared = np.array([float(centred[:-lag] @ centred[lag:]) / n for lag in lags])
    rectangular = own + 2 * float(shared.sum())
    if kernel == "rectangular" and rectangular > 0:
        return rectangular, ""
    bartlett = own + 2 * float(((1 - lags / horizon) * shared).sum())
    return bartlett, "" if kernel == "bartlett" else "variance not positive: Bartlett kernel instead"
