"""Two models on the same rows."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from flows.stats.checks import binary, counts, finite, same_length, share
from flows.stats.results import Effect, probability
from flows.stats.tails import log_binomial_tail
from flows.stats.wald import constant, undecided, wald


def paired_mean(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Paired t test on a per-row gain, e.g. negative loss.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean of challenger minus champion. Below two rows the interval is unbounded. If
        all differences are the same, p is that of the sign-flip permutation test, 2^(1-n).

    Raises:
        ValueError: If lengths differ, values are not finite, or confidence is out of range.

    Source:
        Student (1908), Biometrika 6:1-25; agrees with `scipy.stats.ttest_rel`.

    Example:
        >>> effect = paired_mean([-0.9, -0.4, -0.5, -0.7], [-0.6, -0.3, -0.5, -0.3])
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.4f}"
        '0.20 [-0.0905, 0.4905] p = 0.1162'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    if n == 0:
        return undecided("paired t test", 0, "no rows")
    difference = b - a
    estimate = float(difference.mean())
    if n == 1:
        return undecided("paired t test", 1, "a single row", estimate)
    if np.ptp(difference) == 0:
        return constant(
            "paired t test", float(difference[0]), n, log_p=(1 - n) * math.log(2), confidence=confidence
        )
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    return wald(estimate, error, n=n, method="paired t test", confidence=confidence, freedom=n - 1)


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


def newcombe_paired(table: tuple[int, int, int, int], *, confidence: float = 0.95) -> tuple[float, float]:
    """
    Square-and-add interval of a difference of paired proportions, challenger minus champion.

    Args:
        table: Pairs that both got right, only the champion, only the challenger, neither.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Source:
        Newcombe (1998), Stat. Med. 17:2635-2650, method 10. The example is that of
        Fagerland, Lydersen, Laake (2014), Stat. Med. 33:2850-2875.

    Example:
        >>> "{:.4f} {:.4f}".format(*newcombe_paired((59, 16, 6, 80)))
        '-0.1186 -0.0046'
    """
    both, lost, won, neither = table
    counts(both=both, lost=lost, won=won, neither=neither)
    n = both + lost + won + neither
    _pairs(lost, won, n)
    ours, theirs = both + lost, both + won
    (l1, u1), (l2, u2) = (wilson(x, n, confidence=confidence) for x in (ours, theirs))
    p1, p2, phi = ours / n, theirs / n, _phi(table)
    d1, d2, e1, e2 = p2 - l2, u1 - p1, u2 - p2, p1 - l1
    low = p2 - p1 - math.sqrt(max(0.0, d1**2 - 2 * phi * d1 * d2 + d2**2))
    high = p2 - p1 + math.sqrt(max(0.0, e1**2 - 2 * phi * e1 * e2 + e2**2))
    return max(-1.0, low), min(1.0, high)


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """
    Score interval of one proportion.

    Source:
        Wilson (1927), J. Am. Stat. Assoc. 22:209-212; agrees with
        `statsmodels.stats.proportion.proportion_confint(method="wilson")`.

    Example:
        >>> "{:.4f} {:.4f}".format(*wilson(48, 80))
        '0.4905 0.7004'
    """
    counts(successes=successes, n=n)
    if not successes <= n or n == 0:
        raise ValueError(f"{successes} successes among {n}; there must be one value at least, and no more successes")
    z2, p = _quantile(confidence) ** 2, successes / n
    middle, radius = p + z2 / (2 * n), math.sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n)
    scale = 1 + z2 / n
    low = 0.0 if successes == 0 else (middle - radius) / scale
    return low, 1.0 if successes == n else (middle + radius) / scale


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


def _phi(table: tuple[int, int, int, int]) -> float:
    """Correlation of the pairs, continuity-corrected when positive."""
    both, lost, won, neither = table
    margins = (both + lost) * (won + neither) * (both + won) * (lost + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - lost * won
    corrected = max(0.0, excess - (both + lost + won + neither) / 2) if excess > 0 else float(excess)
    return corrected / math.sqrt(margins)


def _pairs(lost: int, won: int, n: int) -> None:
    counts(lost=lost, won=won, n=n)
    if lost + won > n or n == 0:
        raise ValueError(f"{lost + won} discordant pairs among {n}; there must be one pair at least, and no more of them")


def _quantile(confidence: float) -> float:
    return float(special.ndtri((1 + share("confidence", confidence)) / 2))
