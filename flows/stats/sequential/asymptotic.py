"""Means of anything with a variance: confidence sequences that hold at all times, asymptotically."""

import math

from flows.stats.checks import numbers, share
from flows.stats.results import AlwaysValid, probability

MIN_ASYMPTOTIC = 30


def paired_sequence(moments: tuple[int, float, float], *, alpha: float = 0.05, tuned_to: int = 500) -> AlwaysValid:
    """
    Mean of a per-request difference.

    Args:
        moments: (n, mean, m2) of the differences.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Sample size at which the interval is tightest.

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv 2103.06476, eq. 9 and 161.
    """
    share("alpha", alpha)
    n, mean, m2 = numbers("the differences", moments)
    error = math.sqrt(m2 / (n - 1) / n) if n > 1 else math.nan
    return _sequence(mean, error, n, alpha, tuned_to, "asymptotic confidence sequence, paired")


def two_sample_sequence(
    champion: tuple[int, float, float],
    challenger: tuple[int, float, float],
    *,
    alpha: float = 0.05,
    tuned_to: int = 500,
) -> AlwaysValid:
    """
    Difference of two means over different callers.

    Args:
        champion, challenger: (n, mean, m2).
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Size of the smaller group at which the interval is tightest.

    Source:
        As `paired_sequence`, with the standard error of a two-sample difference.
    """
    share("alpha", alpha)
    (n1, mean1, m1), (n2, mean2, m2) = numbers("champion", champion), numbers("challenger", challenger)
    n = min(n1, n2)
    error = math.sqrt(m1 / (n1 - 1) / n1 + m2 / (n2 - 1) / n2) if n > 1 else math.nan
    estimate = mean2 - mean1 if n else 0.0
    return _sequence(estimate, error, n, alpha, tuned_to, "asymptotic confidence sequence, two samples")


def _sequence(estimate: float, error: float, n: int, alpha: float, tuned_to: int, method: str) -> AlwaysValid:
    if n < MIN_ASYMPTOTIC:
        return AlwaysValid(
            method=method,
            estimate=estimate,
            low=-math.inf,
            high=math.inf,
            p_value=1.0,
            log_p=0.0,
            log_e=None,
            n=n,
            note=f"fewer than {MIN_ASYMPTOTIC} values, too few for an asymptotic interval",
        )
    log_term = -2 * math.log(alpha)
    rho2 = (log_term + math.log(log_term + 1)) / tuned_to
    spread = (n * rho2 + 1) / (n * rho2)
    radius = error * math.sqrt(spread * math.log((n * rho2 + 1) / alpha**2))
    z2 = (estimate / error) ** 2 if error > 0 else (math.inf if estimate else 0.0)
    # The same boundary solved for alpha: p = sqrt(n rho^2 + 1) exp(-z^2 / (2 spread)).
    log_p = 0.5 * math.log(n * rho2 + 1) - z2 / (2 * spread)
    return AlwaysValid(
        method=method,
        estimate=estimate,
        low=estimate - radius,
        high=estimate + radius,
        p_value=probability(log_p),
        log_p=min(0.0, log_p),
        log_e=None,
        n=n,
    )
