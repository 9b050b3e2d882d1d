"""How well scores put the ones before the zeros."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from flows.stats.checks import binary, finite, same_length, share
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald

_METHOD = "DeLong"


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """
    Area under the ROC curve by mid-ranks: P(a one scores above a zero), ties count half.

    Args:
        labels: Shape (n,), 0 and 1.
        scores: Shape (n,).

    Returns:
        nan when a class is missing.

    Source:
        Hanley and McNeil (1982), Radiology 143:29-36; agrees with `sklearn.metrics.roc_auc_score`.

    Example:
        >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    y, s = binary("labels", labels), finite("scores", scores)
    same_length(labels=y, scores=s)
    positives = float(y.sum())
    negatives = y.size - positives
    if positives == 0 or negatives == 0:
        return math.nan
    ranks = stats.rankdata(s)
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def delong(labels: ArrayLike, champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Difference of two AUCs on the same rows.

    Args:
        labels: Shape (n,), 0 and 1, both present.
        champion, challenger: Shape (n,), scores; only their order matters.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        The interval always lies within [-1, 1], unless a class has a single row: then it
        is unbounded. Scores of the same order give 0 and p = 1. If one ranking is perfect
        and the other one useless, so that nothing varies, p is that of a permutation of
        the labels, 2 / C(n, ones).

    Raises:
        ValueError: If lengths differ, a class is missing or scores are not finite.

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845, by the mid-rank
        form of Sun and Xu (2014), IEEE Signal Process. Lett. 21:1389-1393; O(n log n).

    Example:
        >>> effect = delong([0, 0, 1, 1, 0, 1], [0.2, 0.6, 0.5, 0.7, 0.1, 0.4], [0.1, 0.3, 0.6, 0.9, 0.2, 0.8])
        >>> f"{effect.estimate:.4f} {effect.n} p = {effect.p_value:.4f}"
        '0.2222 6 p = 0.2888'
    """
    y = binary("labels", labels)
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(labels=y, champion=a, challenger=b)
    share("confidence", confidence)
    ones, zeros = int(y.sum()), int(n - y.sum())
    if not ones or not zeros:
        raise ValueError(f"labels have {ones} ones and {zeros} zeros; AUC needs both")
    above, below = _placements(y == 1, np.vstack([a, b]))
    gain10, gain01 = above[1] - above[0], below[1] - below[0]
    estimate = float(gain10.mean())
    if ones < 2 or zeros < 2:
        return undecided(_METHOD, n, "a class has a single row", estimate)
    if np.ptp(gain10) == 0 and np.ptp(gain01) == 0:
        return constant(_METHOD, estimate, n, log_p=_log_permutations(ones, n), confidence=confidence)
    variance = float(np.var(gain10, ddof=1) / ones + np.var(gain01, ddof=1) / zeros)
    return _within_range(wald(estimate, math.sqrt(variance), n=n, method=_METHOD, confidence=confidence))


def _placements(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    For each one the share of zeros below it, for each zero the share of ones above it.

    Args:
        positive: Shape (n,).
        scores: Shape (models, n).
    """
    ones, zeros = int(positive.sum()), int((~positive).sum())
    ranks = stats.rankdata(scores, axis=1)
    above = (ranks[:, positive] - stats.rankdata(scores[:, positive], axis=1)) / zeros
    below = 1 - (ranks[:, ~positive] - stats.rankdata(scores[:, ~positive], axis=1)) / ones
    return above, below


def _log_permutations(ones: int, n: int) -> float:
    log_ways = float(special.gammaln(n + 1) - special.gammaln(ones + 1) - special.gammaln(n - ones + 1))
    return min(0.0, math.log(2) - log_ways)


def _within_range(effect: Effect) -> Effect:
    return Effect(
        method=effect.method,
        estimate=effect.estimate,
        low=max(-1.0, effect.low),
        high=min(1.0, effect.high),
        p_value=effect.p_value,
        log_p=effect.log_p,
        n=effect.n,
    )
