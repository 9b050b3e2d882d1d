"""Rows that belong together: several of one customer, one device, one day."""

from collections.abc import Hashable, Iterable
from typing import cast

import numpy as np
from numpy.typing import NDArray

Clusters = Iterable[Hashable] | NDArray[np.generic]


def cluster_codes(clusters: Clusters, n: int) -> NDArray[np.intp]:
    """
    Number the clusters 0, 1, ... in the order in which they first appear.

    Args:
        clusters: Shape (n,), anything hashable: names, numbers, tuples.
        n: How many rows there are.

    Raises:
        ValueError: If there are not as many clusters as rows, or some are missing.

    Example:
        >>> cluster_codes(["b", "a", "b", "c"], 4).tolist()
        [0, 1, 0, 2]
    """
    given = cast("list[Hashable]", clusters.tolist() if isinstance(clusters, np.ndarray) else list(clusters))
    if len(given) != n:
        raise ValueError(f"clusters has {len(given)} values for {n} rows; give one per row")
    missing = sum(1 for key in given if key is None or key != key)
    if missing:
        raise ValueError(f"clusters has {missing} of {n} values that are missing; drop those rows or name them")
    codes: dict[Hashable, int] = {}
    return np.fromiter((codes.setdefault(key, len(codes)) for key in given), dtype=np.intp, count=n)


def cluster_sums(codes: NDArray[np.intp], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Sums of each column of *rows*, shape (n, columns), per cluster: shape (clusters, columns).

    Example:
        >>> cluster_sums(np.array([0, 1, 0]), np.array([[1.0], [2.0], [3.0]])).tolist()
        [[4.0], [2.0]]
    """
    return np.stack([np.bincount(codes, weights=column) for column in rows.T], axis=1)
