"""How much of what is sought is among the k best scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import binary, counts, finite, same_length
from flows.stats.paired.clusters import Clusters, cluster_codes


def recall_at(labels: ArrayLike, scores: ArrayLike, k: int) -> float:
    """
    Recall among the k rows with the highest scores; goes into `bootstrap` as a metric.

    Args:
        labels: Shape (n,), 1 what is sought.
        scores: Shape (n,).
        k: At least 1.

    Returns:
        From 0 to 1. Of scores tied at the k-th place each counts in part, as if the order of
        ties were drawn.

    Raises:
        ValueError: If lengths differ, nothing is sought, or k is below 1.

    Source:
        McSherry and Najork (2008), ECIR:414-421 (ties).

    Example:
        >>> recall_at([1, 0, 1, 0, 1], [0.9, 0.8, 0.7, 0.2, 0.1], 3) == 2 / 3
        True
    """
    y, s = binary("labels", labels), finite("scores", scores)
    same_length(labels=y, scores=s)
    _at_least_one(k)
    if not y.any():
        raise ValueError(f"labels have no one among {y.size}; recall needs one")
    return _recall(y, s, int(k))


def recalls_at(labels: ArrayLike, scores: ArrayLike, queries: Clusters, k: int) -> NDArray[np.float64]:
    """
    Recall at k of each query; two models' go into `paired_mean` or `bootstrap_mean`.

    Args:
        labels, scores: Shape (n,), as of `recall_at`.
        queries: Shape (n,), to which query each row belongs.
        k: At least 1.

    Returns:
        One per query with anything to find, in the order of their first rows.

    Raises:
        ValueError: As `recall_at`.

    Source:
        As `recall_at`.

    Example:
        >>> recalls_at([1, 0, 1, 1], [0.9, 0.8, 0.3, 0.2], ["a", "a", "b", "b"], 1).tolist()
        [1.0, 0.5]
    """
    y, s = binary("labels", labels), finite("scores", scores)
    n = same_length(labels=y, scores=s)
    codes = cluster_codes(queries, n)
    _at_least_one(k)
    _, first = np.unique(codes, return_index=True)
    members = (codes == codes[at] for at in np.sort(first))
    return np.array([_recall(y[rows], s[rows], int(k)) for rows in members if y[rows].any()], dtype=np.float64)


def _recall(y: NDArray[np.float64], s: NDArray[np.float64], k: int) -> float:
    if k >= s.size:
        return 1.0
    last = np.partition(s, s.size - k)[s.size - k]
    above, tied = s > last, s == last
    part = (k - np.count_nonzero(above)) / np.count_nonzero(tied)
    return float((y[above].sum() + part * y[tied].sum()) / y.sum())


def _at_least_one(k: int) -> None:
    counts(k=k)
    if k < 1:
        raise ValueError(f"k is {k}; give at least 1")
