"""Mergeable sufficient statistics; never raw sums of squares."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Moments(NamedTuple):
    """
    Sufficient statistics of one sample.

    `Moments.empty()` is the identity of `merge`, which is exactly commutative and, but
    for rounding, associative: parts may be computed anywhere and joined in any order.

    Attributes:
        m2: Sum of squared deviations from the mean.

    Example:
        >>> Moments.of([1.0, 2.0]).merge(Moments.of([6.0]).push(7.0))
        Moments(n=4, mean=4.0, m2=26.0)
        >>> round(Moments.of([1e8 + 1, 1e8 + 2, 1e8 + 4]).variance, 9)
        2.333333333
    """

    n: int
    mean: float
    m2: float

    @classmethod
    def empty(cls) -> Self:
        """Of no value."""
        return cls(0, 0.0, 0.0)

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """
        Of values that are all at hand.

        Args:
            values: Shape (n,), finite.

        Raises:
            ValueError: If a value is NaN or infinite, or too large to square.

        Source:
            Corrected two-pass algorithm: Chan, Golub, LeVeque (1983), Am. Stat. 37:242-247, eq. 1.7.
        """
        from flows.stats.checks import finite  # that module knows this one

        array = finite("values", values)
        if array.size == 0:
            return cls.empty()
        mean, m2 = _centred(array, array)
        return cls(array.size, mean, max(m2, 0.0))

    def push(self, value: float) -> Self:
        """
        With one value more; this record stays as it is.

        Raises:
            ValueError: If the value is NaN or infinite.

        Source:
            Welford (1962), Technometrics 4:419-420.
        """
        if not math.isfinite(value):
            raise ValueError(f"value is {value}; leave out what is no number")
        n = self.n + 1
        delta = value - self.mean
        mean = self.mean + delta / n
        return type(self)(n, mean, self.m2 + delta * (value - mean))

    def merge(self, other: "Moments") -> Self:
        """
        Of both samples together.

        Source:
            Chan, Golub, LeVeque (1983), eq. 2.1.
        """
        if not other.n:
            return self
        small, large = (self, other) if self <= other else (other, self)  # the order of the parts shall not matter
        if not small.n:
            return type(self)(*large)
        n = small.n + large.n
        delta = small.mean - large.mean
        mean = large.mean + delta * (small.n / n)
        return type(self)(n, mean, small.m2 + large.m2 + delta * delta * (small.n * (large.n / n)))

    @property
    def variance(self) -> float:
        """Unbiased; infinite below two values, which say nothing of it."""
        return self.m2 / (self.n - 1) if self.n > 1 else math.inf

    @property
    def error(self) -> float:
        """Standard error of the mean; infinite below two values."""
        return math.sqrt(self.variance / self.n) if self.n > 1 else math.inf


class CoMoments(NamedTuple):
    """
    Sufficient statistics of pairs (x, y), e.g. requests and sum of losses per key.

    Attributes:
        m2_x, m2_y: Sums of squared deviations.
        co: Sum of products of deviations.

    Example:
        >>> CoMoments.of([1.0, 2.0, 3.0], [2.0, 4.0, 9.0])
        CoMoments(n=3, mean_x=2.0, mean_y=5.0, m2_x=2.0, m2_y=26.0, co=7.0)
    """

    n: int
    mean_x: float
    mean_y: float
    m2_x: float
    m2_y: float
    co: float

    @classmethod
    def empty(cls) -> Self:
        """Of no pair."""
        return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike) -> Self:
        """
        Of pairs that are all at hand.

        Args:
            x, y: Shape (n,), finite.

        Raises:
            ValueError: If lengths differ, or a value is NaN or infinite.

        Source:
            As `Moments.of`.
        """
        from flows.stats.checks import finite, same_length

        xs, ys = finite("x", x), finite("y", y)
        n = same_length(x=xs, y=ys)
        if n == 0:
            return cls.empty()
        (mean_x, m2_x), (mean_y, m2_y) = _centred(xs, xs), _centred(ys, ys)
        return cls(n, mean_x, mean_y, max(m2_x, 0.0), max(m2_y, 0.0), _centred(xs, ys)[1])

    def push(self, x: float, y: float) -> Self:
        """
        With one pair more; this record stays as it is.

        Raises:
            ValueError: If a value is NaN or infinite.
        """
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"pair is ({x}, {y}); leave out what is no number")
        n = self.n + 1
        delta_x, delta_y = x - self.mean_x, y - self.mean_y
        mean_x, mean_y = self.mean_x + delta_x / n, self.mean_y + delta_y / n
        rest = y - mean_y
        return type(self)(
            n,
            mean_x,
            mean_y,
            self.m2_x + delta_x * (x - mean_x),
            self.m2_y + delta_y * rest,
            self.co + delta_x * rest,
        )

    def merge(self, other: "CoMoments") -> Self:
        """
        Of both samples together.

        Source:
            As `Moments.merge`, with the product of the two deltas.
        """
        if not other.n:
            return self
        small, large = (self, other) if self <= other else (other, self)
        if not small.n:
            return type(self)(*large)
        n = small.n + large.n
        delta_x, delta_y = small.mean_x - large.mean_x, small.mean_y - large.mean_y
        part, weight = small.n / n, small.n * (large.n / n)
        return type(self)(
            n,
            large.mean_x + delta_x * part,
            large.mean_y + delta_y * part,
            small.m2_x + large.m2_x + delta_x * delta_x * weight,
            small.m2_y + large.m2_y + delta_y * delta_y * weight,
            small.co + large.co + delta_x * delta_y * weight,
        )

    @property
    def x(self) -> Moments:
        """Of the first alone."""
        return Moments(self.n, self.mean_x, self.m2_x)

    @property
    def y(self) -> Moments:
        """Of the second alone."""
        return Moments(self.n, self.mean_y, self.m2_y)

    @property
    def covariance(self) -> float:
        """Unbiased; 0 below two pairs."""
        return self.co / (self.n - 1) if self.n > 1 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class JointMoments:
    """
    Sufficient statistics of k values per key, for what two cannot say.

    Attributes:
        means: Shape (k,).
        m2: Shape (k, k): sums of products of deviations.

    Example:
        >>> joint = JointMoments.of([[1.0, 2.0], [2.0, 4.0], [3.0, 9.0]])
        >>> joint.n, joint.means.tolist(), joint.m2.tolist()
        (3, [2.0, 5.0], [[2.0, 7.0], [7.0, 26.0]])
    """

    n: int
    means: NDArray[np.float64]
    m2: NDArray[np.float64]

    @classmethod
    def of(cls, rows: ArrayLike) -> Self:
        """
        Of rows that are all at hand.

        Args:
            rows: Shape (n, k), finite.

        Raises:
            ValueError: If there are not two dimensions, or a value is NaN or infinite.
        """
        array = np.asarray(rows, dtype=np.float64)
        if array.ndim != 2:
            raise ValueError(f"rows has {array.ndim} dimensions; give two, (keys, values)")
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            raise ValueError(f"rows has {bad} of {array.size} values that are NaN or infinite; drop or fill them")
        n, k = array.shape
        if n == 0:
            return cls(0, np.zeros(k), np.zeros((k, k)))
        centre = array.mean(axis=0)
        off = array - centre
        slip = off.mean(axis=0)
        return cls(n, centre + slip, off.T @ off - n * np.outer(slip, slip))

    def merge(self, other: "JointMoments") -> Self:
        """
        Of both samples together.

        Raises:
            ValueError: If they do not hold equally many values per key.
        """
        if self.means.shape != other.means.shape:
            raise ValueError(f"one has {self.means.size} values per key, the other {other.means.size}; give the same")
        n = self.n + other.n
        if not (self.n and other.n):
            return self if self.n else type(self)(other.n, other.means, other.m2)
        delta = other.means - self.means
        m2 = self.m2 + other.m2 + np.outer(delta, delta) * (self.n * (other.n / n))
        return type(self)(n, self.means + delta * (other.n / n), m2)


def _centred(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of x, and the sum of products of deviations of x and y."""
    mean_x, mean_y = float(x.mean()), float(y.mean())
    off_x, off_y = x - mean_x, y - mean_y
    slip = float(off_x.sum())
    with np.errstate(over="ignore"):
        products = float((off_x * off_y).sum())
    if not math.isfinite(products):
        raise ValueError(
            f"values up to {max(np.abs(x).max(), np.abs(y).max()):.3g} are too large to square; rescale them"
        )
    return mean_x + slip / x.size, products - slip * float(off_y.sum()) / x.size
