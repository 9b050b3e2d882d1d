"""What is believed of one arm's mean after its data."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats import checks

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """
    Of a mean with many values behind it.

    Attributes:
        mean, sd: In the metric's unit; sd is 0 for a constant and infinite without data.
        n: Values behind it.
    """

    mean: float
    sd: float
    n: int

    def cdf(self, x: Floats) -> Floats:
        """P(mean <= x)."""
        return np.asarray(special.ndtr((x - self.mean) / self.sd))

    def sf(self, x: Floats) -> Floats:
        """P(mean > x)."""
        return np.asarray(special.ndtr((self.mean - x) / self.sd))

    def log_pdf(self, x: Floats) -> Floats:
        """Log density, up to a constant."""
        return np.asarray(-0.5 * ((x - self.mean) / self.sd) ** 2)

    def at(self, score: Floats) -> Floats:
        """Quantiles of the probabilities that standard normal scores have."""
        return self.mean + self.sd * score

    @property
    def support(self) -> tuple[float, float]:
        """Where the density is above 0."""
        return -math.inf, math.inf

    @property
    def singular(self) -> bool:
        """Whether the density is infinite somewhere."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta:
    """
    Of a rate.

    Attributes:
        a, b: Successes and failures, those of the prior included; both above 0.
        n: Trials behind it, without the prior.
    """

    a: float
    b: float
    n: int

    @property
    def mean(self) -> float:
        """Expected rate."""
        return self.a / (self.a + self.b)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        total = self.a + self.b
        return math.sqrt(self.a * self.b / (total + 1)) / total

    def cdf(self, x: Floats) -> Floats:
        """P(rate <= x)."""
        return np.asarray(special.betainc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def sf(self, x: Floats) -> Floats:
        """P(rate > x)."""
        return np.asarray(special.betaincc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def log_pdf(self, x: Floats) -> Floats:
        """Log density, up to a constant; relative to the mean, so that large counts keep their digits."""
        up, down = (x - self.mean) / self.mean, (self.mean - x) / (1 - self.mean)
        return np.asarray(special.xlog1py(self.a - 1, up) + special.xlog1py(self.b - 1, down))

    def at(self, score: Floats) -> Floats:
        """Quantiles of the probabilities that standard normal scores have."""
        low, high = special.ndtr(np.minimum(score, 0.0)), special.ndtr(-np.maximum(score, 0.0))
        return np.where(score < 0, special.betaincinv(self.a, self.b, low), special.betainccinv(self.a, self.b, high))

    @property
    def support(self) -> tuple[float, float]:
        """Where the density is above 0."""
        return 0.0, 1.0

    @property
    def singular(self) -> bool:
        """Whether the density is infinite somewhere."""
        return min(self.a, self.b) < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gamma:
    """
    Of a positive mean: events per request (Poisson) or, inverted, revenue per order (exponential).

    Attributes:
        shape, rate: Events and exposure, those of the prior included; both above 0.
        n: Requests behind it, without the prior.
    """

    shape: float
    rate: float
    n: int

    @property
    def mean(self) -> float:
        """Expected events per request."""
        return self.shape / self.rate

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.shape) / self.rate

    def cdf(self, x: Floats) -> Floats:
        """P(mean <= x)."""
        return np.asarray(special.gammainc(self.shape, np.maximum(x, 0.0) * self.rate))

    def sf(self, x: Floats) -> Floats:
        """P(mean > x)."""
        return np.asarray(special.gammaincc(self.shape, np.maximum(x, 0.0) * self.rate))

    def log_pdf(self, x: Floats) -> Floats:
        """Log density, up to a constant."""
        change = (x - self.mean) / self.mean
        return np.asarray(special.xlog1py(self.shape - 1, change) - self.shape * change)

    def at(self, score: Floats) -> Floats:
        """Quantiles of the probabilities that standard normal scores have."""
        low, high = special.ndtr(np.minimum(score, 0.0)), special.ndtr(-np.maximum(score, 0.0))
        found = np.where(score < 0, special.gammaincinv(self.shape, low), special.gammainccinv(self.shape, high))
        return np.asarray(found / self.rate)

    @property
    def support(self) -> tuple[float, float]:
        """Where the density is above 0."""
        return 0.0, math.inf

    @property
    def singular(self) -> bool:
        """Whether the density is infinite somewhere."""
        return self.shape < 1


Belief = Normal | Beta | Gamma


def rate_belief(successes: int, n: int, *, prior: tuple[float, float] = (1.0, 1.0)) -> Beta:
    """
    Beta posterior of a rate.

    Args:
        successes: Among n trials.
        prior: Parameters of the Beta prior, both above 0; uniform by default.

    Raises:
        ValueError: If a count is impossible or the prior not proper.

    Example:
        >>> rate_belief(49, 100)
        Beta(a=50.0, b=52.0, n=100)
    """
    checks.counts(successes=successes, n=n)
    if successes > n:
        raise ValueError(f"successes is {successes} among {n} trials; count each trial once")
    _above_zero(prior)
    return Beta(a=prior[0] + successes, b=prior[1] + n - successes, n=int(n))


def mean_belief(moments: checks.Sample, *, prior_mean: float = 0.0, prior_sd: float = math.inf) -> Normal:
    """
    Normal posterior of a mean, its variance taken as known.

    Args:
        moments: (n, mean, m2).
        prior_mean, prior_sd: Normal prior of the mean; flat by default.

    Returns:
        With a flat prior, an infinite sd for fewer than two values.

    Raises:
        ValueError: If the moments are impossible or the prior is.

    Source:
        Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., eq. 2.10.

    Example:
        >>> mean_belief((10, 10.0, 2.25))
        Normal(mean=10.0, sd=0.15811388300841897, n=10)
    """
    n, mean, m2 = checks.numbers("the arm", moments)
    if not prior_sd > 0 or not math.isfinite(prior_mean):
        raise ValueError(f"prior is {prior_mean} with sd {prior_sd}; give a finite mean and an sd above 0")
    variance = m2 / (n - 1) / n if n > 1 else math.inf
    if variance == 0 or math.isinf(prior_sd):
        return Normal(mean=mean, sd=math.sqrt(variance), n=n)
    precision = 1 / variance + prior_sd**-2
    return Normal(mean=(mean / variance + prior_mean / prior_sd**2) / precision, sd=precision**-0.5, n=n)


def count_belief(events: int, n: int, *, prior: tuple[float, float] = (0.5, 1e-9)) -> Gamma:
    """
    Gamma posterior of events per request (Poisson).

    Args:
        events: Among n requests; there may be more than n.
        prior: Shape and rate of the Gamma prior, both above 0; close to Jeffreys' by default.

    Raises:
        ValueError: If a count is impossible or the prior not proper.

    Example:
        >>> f"{count_belief(30, 100).mean:.3f}"
        '0.305'
    """
    checks.counts(events=events, n=n)
    _above_zero(prior)
    return Gamma(shape=prior[0] + events, rate=prior[1] + n, n=int(n))


def _above_zero(prior: tuple[float, float]) -> None:
    if not all(math.isfinite(value) and value > 0 for value in prior):
        raise ValueError(f"prior is {prior}; both must be above 0")
