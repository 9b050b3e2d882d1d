"""Shadow mode: both models scored the same request, the label arrives later."""

import math

from scipy.optimize import brentq
from scipy.special import betaln

from flows.stats.checks import counts, share
from flows.stats.results import AlwaysValid, probability


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
