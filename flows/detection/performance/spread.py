"""How far a mean of rows in time order may be off, when neighbours resemble each other."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MOST = 0.97  # beyond it, a few hundred rows say nothing of their mean


class Spread(NamedTuple):
    """
    How far a mean may be off.

    Attributes:
        error: Its standard error.
        effective: Independent rows that would say as much.
    """

    error: float
    effective: float


def spread(pulls: Floats, *, ordered: bool) -> Spread:
    """
    Standard error of the mean of *pulls*.

    Args:
        pulls: Shape (n,), finite; in time order if *ordered*. Rows of a loss, or the influence
            of each row on a metric: then it is the metric's standard error.
        ordered: Whether the order means anything. Otherwise rows count as independent.

    Returns:
        Never less than for independent rows, so rows that alternate gain nothing.

    Source:
        Andrews and Monahan (1992), Econometrica 60:953-966: whitened by a first-order
        autoregression (its coefficient corrected after Kendall 1954, Biometrika 41:403-404), then
        Newey and West (1987) with 4 (n / 100)^(2/9) lags; and means of batches of about
        n^(1/2) rows (Law and Carson 1979), whichever is larger.
    """
    n = pulls.size
    if n < 2:
        return Spread(math.inf, float(n))
    centred = pulls - pulls.mean()
    plain = float(centred @ centred) / (n - 1)
    if plain <= 0 or not ordered or n < 10:
        return Spread(math.sqrt(plain / n), float(n))
    long_run = max(plain, _whitened(centred), _batched(centred))
    return Spread(math.sqrt(long_run / n), n * plain / long_run)


def _whitened(centred: Floats) -> float:
    n = centred.size
    first = float(centred[1:] @ centred[:-1]) / float(centred @ centred)
    rho = min(max(first + (1 + 3 * first) / n, 0.0), _MOST)
    rest = centred[1:] - rho * centred[:-1]
    lags = int(4 * (n / 100) ** (2 / 9))
    own = float(rest @ rest) / n
    shared = sum((1 - lag / (lags + 1)) * float(rest[lag:] @ rest[:-lag]) / n for lag in range(1, lags + 1))
    return max(own + 2 * shared, own / 4) / (1 - rho) ** 2


def _batched(centred: Floats) -> float:
    size = math.isqrt(centred.size)
    batches = centred.size // size
    means = centred[centred.size - batches * size :].reshape(batches, size).mean(axis=1)
    return size * float(means.var(ddof=1))
