"""
The normal-mixture boundary, for one look or for arrays of looks.

A standardised sum that behaves like Brownian motion at information time t, mixed over a
normal prior of its drift, crosses this boundary at any time with probability alpha.

Source:
    Robbins (1970), Ann. Math. Statist. 41:1397-1409; Waudby-Smith, Arbour, Sinha, Kennedy,
    Ramdas, arXiv 2103.06476, eq. 9 (interval), 155 (p-value) and 161 (tuning).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import share


def tuning(alpha: float, tuned_to: float) -> float:
    """
    Square of rho, so that the boundary is tightest at one sample size.

    Args:
        alpha: Error rate over all looks together.
        tuned_to: Information time, in values, at which the interval is tightest.

    Raises:
        ValueError: If alpha is not strictly between 0 and 1, or tuned_to not a positive number.

    Source:
        arXiv 2103.06476, eq. 161.

    Example:
        >>> f"{tuning(0.05, 500):.6f}"
        '0.015872'
    """
    share("alpha", alpha)
    if not (math.isfinite(tuned_to) and tuned_to > 0):
        raise ValueError(f"tuned_to is {tuned_to}; give the sample size at which you expect to decide")
    log_term = -2 * math.log(alpha)
    return (log_term + math.log(log_term + 1)) / tuned_to


def radius(error: ArrayLike, time: ArrayLike, *, alpha: float, tuned_to: float) -> NDArray[np.float64]:
    """
    Half the width of the confidence sequence.

    Args:
        error: Standard errors of the estimates.
        time: Information times, in values; of the shape of *error*.

    Source:
        arXiv 2103.06476, eq. 9.

    Example:
        >>> f"{float(radius(0.1, 500, alpha=0.05, tuned_to=500)):.6f}"
        '0.303521'
    """
    grown = np.asarray(time, dtype=np.float64) * tuning(alpha, tuned_to)
    spread = (grown + 1) / grown
    return np.asarray(error, dtype=np.float64) * np.sqrt(spread * (np.log1p(grown) - 2 * math.log(alpha)))


def log_p(z2: ArrayLike, time: ArrayLike, *, alpha: float, tuned_to: float) -> NDArray[np.float64]:
    """
    Log of the always-valid p-value: the same boundary solved for alpha.

    Args:
        z2: Squared ratios of estimate to standard error.
        time: Information times, in values; of the shape of *z2*.
        alpha: Only tunes the mixture; the p-value is valid at every level.

    Source:
        arXiv 2103.06476, eq. 155.

    Example:
        >>> f"{float(log_p(3.035209**2, 500, alpha=0.05, tuned_to=500)):.4f}"
        '-2.9957'
    """
    grown = np.asarray(time, dtype=np.float64) * tuning(alpha, tuned_to)
    log_e = np.asarray(z2, dtype=np.float64) * grown / (2 * (grown + 1)) - 0.5 * np.log1p(grown)
    return np.asarray(np.minimum(0.0, -log_e), dtype=np.float64)
