"""How well scores put the ones before the zeros."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from flows.stats.checks import binary, choice, finite, same_length, share
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald

_METHOD = "DeLong"

AucMethod = Literal["delong", "logit", "newcombe"]

_AUC_METHODS = {"delong": "DeLong", "logit": "DeLong on the logit scale", "newcombe": "Newcombe score"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AucInterval:
    """
    The AUC of one model.

    Attributes:
        method: How the interval was made.
        estimate: Area under the ROC curve.
        low, high: Interval, within [0, 1].
        error: DeLong's standard error; infinite when a class has a single row.
        ones, zeros: Rows of each class.
        note: What a reader must know.
    """

    method: str
    estimate: float
    low: float
    high: float
    error: float
    ones: int
    zeros: int
    note: str = ""


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """
    Area under the ROC curve by mid-ranks: P(a one scores above a zero), ties count half.

    Args:
        labels: Shape (n,), 0 and 1.
        scores: Shape (n,).

    Raises:
        ValueError: If lengths differ, a class is missing or scores are not finite.

    Source:
        Hanley and McNeil (1982), Radiology 143:29-36; agrees with `sklearn.metrics.roc_auc_score`.

    Example:
        >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    y, s = binary("labels", labels), finite("scores", scores)
    same_length(labels=y, scores=s)
    ones, zeros = _classes(y)
    ranks = stats.rankdata(s)
    return float((ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auc_interval(
    labels: ArrayLike, scores: ArrayLike, *, method: AucMethod = "delong", confidence: float = 0.95
) -> AucInterval:
    """
    AUC of one model with its interval.

    Args:
        labels: Shape (n,), 0 and 1, both present.
        scores: Shape (n,); only their order matters.
        method: DeLong's; the same on the logit scale, better above .9; or Newcombe's score
            interval, which also holds at 1. Where nothing varies, at 0 and 1, or a class
            has a single row, Newcombe's is used and noted.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Raises:
        ValueError: If lengths differ, a class is missing or scores are not finite.

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845; Newcombe (2006),
        Stat. Med. 25:559-573, method 5. "delong" agrees with R `pROC::ci.auc`.

    Example:
        >>> found = auc_interval([0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.6, 0.5, 0.8, 0.9])
        >>> f"{found.estimate:.4f} [{found.low:.4f}, {found.high:.4f}]"
        '0.8889 [0.5809, 1.0000]'
    """
    y, s = binary("labels", labels), finite("scores", scores)
    same_length(labels=y, scores=s)
    share("confidence", confidence)
    name = choice("method", method, _AUC_METHODS)
    ones, zeros = _classes(y)
    above, below = placements(y == 1, s[None, :])
    estimate, error = float(above[0].mean()), _error(above[0], below[0])
    note = ""
    if method != "newcombe" and not 0 < error < math.inf:
        name, note = _AUC_METHODS["newcombe"], "no variance to be had from these rows: Newcombe's interval"
    z = float(special.ndtri((1 + confidence) / 2))
    if name == _AUC_METHODS["newcombe"]:
        low, high = _newcombe_auc(estimate, ones, zeros, z)
    elif method == "logit":
        half = z * error / (estimate * (1 - estimate))
        low, high = (float(special.expit(special.logit(estimate) + side)) for side in (-half, half))
    else:
        low, high = max(0.0, estimate - z * error), min(1.0, estimate + z * error)
    return AucInterval(
        method=name, estimate=estimate, low=low, high=high, error=error, ones=ones, zeros=zeros, note=note
    )


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
        '0.2222 6 p = 0.3711'
    """
    y = binary("labels", labels)
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(labels=y, champion=a, challenger=b)
    share("confidence", confidence)
    ones, zeros = _classes(y)
    above, below = placements(y == 1, np.vstack([a, b]))
    gain10, gain01 = above[1] - above[0], below[1] - below[0]
    estimate = float(gain10.mean())
    if ones < 2 or zeros < 2:
        return undecided(_METHOD, n, "a class has a single row", estimate)
    if np.ptp(gain10) == 0 and np.ptp(gain01) == 0:
        if estimate == 0 and float(above[0].mean()) in (0.0, 1.0) and not _same_order(a, b):
            return _both_extreme(float(above[0].mean()), ones, zeros, confidence)
        return constant(_METHOD, estimate, n, log_p=_log_permutations(ones, n), confidence=confidence)
    effect = wald(estimate, _error(gain10, gain01), n=n, method=_METHOD, confidence=confidence)
    return replace(effect, low=max(-1.0, effect.low), high=min(1.0, effect.high))


def _classes(labels: NDArray[np.float64]) -> tuple[int, int]:
    ones = int(labels.sum())
    zeros = labels.size - ones
    if not ones or not zeros:
        raise ValueError(f"labels have {ones} ones and {zeros} zeros; AUC needs both")
    return ones, zeros


def _error(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    if above.size < 2 or below.size < 2:
        return math.inf
    # Ranks are exact, so equal placements are equal to the last bit: no variance is 0, not rounding.
    spread = [0.0 if np.ptp(part) == 0 else float(np.var(part, ddof=1)) / part.size for part in (above, below)]
    return math.sqrt(sum(spread))


def _newcombe_auc(estimate: float, ones: int, zeros: int, z: float) -> tuple[float, float]:
    from scipy.optimize import brentq

    others = (ones + zeros) / 2 - 1

    def excess(area: float) -> float:
        factor = 1 + others * ((1 - area) / (2 - area) + area / (1 + area))
        return (estimate - area) ** 2 - z * z * area * (1 - area) * factor / (ones * zeros)

    inner = min(max(estimate, 1e-12), 1 - 1e-12)
    low = 0.0 if estimate == 0 else float(brentq(excess, 0.0, inner, xtol=1e-13))
    high = 1.0 if estimate == 1 else float(brentq(excess, inner, 1.0, xtol=1e-13))
    return low, high


def _same_order(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(np.array_equal(stats.rankdata(a), stats.rankdata(b)))


def _both_extreme(area: float, ones: int, zeros: int, confidence: float) -> Effect:
    low, high = _newcombe_auc(area, ones, zeros, float(special.ndtri((1 + confidence) / 2)))
    return Effect(
        method="DeLong, Newcombe interval",
        estimate=0.0,
        low=low - high,
        high=high - low,
        p_value=1.0,
        log_p=0.0,
        n=ones + zeros,
        note=f"both AUC are {area:g}: interval from those of each",
    )


def placements(
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
