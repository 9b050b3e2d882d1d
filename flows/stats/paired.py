"""Two models on the same rows."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from flows.stats.checks import binary, finite, same_length, share
from flows.stats.results import Effect

_INFINITE = math.inf


def paired_mean(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Paired t test on a per-row gain, e.g. negative loss.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean of challenger minus champion. Below two rows the interval is unbounded;
        with identical differences it has no width.

    Raises:
        ValueError: If lengths differ, values are not finite, or confidence is out of range.

    Source:
        Student (1908); agrees with `scipy.stats.ttest_rel`.

    Example:
        >>> effect = paired_mean([-0.9, -0.4, -0.5, -0.7], [-0.6, -0.3, -0.5, -0.3])
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.4f}"
        '0.20 [-0.0905, 0.4905] p = 0.1162'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    return _mean_effect(b - a, "paired t test", confidence) if n else _nothing("paired t test", 0, "no rows")


def mcnemar(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    McNemar's mid-p test on which rows each model got right, with Tango's score interval.

    Args:
        champion, challenger: Shape (n,), 1 where the model was right.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Difference of the shares of right rows.

    Raises:
        ValueError: If lengths differ or values are not 0 and 1.

    Source:
        Fagerland, Lydersen, Laake (2013), BMC Med. Res. Methodol. 13:91 (mid-p);
        Tango (1998), Stat. Med. 17:891-908 (interval).

    Example:
        >>> champion = [1] * 60 + [0] * 30 + [1] * 4 + [0] * 6
        >>> challenger = [1] * 60 + [1] * 30 + [0] * 4 + [0] * 6
        >>> effect = mcnemar(champion, challenger)
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}]"
        '0.26 [0.1574, 0.3646]'
    """
    a, b = binary("champion", champion), binary("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    if n == 0:
        return _nothing("McNemar mid-p", 0, "no rows")
    lost, won = int(np.sum((a == 1) & (b == 0))), int(np.sum((a == 0) & (b == 1)))
    low, high = _tango(won, lost, n, confidence)
    p = mcnemar_mid_p(lost, won)
    return Effect(
        method="McNemar mid-p, Tango score interval",
        estimate=(won - lost) / n,
        low=low,
        high=high,
        p_value=p,
        log_p=math.log(p) if p > 0 else _log_mid_p(lost, won),
        n=n,
        note="" if won + lost else "no discordant pairs: both models are right and wrong on the same rows",
    )


def mcnemar_mid_p(lost: int, won: int) -> float:
    """Two-sided mid-p of `lost` against `won` discordant pairs; 1.0 without any."""
    n, few = lost + won, min(lost, won)
    if n == 0 or lost == won:
        return 1.0
    return min(1.0, float(2 * stats.binom.cdf(few, n, 0.5) - stats.binom.pmf(few, n, 0.5)))


def delong(labels: ArrayLike, champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Difference of two AUCs on the same rows.

    Args:
        labels: Shape (n,), 0 and 1, both present.
        champion, challenger: Shape (n,), scores; only their order matters.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Raises:
        ValueError: If lengths differ, a class is missing or scores are not finite.

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845, by the mid-rank
        form of Sun and Xu (2014), IEEE Signal Process. Lett. 21:1389-1393; O(n log n).

    Example:
        >>> effect = delong([0, 0, 1, 1, 0, 1], [0.2, 0.6, 0.5, 0.7, 0.1, 0.4], [0.1, 0.3, 0.6, 0.9, 0.2, 0.8])
        >>> f"{effect.estimate:.4f} {effect.n}"
        '0.2222 6'
    """
    y = binary("labels", labels)
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(labels=y, champion=a, challenger=b)
    share("confidence", confidence)
    positives, negatives = int(y.sum()), int(n - y.sum())
    if positives < 1 or negatives < 1:
        raise ValueError(f"labels have {positives} ones and {negatives} zeros; AUC needs both")
    auc, v10, v01 = _components(y == 1, np.vstack([a, b]))
    estimate = float(auc[1] - auc[0])
    if positives < 2 or negatives < 2:
        return _nothing("DeLong", n, "a class has a single row", estimate)
    gain10, gain01 = v10[1] - v10[0], v01[1] - v01[0]
    variance = float(np.var(gain10, ddof=1) / positives + np.var(gain01, ddof=1) / negatives)
    return _normal_effect(estimate, math.sqrt(variance), n, "DeLong", confidence)


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve by mid-ranks; nan when a class is missing."""
    y, s = binary("labels", labels), finite("scores", scores)
    positives = float(y.sum())
    negatives = y.size - positives
    if positives == 0 or negatives == 0:
        return math.nan
    ranks = stats.rankdata(s)
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _components(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    m, n = int(positive.sum()), int((~positive).sum())
    combined = stats.rankdata(scores, axis=1)
    ours, theirs = combined[:, positive], combined[:, ~positive]
    v10 = (ours - stats.rankdata(scores[:, positive], axis=1)) / n
    v01 = 1 - (theirs - stats.rankdata(scores[:, ~positive], axis=1)) / m
    return v10.mean(axis=1), v10, v01


def _mean_effect(difference: NDArray[np.float64], method: str, confidence: float) -> Effect:
    n, estimate = difference.size, float(difference.mean())
    if n < 2:
        return _nothing(method, n, "a single row", estimate)
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    if error == 0:
        return _certain(method, estimate, n)
    t = abs(estimate) / error
    radius = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    log_p = min(0.0, math.log(2) + float(stats.t.logsf(t, n - 1)))
    return Effect(
        method=method,
        estimate=estimate,
        low=estimate - radius,
        high=estimate + radius,
        p_value=math.exp(log_p),
        log_p=log_p,
        n=n,
    )


def _normal_effect(estimate: float, error: float, n: int, method: str, confidence: float) -> Effect:
    if error == 0:
        return _certain(method, estimate, n)
    radius = float(stats.norm.ppf((1 + confidence) / 2)) * error
    log_p = min(0.0, math.log(2) + float(stats.norm.logsf(abs(estimate) / error)))
    return Effect(
        method=method,
        estimate=estimate,
        low=estimate - radius,
        high=estimate + radius,
        p_value=math.exp(log_p),
        log_p=log_p,
        n=n,
    )


def _certain(method: str, estimate: float, n: int) -> Effect:
    same = estimate == 0
    return Effect(
        method=method,
        estimate=estimate,
        low=estimate,
        high=estimate,
        p_value=1.0 if same else 0.0,
        log_p=0.0 if same else -_INFINITE,
        n=n,
        note="no difference on any row" if same else "the same difference on every row: no variance to test against",
    )


def _nothing(method: str, n: int, note: str, estimate: float = 0.0) -> Effect:
    return Effect(
        method=method, estimate=estimate, low=-_INFINITE, high=_INFINITE, p_value=1.0, log_p=0.0, n=n, note=note
    )


def _log_mid_p(lost: int, won: int) -> float:
    n, few = lost + won, min(lost, won)
    log_cdf, log_pmf = float(stats.binom.logcdf(few, n, 0.5)), float(stats.binom.logpmf(few, n, 0.5))
    return math.log(2) + log_cdf + math.log1p(-0.5 * math.exp(log_pmf - log_cdf))


def _tango(won: int, lost: int, n: int, confidence: float) -> tuple[float, float]:
    from scipy.optimize import brentq

    z = float(stats.norm.ppf((1 + confidence) / 2))
    estimate = (won - lost) / n

    def score(delta: float) -> float:
        # Restricted maximum-likelihood estimate of the loss probability, Tango (1998), eq. 5.
        a, b = 2 * n, -won - lost + (2 * n - won + lost) * delta
        c = -lost * delta * (1 - delta)
        q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = n * (2 * q + delta * (1 - delta))
        if variance <= 0:
            return 0.0 if won - lost == n * delta else math.copysign(_INFINITE, won - lost - n * delta)
        return (won - lost - n * delta) / math.sqrt(variance)

    tiny = 1e-12
    low = -1.0 if score(-1 + tiny) <= z else float(brentq(lambda d: score(d) - z, -1 + tiny, estimate, xtol=1e-12))
    high = 1.0 if score(1 - tiny) >= -z else float(brentq(lambda d: score(d) + z, estimate, 1 - tiny, xtol=1e-12))
    return low, high
