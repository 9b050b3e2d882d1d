"""A metric that is a mean over the same rows."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import binary, finite, same_length, share
from flows.stats.checks import probabilities as in_range
from flows.stats.paired.clusters import Clusters, cluster_codes, cluster_sums
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald

_ROUNDING = 8 * float(np.finfo(np.float64).eps)


def paired_mean(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Paired t test on a per-row gain, e.g. negative loss.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean of challenger minus champion. Below two rows the interval is unbounded. If
        all differences are the same up to rounding, p is that of the sign-flip
        permutation test, 2^(1-n).

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
    difference = differences(a, b)
    estimate = float(difference.mean())
    if n == 1:
        return undecided("paired t test", 1, "a single row", estimate)
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    if error == 0 or same_up_to_rounding(difference, a, b):
        still = estimate if np.ptp(difference) else float(difference[0])
        return constant("paired t test", still, n, log_p=(1 - n) * math.log(2), confidence=confidence)
    return wald(estimate, error, n=n, method="paired t test", confidence=confidence, freedom=n - 1)


def clustered_mean(
    champion: ArrayLike, challenger: ArrayLike, clusters: Clusters, *, confidence: float = 0.95
) -> Effect:
    """
    Paired t test on a per-row gain when rows come in clusters, e.g. several per customer.

    The mean is still that over rows; its error is that of a ratio of cluster sums, so that
    rows of one cluster may depend on each other in any way.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        clusters: Shape (n,), to whom each row belongs: anything hashable.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        As `paired_mean`; n is the number of clusters, and t has one degree of freedom
        less. Trust it from about 30 clusters on.

    Raises:
        ValueError: If lengths differ, values are not finite, or a cluster is missing.

    Source:
        Deng, Knoblich, Lu (2018), KDD '18:233-242, eq. 3; agrees with the cluster-robust
        error of `statsmodels` for a regression on a constant alone.

    Example:
        >>> champion, challenger = [0, 1, 0, 1, 1, 0], [1, 1, 0, 1, 2, 1]
        >>> effect = clustered_mean(champion, challenger, ["a", "a", "b", "b", "c", "c"])
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}] n = {effect.n}"
        '0.50 [-0.7421, 1.7421] n = 3'
    """
    method = "paired t test by cluster"
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    codes = cluster_codes(clusters, n)
    if n == 0:
        return undecided(method, 0, "no rows")
    difference = differences(a, b)
    estimate = float(difference.mean())
    size = int(codes.max()) + 1
    if size == 1:
        return undecided(method, 1, "a single cluster", estimate)
    excess = cluster_sums(codes, (difference - estimate)[:, None])[:, 0]
    error = math.sqrt(float(np.sum(excess**2)) * size / (size - 1)) / n
    room = _ROUNDING * cluster_sums(codes, (np.abs(a) + np.abs(b))[:, None])[:, 0]
    if error == 0 or np.all(np.abs(excess) <= room):
        return constant(method, estimate, size, log_p=(1 - size) * math.log(2), confidence=confidence)
    return wald(estimate, error, n=size, method=method, confidence=confidence, freedom=size - 1)


def differences(champion: NDArray[np.float64], challenger: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Challenger minus champion, with 0 where the two differ by rounding alone.

    Example:
        >>> differences(np.array([0.3, 1.0]), np.array([0.1 + 0.2, 3.0])).tolist()
        [0.0, 2.0]
    """
    difference = challenger - champion
    return np.where(np.abs(difference) <= _ROUNDING * np.abs(champion), 0.0, difference)


def same_up_to_rounding(
    difference: NDArray[np.float64], champion: NDArray[np.float64], challenger: NDArray[np.float64]
) -> bool:
    """
    Whether all differences are one number, but for the rounding of what was subtracted.

    Example:
        >>> old, new = np.array([0.1, 0.7]), np.array([0.3, 0.9])
        >>> same_up_to_rounding(new - old, old, new)
        True
    """
    room = _ROUNDING * (np.abs(champion) + np.abs(challenger))
    return bool(np.all(np.abs(difference - difference.mean()) <= room))


def log_loss(labels: ArrayLike, probabilities: ArrayLike, *, floor: float = 1e-15) -> NDArray[np.float64]:
    """
    Per-row log loss; negate it for `paired_mean`.

    Args:
        labels: Shape (n,), 0 and 1.
        probabilities: Shape (n,), of a one, from 0 to 1.
        floor: Probabilities are kept this far from 0 and 1, so that one row cannot cost all.

    Source:
        Good (1952), J. R. Stat. Soc. B 14:107-114; its mean agrees with `sklearn.metrics.log_loss`.

    Example:
        >>> log_loss([1, 0], [0.8, 0.4]).round(4).tolist()
        [0.2231, 0.5108]
    """
    y, p = binary("labels", labels), in_range("probabilities", probabilities)
    same_length(labels=y, probabilities=p)
    if not 0 < floor < 0.5:
        raise ValueError(f"floor is {floor}; it must lie between 0 and 0.5")
    kept = np.clip(p, floor, 1 - floor)
    return np.asarray(-np.where(y == 1, np.log(kept), np.log1p(-kept)))


def brier(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """
    Per-row Brier score, the squared error of a probability; negate it for `paired_mean`.

    Source:
        Brier (1950), Mon. Weather Rev. 78:1-3; its mean agrees with `sklearn.metrics.brier_score_loss`.

    Example:
        >>> brier([1, 0], [0.8, 0.4]).round(4).tolist()
        [0.04, 0.16]
    """
    y, p = binary("labels", labels), in_range("probabilities", probabilities)
    same_length(labels=y, probabilities=p)
    return np.asarray((p - y) ** 2)


def absolute_error(actual: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """
    Per-row absolute error; negate it for `paired_mean`.

    Example:
        >>> absolute_error([3.0, 5.0], [2.0, 7.0]).tolist()
        [1.0, 2.0]
    """
    y, p = finite("actual", actual), finite("predicted", predicted)
    same_length(actual=y, predicted=p)
    return np.abs(p - y)


def squared_error(actual: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """
    Per-row squared error; negate it for `paired_mean`.

    Example:
        >>> squared_error([3.0, 5.0], [2.0, 7.0]).tolist()
        [1.0, 4.0]
    """
    return absolute_error(actual, predicted) ** 2
