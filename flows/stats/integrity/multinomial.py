"""Counts of a multinomial against shares: a mixture likelihood ratio that may be looked at at any time."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_STIRLING_FROM = 16.0
_NEAR = 0.01
_LEAST = 650.0  # shares below this many powers of e are as good as 0


def log_mixture(counts: NDArray[np.float64], prior: NDArray[np.float64]) -> float:
    """
    Log of a Dirichlet mixture's likelihood over the largest likelihood of these counts.

    Never above 0. Subtracting the log-likelihood ratio of any shares gives the log Bayes
    factor against them; that is a martingale over time if they are the true ones.

    Args:
        counts: Shape (k,), of each category; at least one is above 0.
        prior: Shape (k,), parameters of the Dirichlet.

    Source:
        Lindon and Malek (2022), NeurIPS 35, eq. 6. Stirling's series (DLMF 5.11.1) replaces
        differences of log-gamma functions, which lose their digits at large counts.
    """
    n, strength = float(counts.sum()), float(prior.sum())
    after = prior + counts
    seen = counts > 0
    shift = np.sum(counts[seen] * np.log1p(prior[seen] / counts[seen])) - n * math.log1p(strength / n)
    powers = np.sum((prior - 0.5) * np.log(after)) - (strength - 0.5) * math.log(strength + n)
    rest = (counts.size - 1) * _HALF_LOG_2PI + np.sum(_stirling(after)) - _stirling(np.array([strength + n]))[0]
    before = np.sum(special.gammaln(prior)) - special.gammaln(strength)
    return float(shift + powers + rest - before)


def log_likelihood_ratio(counts: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """
    Log of the largest likelihood of these counts over that of *shares*; half of the G statistic.

    Args:
        counts: Shape (k,).
        shares: Shape (k,), all above 0, that add up to 1.
    """
    expected = shares * counts.sum()
    return float(np.sum(expected * _bend(counts / expected - 1)))


def share_interval(count: float, n: float, log_mixed: float, alpha: float) -> tuple[float, float]:
    """
    All shares of one category that the mixture does not reject, whatever the others have.

    Holds at all times and for all categories of the multinomial together: it is the
    projection of the joint confidence set.

    Args:
        count: Of this category among n.
        log_mixed: `log_mixture` of all categories.
        alpha: Error rate over all times and categories together.

    Source:
        Lindon and Malek (2022), NeurIPS 35, section 3.3.
    """
    radius = (-math.log(alpha) - log_mixed) / n
    return _lowest(count / n, radius), 1 - _lowest((n - count) / n, radius)


def _lowest(share: float, radius: float) -> float:
    """Smallest share from which this one diverges by no more than *radius*."""
    from scipy.optimize import brentq

    def beyond(fall: float) -> float:
        candidate = share * math.exp(-fall)
        return float(special.kl_div(share, candidate) + special.kl_div(1 - share, 1 - candidate)) - radius

    if share == 0 or beyond(_LEAST) <= 0:
        return 0.0
    return share * math.exp(-float(brentq(beyond, 0.0, _LEAST, xtol=1e-16, rtol=1e-14)))


def _bend(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 + x) log(1 + x) - x, without cancellation near 0."""
    near = np.abs(change) < _NEAR
    small, large = np.where(near, change, 0.0), np.where(near, 0.0, change)
    series = sum(((-small) ** k) / (k * (k - 1)) for k in range(2, 11))
    return np.asarray(np.where(near, series, special.xlog1py(1 + large, large) - large))


def _stirling(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """What Stirling's approximation of the log-gamma function leaves out."""
    large, small = np.maximum(x, _STIRLING_FROM), np.minimum(x, _STIRLING_FROM)
    series = 1 / (12 * large) - 1 / (360 * large**3) + 1 / (1260 * large**5) - 1 / (1680 * large**7)
    direct = special.gammaln(small) - ((small - 0.5) * np.log(small) - small + _HALF_LOG_2PI)
    return np.asarray(np.where(x >= _STIRLING_FROM, series, direct))
