"""AUC as if it were a mean over rows or keys: for clusters, different callers, and looks over time."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import binary, finite, same_length, share
from flows.stats.moments import Moments
from flows.stats.paired.clusters import Clusters, cluster_codes, cluster_sums
from flows.stats.paired.ranking import placements
from flows.stats.results import Effect
from flows.stats.wald import constant, undecided, wald

_METHOD = "DeLong by cluster"


def area_pulls(labels: ArrayLike, scores: ArrayLike) -> tuple[float, NDArray[np.float64]]:
    """
    AUC, and what each row adds to its deviation from the true one: they average to 0.

    Args:
        labels: Shape (n,), 0 and 1, both present.
        scores: Shape (n,); only their order matters.

    Returns:
        The area, and shape (n,): row i has the influence (V10 - area) n / ones, or
        (V01 - area) n / zeros, with DeLong's placements V.

    Raises:
        ValueError: If lengths differ, a class is missing or scores are not finite.

    Source:
        DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845; Obuchowski (1997),
        Biometrics 53:567-578.

    Example:
        >>> area, pulls = area_pulls([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> area, pulls.tolist()
        (0.75, [0.5, -0.5, -0.5, 0.5])
    """
    y, s = binary("labels", labels), finite("scores", scores)
    n = same_length(labels=y, scores=s)
    ones = float(y.sum())
    if not 0 < ones < n:
        raise ValueError(f"labels have {int(ones)} ones and {int(n - ones)} zeros; AUC needs both")
    above, below = placements(y == 1, s[None, :])
    area, pulls = float(above[0].mean()), np.empty(n)
    pulls[y == 1] = (above[0] - area) * n / ones
    pulls[y == 0] = (below[0] - area) * n / (n - ones)
    return area, pulls


def area_moments(labels: ArrayLike, scores: ArrayLike, clusters: Clusters | None = None) -> Moments:
    """
    AUC of one group of rows, as if it were a mean over rows, or over clusters.

    What takes (n, mean, m2) takes it, e.g. `flows.stats.unpaired.means.welch` or
    `flows.stats.sequential.asymptotic.two_sample_sequence`; trust it from about 30 rows of each
    class on.

    Args:
        labels, scores, clusters: Shape (n,); rows of one cluster may depend on each other.

    Raises:
        ValueError: As `area_pulls`.

    Source:
        As `area_pulls`. Without clusters the standard error is DeLong's, but for n - 1 in place of ones - 1 and
        zeros - 1.

    Example:
        >>> area = area_moments([0, 0, 1, 1] * 25, [0.1, 0.4, 0.35, 0.8] * 25)
        >>> area.n, area.mean, round((area.variance / area.n) ** 0.5, 4)
        (100, 0.75, 0.0503)
    """
    area, pulls = area_pulls(labels, scores)
    sums = _by_cluster(pulls, clusters)
    size = sums.size
    # The mean over rows is the sum over clusters divided by rows: a cluster's share in units of clusters.
    scaled = sums * size / pulls.size
    return Moments(size, area, float(np.sum(scaled**2)))


def delong_clustered(
    labels: ArrayLike, champion: ArrayLike, challenger: ArrayLike, clusters: Clusters, *, confidence: float = 0.95
) -> Effect:
    """
    Difference of two AUCs on the same rows, when rows come in clusters.

    Args:
        labels: Shape (n,), 0 and 1, both present.
        champion, challenger: Shape (n,), scores; only their order matters.
        clusters: Shape (n,), to whom each row belongs: anything hashable.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        As `delong`; n is the number of clusters, and t has one degree of freedom less. Trust
        it from about 30 clusters on.

    Raises:
        ValueError: If lengths differ, a class is missing or scores are not finite.

    Source:
        Obuchowski (1997), Biometrics 53:567-578.

    Example:
        >>> labels, keys = [0, 0, 1, 1, 0, 1] * 20, [i // 3 for i in range(120)]
        >>> old, new = [0.2, 0.6, 0.5, 0.7, 0.1, 0.4] * 20, [0.1, 0.3, 0.6, 0.9, 0.2, 0.8] * 20
        >>> effect = delong_clustered(labels, old, new, keys)
        >>> f"{effect.estimate:.4f} {effect.n} {effect.low > 0}"
        '0.2222 40 True'
    """
    share("confidence", confidence)
    ours, theirs = area_pulls(labels, champion), area_pulls(labels, challenger)
    same_length(champion=ours[1], challenger=theirs[1])
    estimate, gains = theirs[0] - ours[0], theirs[1] - ours[1]
    sums = _by_cluster(gains, clusters)
    size = sums.size
    if size == 1:
        return undecided(_METHOD, 1, "a single cluster", estimate)
    if np.all(np.abs(sums) <= 1e-12 * gains.size):
        return constant(_METHOD, estimate, size, log_p=(1 - size) * math.log(2), confidence=confidence)
    error = math.sqrt(float(np.sum(sums**2)) * size / (size - 1)) / gains.size
    found = wald(estimate, error, n=size, method=_METHOD, confidence=confidence, freedom=size - 1)
    return Effect(
        method=found.method,
        estimate=found.estimate,
        low=max(-1.0, found.low),
        high=min(1.0, found.high),
        p_value=found.p_value,
        log_p=found.log_p,
        n=found.n,
    )


def _by_cluster(pulls: NDArray[np.float64], clusters: Clusters | None) -> NDArray[np.float64]:
    if clusters is None:
        return pulls
    return cluster_sums(cluster_codes(clusters, pulls.size), pulls[:, None])[:, 0]
