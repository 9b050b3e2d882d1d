"""Which of the same rows each model got right."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from flows.stats.checks import binary, choice, counts, same_length, share
from flows.stats.results import Effect, probability
from flows.stats.tails import log_binomial_tail, log_two_sided_z
from flows.stats.wald import undecided

Test = Literal["mid-p", "exact", "chi2", "chi2-corrected"]
Interval = Literal["tango", "newcombe"]

_TESTS = {"mid-p": "mid-p", "exact": "exact", "chi2": "chi-squared", "chi2-corrected": "corrected chi-squared"}
_INTERVALS = {"tango": "Tango score interval", "newcombe": "Newcombe square-and-add interval"}


def mcnemar(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    test: Test = "mid-p",
    interval: Interval = "tango",
    confidence: float = 0.95,
) -> Effect:
    """
    McNemar's test on which rows each model got right, with an interval of the difference.

    Args:
        champion, challenger: Shape (n,), 1 where the model was right.
        test: "mid-p" keeps its level nearly always and has more power than "exact", which
            always keeps it; "chi2" and "chi2-corrected" are for comparison with others.
        interval: Tango's score interval or Newcombe's square-and-add.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the shares of right rows; the interval always lies within [-1, 1].
        Without discordant pairs p is 1.

    Raises:
        ValueError: If lengths differ, values are not 0 and 1, or an option is unknown.

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
    both = int(np.sum(a * b))
    lost, won = int(a.sum()) - both, int(b.sum()) - both
    return mcnemar_counts(lost, won, n, both=both, test=test, interval=interval, confidence=confidence)


def mcnemar_counts(
    lost: int,
    won: int,
    n: int,
    *,
    both: int | None = None,
    test: Test = "mid-p",
    interval: Interval = "tango",
    confidence: float = 0.95,
) -> Effect:
    """
    McNemar's test from counts, for when the rows themselves are gone.

    Args:
        lost, won: Discordant pairs that only the champion, only the challenger got right.
        n: All pairs.
        both: Pairs that both got right; only Newcombe's interval needs it.
        test, interval, confidence: As of `mcnemar`.

    Raises:
        ValueError: If counts are negative or do not add up, or an option is unknown.

    Source:
        As `mcnemar`. The example is that of R `exact2x2::mcnemar.exact`, matrix(c(21, 9, 2, 12), 2).

    Example:
        >>> f"{mcnemar_counts(9, 2, 44, test='exact').p_value:.5f} {mcnemar_counts(9, 2, 44, test='chi2').p_value:.5f}"
        '0.06543 0.03481'
    """
    method = f"McNemar {choice('test', test, _TESTS)}, {choice('interval', interval, _INTERVALS)}"
    share("confidence", confidence)
    counts(lost=lost, won=won, n=n)
    lost, won, n = int(lost), int(won), int(n)
    if n == 0 and lost + won == 0:
        return undecided(method, 0, "no rows")
    if interval == "tango":
        low, high = tango(lost, won, n, confidence=confidence)
    elif both is None:
        raise ValueError("both is missing; Newcombe's interval needs the number of pairs that both got right")
    else:
        low, high = newcombe_paired(lost, won, n, both=both, confidence=confidence)
    log_p = _log_p(lost, won, test)
    return Effect(
        method=method,
        estimate=(won - lost) / n,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
        note="" if won + lost else "no discordant pairs: both models are right and wrong on the same rows",
    )


def _log_p(lost: int, won: int, test: Test) -> float:
    if test in ("mid-p", "exact"):
        return mcnemar_log_p(lost, won, exact=test == "exact")
    if lost == won:
        return 0.0
    correction = 1 if test == "chi2-corrected" else 0
    return log_two_sided_z((abs(won - lost) - correction) / math.sqrt(won + lost))


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
    lost, won = int(lost), int(won)
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
        return tango_score(lost, won, n, delta) - sign * z

    estimate = (won - lost) / n
    low = -1.0 if beyond(-edge, 1) <= 0 else float(brentq(beyond, -edge, estimate, args=(1,), xtol=1e-13))
    high = 1.0 if beyond(edge, -1) >= 0 else float(brentq(beyond, estimate, edge, args=(-1,), xtol=1e-13))
    return low, high


def newcombe_paired(lost: int, won: int, n: int, *, both: int, confidence: float = 0.95) -> tuple[float, float]:
    """
    Square-and-add interval of a difference of paired proportions, won minus lost.

    Wilson intervals of the two shares, combined with the correlation of the pairs.

    Args:
        lost, won: Discordant pairs.
        n: All pairs, at least one.
        both: Pairs that both got right.

    Source:
        Newcombe (1998), Stat. Med. 17:2635-2650, method 10; agrees with R
        `contingencytables::Newcombe_square_and_add_CI_paired_2x2`.

    Example:
        >>> "{:.4f} {:.4f}".format(*newcombe_paired(16, 6, 161, both=59))
        '-0.1186 -0.0046'
    """
    _pairs(lost, won, n)
    counts(both=both)
    neither = n - lost - won - both
    if neither < 0:
        raise ValueError(f"both is {both}, but only {n - lost - won} of {n} pairs are concordant; mend the counts")
    z, estimate = _quantile(confidence), (won - lost) / n
    old, new = (both + lost) / n, (both + won) / n
    (old_low, old_high), (new_low, new_high) = _wilson(old, n, z), _wilson(new, n, z)
    correlation = _correlation(both, lost, won, neither)
    low = _combined(new - new_low, old_high - old, correlation)
    high = _combined(new_high - new, old - old_low, correlation)
    return max(-1.0, estimate - low), min(1.0, estimate + high)


def _wilson(rate: float, n: int, z: float) -> tuple[float, float]:
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def _correlation(both: int, lost: int, won: int, neither: int) -> float:
    # Integers, so that large counts neither overflow nor lose digits.
    cross = both * neither - lost * won
    margins = (both + lost) * (won + neither) * (both + won) * (lost + neither)
    if margins == 0:
        return 0.0
    corrected = max(cross - (both + lost + won + neither) / 2, 0.0) if cross > 0 else float(cross)
    return corrected / math.sqrt(margins)


def _combined(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def tango_score(lost: int, won: int, n: int, delta: float) -> float:
    """Tango's z of a difference of *delta*, won minus lost."""
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
