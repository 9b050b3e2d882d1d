"""
Shares of successes over different callers.

In small samples the score interval (`miettinen_nurminen`) holds its coverage best and agrees
with its own test; `newcombe` needs no iteration and is nearly as good.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from flows.stats.checks import counts, share
from flows.stats.moments import Moments
from flows.stats.results import Effect, probability
from flows.stats.tails import log_two_sided_z
from flows.stats.wald import undecided

_EDGE = 1e-12

Share = tuple[int, int]


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """
    Interval of one share.

    Args:
        successes, n: Of n callers; n above 0.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Low and high, within [0, 1].

    Raises:
        ValueError: If there is nobody, or more successes than callers.

    Source:
        Wilson (1927), J. Am. Stat. Assoc. 22:209-212, by statsmodels.

    Example:
        >>> "{:.4f} {:.4f}".format(*wilson(81, 263))
        '0.2553 0.3662'
    """
    from statsmodels.stats.proportion import proportion_confint

    share("confidence", confidence)
    checked_share("the group", (successes, n))
    if n < 1:
        raise ValueError("n is 0; a share needs one caller")
    low, high = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def newcombe(champion: Share, challenger: Share, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """
    Difference of two independent proportions.

    Args:
        champion, challenger: (successes, n).
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Estimate, low, high; always within [-1, 1]. One look only.

    Raises:
        ValueError: If a group is empty.

    Source:
        Newcombe (1998), Stat. Med. 17:873-890, method 10: Wilson score intervals,
        combined by squaring and adding.

    Example:
        >>> "{:.2f} [{:.4f}, {:.4f}]".format(*newcombe((48, 80), (56, 70)))
        '0.20 [0.0524, 0.3339]'
    """
    share("confidence", confidence)
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    if n1 < 1 or n2 < 1:
        raise ValueError(f"groups have {n1} and {n2} values; both need one")
    l1, u1 = wilson(x1, n1, confidence=confidence)
    l2, u2 = wilson(x2, n2, confidence=confidence)
    p1, p2 = x1 / n1, x2 / n2
    low = p2 - p1 - math.hypot(p2 - l2, u1 - p1)
    high = p2 - p1 + math.hypot(u2 - p2, p1 - l1)
    return p2 - p1, max(-1.0, low), min(1.0, high)


def proportion_z(champion: Share, challenger: Share, *, pooled: bool = True, confidence: float = 0.95) -> Effect:
    """
    Two-proportion z test.

    Args:
        champion, challenger: (successes, n).
        pooled: One variance for both, as under equality, with Newcombe's interval; else
            each its own, with Wald's.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the shares. Without a success, or without a failure, p is 1. Where
        both shares are certain but differ, the unpooled test has no variance and the
        pooled one is given. One look only.

    Raises:
        ValueError: If counts are not whole, or there are more successes than callers.

    Source:
        Agrees with `statsmodels.stats.proportion.proportions_ztest` (pooled) and
        `test_proportions_2indep(method="wald")` (unpooled).

    Example:
        >>> effect = proportion_z((48, 80), (56, 70))
        >>> f"{effect.estimate:.2f} p = {effect.p_value:.5f}"
        '0.20 p = 0.00805'
    """
    share("confidence", confidence)
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    method = f"two-proportion z test, {'pooled, Newcombe' if pooled else 'unpooled, Wald'} interval"
    if min(n1, n2) < 1:
        return _nobody(method)
    p1, p2 = x1 / n1, x2 / n2
    variance = p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2
    if not pooled and variance == 0 and p1 != p2:
        effect = proportion_z(champion, challenger, confidence=confidence)
        return _effect(effect.method, effect.log_p, n1, n2, (effect.estimate, effect.low, effect.high), "no variance")
    both = (x1 + x2) / (n1 + n2)
    error = math.sqrt(both * (1 - both) * (1 / n1 + 1 / n2) if pooled else variance)
    log_p = log_two_sided_z((p2 - p1) / error) if error > 0 else 0.0
    if pooled or error == 0:
        found = newcombe(champion, challenger, confidence=confidence)
    else:
        half = float(special.ndtri((1 + confidence) / 2)) * error
        found = (p2 - p1, max(-1.0, p2 - p1 - half), min(1.0, p2 - p1 + half))
    return _effect(method, log_p, n1, n2, found, _certain(x1 + x2, n1 + n2))


def agresti_caffo(champion: Share, challenger: Share, *, confidence: float = 0.95) -> Effect:
    """
    Wald's test and interval after adding a success and a failure to each group.

    Args:
        champion, challenger: (successes, n).
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the observed shares; the interval is centred on that of the added ones.

    Raises:
        ValueError: As `proportion_z`.

    Source:
        Agresti and Caffo (2000), Am. Stat. 54:280-288; R PropCIs::wald2ci(adjust = "AC").

    Example:
        >>> effect = agresti_caffo((1, 34), (7, 34))
        >>> f"[{effect.low:.8f}, {effect.high:.8f}]"
        '[0.01161167, 0.32172166]'
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    share("confidence", confidence)
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    method = "Agresti-Caffo test and interval"
    if min(n1, n2) < 1:
        return _nobody(method)
    low, high = confint_proportions_2indep(x2, n2, x1, n1, method="agresti-caffo", compare="diff", alpha=1 - confidence)
    p1, p2 = (x1 + 1) / (n1 + 2), (x2 + 1) / (n2 + 2)
    z = (p2 - p1) / math.sqrt(p1 * (1 - p1) / (n1 + 2) + p2 * (1 - p2) / (n2 + 2))
    found = (x2 / n2 - x1 / n1, max(-1.0, float(low)), min(1.0, float(high)))
    return _effect(method, log_two_sided_z(z), n1, n2, found, _certain(x1 + x2, n1 + n2))


def miettinen_nurminen(champion: Share, challenger: Share, *, confidence: float = 0.95) -> Effect:
    """
    Score test and interval with the variance factor n / (n - 1).

    Args:
        champion, challenger: (successes, n).
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the shares; the interval holds the differences that the test does
        not reject.

    Raises:
        ValueError: As `proportion_z`.

    Source:
        Miettinen and Nurminen (1985), Stat. Med. 4:213-226; agrees with R
        PropCIs::diffscoreci, which statsmodels misses by 1 % here.

    Example:
        >>> effect = miettinen_nurminen((1, 34), (7, 34))
        >>> f"[{effect.low:.6f}, {effect.high:.6f}]"
        '[0.027042, 0.345291]'
    """
    return score_effect(champion, challenger, confidence, factor=True)


def mee(champion: Share, challenger: Share, *, confidence: float = 0.95) -> Effect:
    """
    Score test and interval without that factor.

    Args:
        champion, challenger: (successes, n).
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        As `miettinen_nurminen`; the p-value is that of the pooled z test.

    Raises:
        ValueError: As `proportion_z`.

    Source:
        Mee (1984), Biometrics 40:1175-1176; Newcombe (1998), method 5.

    Example:
        >>> effect = mee((48, 80), (56, 70))
        >>> f"[{effect.low:.4f}, {effect.high:.4f}]"
        '[0.0533, 0.3377]'
    """
    return score_effect(champion, challenger, confidence, factor=False)


def fisher(champion: Share, challenger: Share, *, confidence: float = 0.95) -> Effect:
    """
    Fisher's exact test, with Newcombe's interval of the difference.

    Args:
        champion, challenger: (successes, n).
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the shares; p sums all tables that are no likelier than this one.

    Raises:
        ValueError: As `proportion_z`.

    Source:
        Fisher (1935); `scipy.stats.fisher_exact`, in logarithms where that underflows.

    Example:
        >>> f"{fisher((3, 4), (1, 4)).p_value:.4f}"
        '0.4857'
    """
    share("confidence", confidence)
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    method = "Fisher's exact test, Newcombe interval"
    if min(n1, n2) < 1:
        return _nobody(method)
    found = newcombe(champion, challenger, confidence=confidence)
    return _effect(method, _log_fisher(x1, n1, x2, n2), n1, n2, found, _certain(x1 + x2, n1 + n2))


def proportion_moments(successes: int, n: int) -> Moments:
    """
    Sufficient statistics of a share, e.g. for `relative_lift`.

    Example:
        >>> proportion_moments(20, 100)
        Moments(n=100, mean=0.2, m2=16.0)
    """
    checked_share("the group", (successes, n))
    return Moments(n, successes / n, successes * (n - successes) / n) if n else Moments.empty()


def score_effect(champion: Share, challenger: Share, confidence: float, *, factor: bool) -> Effect:
    """Score test and interval, with the variance factor n / (n - 1) or without."""
    share("confidence", confidence)
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    method = "Miettinen-Nurminen score test and interval" if factor else "Mee score test and interval"
    if min(n1, n2) < 1:
        return _nobody(method)
    more = (n1 + n2) / (n1 + n2 - 1) if factor else 1.0
    limit = float(special.ndtri((1 + confidence) / 2))
    estimate = x2 / n2 - x1 / n1

    def beyond(apart: float) -> float:
        return score_z(x1, n1, x2, n2, apart, more) - limit

    low, high = _end(beyond, estimate, -1.0), _end(beyond, estimate, 1.0)
    log_p = log_two_sided_z(score_z(x1, n1, x2, n2, 0.0, more))
    return _effect(method, log_p, n1, n2, (estimate, low, high), _certain(x1 + x2, n1 + n2))


def _end(beyond: Callable[[float], float], estimate: float, edge: float) -> float:
    """Where the statistic reaches its limit, from the estimate towards -1 or 1; there if it never does."""
    from scipy import optimize

    last = edge * (1 - _EDGE)
    if (abs(estimate) >= abs(last) and estimate * edge > 0) or beyond(last) <= 0:
        return edge
    return float(optimize.brentq(beyond, min(estimate, last), max(estimate, last), xtol=1e-14))


def score_z(x1: int, n1: int, x2: int, n2: int, apart: float, factor: float) -> float:
    """Size of the score statistic of p2 - p1 = apart."""
    p1, p2 = x1 / n1, x2 / n2
    off = abs(p2 - p1 - apart)
    if off == 0:
        return 0.0
    r2 = min(max(_restricted(p1, n1, p2, n2, apart), 0.0, apart), 1.0, 1.0 + apart)
    r1 = min(max(r2 - apart, 0.0), 1.0)
    variance = (r1 * (1 - r1) / n1 + r2 * (1 - r2) / n2) * factor
    return off / math.sqrt(variance) if variance > 0 else math.inf


def _restricted(p1: float, n1: int, p2: float, n2: int, apart: float) -> float:
    """Likeliest p2 where p2 - p1 = apart: the middle root of a cubic (Miettinen and Nurminen, appendix I)."""
    ratio = n1 / n2
    a = 1 + ratio
    b = -(1 + ratio + p2 + ratio * p1 + apart * (ratio + 2))
    c = apart * apart + apart * (2 * p2 + ratio + 1) + p2 + ratio * p1
    d = -p2 * apart * (1 + apart)
    v = (b / a / 3) ** 3 - b * c / (6 * a * a) + d / a / 2
    s = math.sqrt(max((b / a / 3) ** 2 - c / a / 3, 0.0))
    u = math.copysign(s, v)
    angle = math.acos(min(1.0, max(-1.0, v / u**3))) if u**3 else 0.0
    return 2 * u * math.cos((math.pi + angle) / 3) - b / a / 3


def _log_fisher(x1: int, n1: int, x2: int, n2: int) -> float:
    from scipy import stats

    plain = float(stats.fisher_exact(np.array([[x2, n2 - x2], [x1, n1 - x1]])).pvalue)
    if plain > 1e-290:
        return math.log(min(1.0, plain))
    possible = np.arange(max(0, x1 + x2 - n1), min(n2, x1 + x2) + 1)
    logs = stats.hypergeom.logpmf(possible, n1 + n2, x1 + x2, n2)
    here = stats.hypergeom.logpmf(x2, n1 + n2, x1 + x2, n2)
    return min(0.0, float(special.logsumexp(logs[logs <= here + 1e-7])))


def checked_share(name: str, given: Share) -> Share:
    """Successes and callers that there can be."""
    successes, n = given
    counts(**{f"successes of {name}": successes, f"n of {name}": n})
    if successes > n:
        raise ValueError(f"{name} has {successes} successes of {n}; count every caller in n")
    return int(successes), int(n)


def _nobody(method: str) -> Effect:
    return undecided(method, 0, "an empty group")


def _certain(successes: int, n: int) -> str:
    return {0: "no success in either group", n: "no failure in either group"}.get(successes, "")


def _effect(method: str, log_p: float, n1: int, n2: int, found: tuple[float, float, float], note: str) -> Effect:
    estimate, low, high = found
    return Effect(
        method=method,
        estimate=estimate,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        n=min(n1, n2),
        note=note,
    )
