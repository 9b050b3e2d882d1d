"""Tests that stay valid however often they are looked at."""

import math

from scipy.optimize import brentq
from scipy.special import betaln

from flows.stats.checks import counts, numbers, share
from flows.stats.results import AlwaysValid, probability

MIN_ASYMPTOTIC = 30


def discordant_log_e(lost: int, won: int, a: float = 1.0) -> float:
    """
    Log e-value against "each model wins a discordant pair with probability 1/2".

    Args:
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        a: Both parameters of the Beta mixture.

    Returns:
        Log of the Beta-mixture likelihood ratio; the process over time is a
        martingale under equality, so exceeding log(1/alpha) at any time has
        probability at most alpha.

    Source:
        Robbins (1970), Ann. Math. Statist. 41:1397-1409; Ville (1939).

    Example:
        >>> f"{discordant_log_e(10, 40):.3f}"
        '7.673'
    """
    counts(lost=lost, won=won)
    return float(betaln(a + won, a + lost) - betaln(a, a) + (won + lost) * math.log(2))


def discordant_pairs(lost: int, won: int, pairs: int, *, alpha: float = 0.05) -> AlwaysValid:
    """
    Compare the accuracy of two models that scored the same requests.

    Exact at any sample size: no asymptotics, no look schedule.

    Args:
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        pairs: All labelled pairs, concordant ones included.
        alpha: Error rate over all looks together.

    Returns:
        Difference of accuracies. Its interval is that of the share of won pairs,
        scaled by the observed discordance.

    Example:
        >>> seen = discordant_pairs(10, 40, 1000)
        >>> f"{seen.estimate:.3f} [{seen.low:.3f}, {seen.high:.3f}] p = {seen.p_value:.5f}"
        '0.030 [0.009, 0.043] p = 0.00047'
    """
    share("alpha", alpha)
    discordant = lost + won
    if discordant > pairs:
        raise ValueError(f"{discordant} discordant pairs among {pairs}; there cannot be more than pairs")
    log_e = discordant_log_e(lost, won)
    low, high = _share_interval(lost, won, alpha)
    scale = discordant / pairs if pairs else 0.0
    return AlwaysValid(
        method="e-process on discordant pairs (Beta mixture)",
        estimate=(won - lost) / pairs if pairs else 0.0,
        low=(2 * low - 1) * scale if discordant else -math.inf,
        high=(2 * high - 1) * scale if discordant else math.inf,
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        n=pairs,
    )


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


def _share_interval(lost: int, won: int, alpha: float) -> tuple[float, float]:
    """All win probabilities that the Beta mixture does not reject."""
    n = lost + won
    if n == 0:
        return 0.0, 1.0
    log_mixture = float(betaln(1 + won, 1 + lost))
    threshold = -math.log(alpha)

    def beyond(p: float) -> float:
        ours = won * math.log(p) if won else 0.0
        theirs = lost * math.log1p(-p) if lost else 0.0
        return log_mixture - ours - theirs - threshold

    best, tiny = won / n, 1e-12
    low = 0.0 if won == 0 else float(brentq(beyond, tiny, max(best - tiny, 2 * tiny)))
    high = 1.0 if lost == 0 else float(brentq(beyond, min(best + tiny, 1 - 2 * tiny), 1 - tiny))
    return low, high
