"""From an estimate and its standard error to an answer; and what is said when there is none."""

import math

from scipy import special

from flows.stats.results import Effect, probability
from flows.stats.tails import log_two_sided_t, log_two_sided_z


def wald(estimate: float, error: float, *, n: int, method: str, confidence: float, freedom: float = math.inf) -> Effect:
    """Studentised test and interval; normal when *freedom* is infinite."""
    normal = math.isinf(freedom)
    upper = (1 + confidence) / 2
    quantile = float(special.ndtri(upper) if normal else special.stdtrit(freedom, upper))
    log_p = log_two_sided_z(estimate / error) if normal else log_two_sided_t(estimate / error, freedom)
    return Effect(
        method=method,
        estimate=estimate,
        low=estimate - quantile * error,
        high=estimate + quantile * error,
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
    )


def undecided(method: str, n: int, note: str, estimate: float = 0.0) -> Effect:
    """Too little data to bound anything."""
    return Effect(
        method=method, estimate=estimate, low=-math.inf, high=math.inf, p_value=1.0, log_p=0.0, n=n, note=note
    )


def constant(method: str, estimate: float, n: int, *, log_p: float, confidence: float) -> Effect:
    """
    No variance: nothing to studentise, so the p-value is that of a permutation test.

    Args:
        log_p: Log of the exact permutation p-value; of no account when the estimate is 0.

    Returns:
        An interval without width, unless the permutation test is not significant: then
        it is unbounded.
    """
    if estimate == 0:
        return Effect(
            method=method, estimate=0.0, low=0.0, high=0.0, p_value=1.0, log_p=0.0, n=n, note="no difference on any row"
        )
    sure = log_p < math.log1p(-confidence)
    return Effect(
        method=method,
        estimate=estimate,
        low=estimate if sure else -math.inf,
        high=estimate if sure else math.inf,
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
        note="no variance: p of a permutation test",
    )
