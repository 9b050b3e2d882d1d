"""Mergeable sufficient statistics; never raw sums of squares."""

from typing import NamedTuple


class Moments(NamedTuple):
    """
    Sufficient statistics of one sample.

    Attributes:
        m2: Sum of squared deviations from the mean.
    """

    n: int
    mean: float
    m2: float


class CoMoments(NamedTuple):
    """
    Sufficient statistics of pairs (x, y), e.g. requests and sum of losses per key.

    Attributes:
        m2_x, m2_y: Sums of squared deviations.
        co: Sum of products of deviations.
    """

    n: int
    mean_x: float
    mean_y: float
    m2_x: float
    m2_y: float
    co: float
