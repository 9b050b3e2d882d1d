"""Which of the same rows each model got right."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from flows.stats.checks import binary, counts, same_length, share
from flows.stats.results import Effect, probability
from flows.stats.tails import log_binomial_tail
from flows.stats.wald import undecided


def mcnemar(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    McNemar's mid-p test on which rows each model got right, with Tango's score interval.

    Args:
        champion, challenger: Shape (n,), 1 where the model was right.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the shares of right rows; the interval always lies within [-1, 1].
        Without discordant pairs p is 1.

    Raises:
        ValueError: If lengths differ or values are not 0 and 1.

    Source:
        Fagerland, Lydersen, Laake (2013), BMC Med. Res. Methodol. 13:91 (mid-p);
        Tango (1998), Stat. Med. 17:891-908 (interval). The example's interval is that of
        Fagerland, Lydersen, Laake (2014), Stat. Med. 33:2850-2875.

    Example:
        >>> champion = [1] * 59 + [1] * 16 + [0] * 6 + [0] * 80
        >>> challenger = [1] * 59 + [0] * 16 + [1] * 6 + [0] * 80
        >>> effect = mcnemar(champion, challenger)
        >>> f"{effect.estimate:.4f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.6f}"
        '-0.0621 [-0.1240, -0.0054] p = 0.034690'
    """
    a, b = binary("champion", champion), binary("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    if n == 0:
        return undecided("McNemar mid-p, Tango score interval", 0, "no rows")
    lost, won = int(np.sum((a == 1) & (b == 0))), int(np.sum((a == 0) & (b == 1)))
    low, high = tango(lost, won, n, confidence=confidence)
    log_p = mcnemar_log_p(lost, won)
    return Effect(
        method="McNemar mid-p, Tango score interval",
        estimate=(won - lost) / n,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
        note="" if won + lost else "no discordant pairs: both models are right and wrong on the same rows",
    )


def mcnemar_log_p(lost: int, won: int, *, exact: bool = False) -> float:
    """
    Log of McNemar's two-sided p-value.

    Args:
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        exact: The conservative exact p-value in place of mid-p.

    Source:
        As `mcnemar`; exact agrees with `statsmodels.stats.contingency_tables.mcnemar`.

    Example:
        >>> f"{math.exp(mcnemar_log_p(6, 16)):.6f} {math.exp(mcnemar_log_p(6, 16, exact=True)):.6f}"
        '0.034690 0.052479'
        >>> f"10^{mcnemar_log_p(0, 5000) / math.log(10):.0f}"
        '10^-1505'
    """
    counts(lost=lost, won=won)
    n, few = lost + won, min(lost, won)
    if lost == won:
        return 0.0
    log_tail = log_binomial_tail(few, n)
    if exact:
        return min(0.0, math.log(2) + log_tail)
    log_point = float(stats.binom.logpmf(few, n, 0.5))
    return min(0.0, math.log(2) + log_tail + math.log1p(-0.5 * math.exp(log_point - log_tail)))


def tango(lost: int, won: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """
    Score interval of a difference of paired proportions, won minus lost.

    Args:
        lost, won: Discordant pairs.
        n: All pairs, at least one.

    Source:
        Tango (1998), Stat. Med. 17:891-908, eq. 5 and 16; agrees with R `PropCIs::scoreci.mp`.

    Example:
        >>> "{:.3f} {:.3f}".format(*tango(7, 1, 21))
        '-0.517 -0.026'
    """
    from scipy.optimize import brentq

    _pairs(lost, won, n)
    z, edge = _quantile(confidence), 1 - 1e-12

    def beyond(delta: float, sign: float) -> float:
        return _tango_score(lost, won, n, delta) - sign * z

    estimate = (won - lost) / n
    low = -1.0 if beyond(-edge, 1) <= 0 else float(brentq(beyond, -edge, estimate, args=(1,), xtol=1e-13))
    high = 1.0 if beyond(edge, -1) >= 0 else float(brentq(beyond, estimate, edge, args=(-1,), xtol=1e-13))
    return low, high


def _tango_score(lost: int, won: int, n: int, delta: float) -> float:
    # The larger root is the restricted maximum-likelihood estimate of the probability of losing.
    b = (2 * n - won + lost) * delta - won - lost
    c = -lost * delta * (1 - delta)
    q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    excess = won - lost - n * delta
    if variance > 0:
        return excess / math.sqrt(variance)
    return 0.0 if excess == 0 else math.copysign(math.inf, excess)


def _pairs(lost: int, won: int, n: int) -> None:
    counts(lost=lost, won=won, n=n)
    if lost + won > n or n == 0:
        raise ValueError(
            f"{lost + won} discordant pairs among {n} pairs; there must be a pair, and no more discordant ones"
        )


def _quantile(confidence: float) -> float:
    return float(special.ndtri((1 + share("confidence", confidence)) / 2))
