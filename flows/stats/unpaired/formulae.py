"""The formulae of two independent samples, elementwise; the functions for one comparison call them too."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats.moments import Moments
from flows.stats.tails import log_two_sided_t_array

Floats = NDArray[np.float64]
Alternative = Literal["two-sided", "greater", "less"]

FINE, FEW, CONSTANT, NO_BASE, UNBOUNDED, COMPLEMENT = range(6)


class Samples(NamedTuple):
    """Sufficient statistics of many samples: count, mean, sum of squared deviations; each of shape (k,)."""

    n: Floats
    mean: Floats
    m2: Floats

    @property
    def squared_error(self) -> Floats:
        """Variance of the mean; 0 below two values."""
        return self.m2 / np.maximum(self.n - 1, 1) / np.maximum(self.n, 1)


class Tested(NamedTuple):
    """
    Answers, each of shape (k,).

    Attributes:
        state: Why an answer is not the usual one: FEW values, CONSTANT values, a base of
            0, an interval that is everything or everything but what lies between.
    """

    estimate: Floats
    low: Floats
    high: Floats
    log_p: Floats
    state: NDArray[np.int8]


class RatioSet(NamedTuple):
    """
    Values of a ratio that data do not contradict, each of shape (k,).

    Attributes:
        low, high: Ends of the interval; where state is COMPLEMENT, what lies strictly
            between them is what the data contradict.
        state: FINE, UNBOUNDED or COMPLEMENT.
    """

    low: Floats
    high: Floats
    state: NDArray[np.int8]


def single(moments: Moments) -> Samples:
    """One sample as arrays of one."""
    return Samples(*(np.array([float(value)]) for value in moments))


def satterthwaite(v1: Floats, n1: Floats, v2: Floats, n2: Floats) -> Floats:
    """
    Degrees of freedom of v1 + v2; shares keep them finite for values of any size.

    Source:
        Welch (1947), Biometrika 34:28-35.
    """
    total = v1 + v2
    part = np.divide(v1, total, out=np.full_like(total, 0.5), where=total > 0)
    rest = np.divide(v2, total, out=np.full_like(total, 0.5), where=total > 0)
    return np.asarray(1 / (part**2 / np.maximum(n1 - 1, 1) + rest**2 / np.maximum(n2 - 1, 1)))


def t_quantile(freedom: Floats, probability: float) -> Floats:
    """Of Student's t; normal where the degrees of freedom are infinite."""
    finite = np.isfinite(freedom)
    if finite.all():
        return np.asarray(special.stdtrit(freedom, probability))
    quantile = special.stdtrit(np.where(finite, freedom, 1.0), probability)
    return np.asarray(np.where(finite, quantile, special.ndtri(probability)))


def difference(
    champion: Samples,
    challenger: Samples,
    confidence: float,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> Tested:
    """
    Welch's t test of challenger minus champion.

    Args:
        null: The difference that is tested.
    """
    v1, v2 = champion.squared_error, challenger.squared_error
    estimate, error = challenger.mean - champion.mean, np.sqrt(v1 + v2)
    few, constant = np.minimum(champion.n, challenger.n) < 2, error == 0
    freedom = satterthwaite(v1, champion.n, v2, challenger.n)
    with np.errstate(over="ignore"):
        t = (estimate - null) / np.where(constant, 1.0, error)
        radius = t_quantile(freedom, confidence if alternative != "two-sided" else (1 + confidence) / 2) * error
    log_p = sided(log_two_sided_t_array(t, freedom), t, alternative)
    if constant.any():
        flat = permutation_log_p(champion.n, challenger.n, estimate - null, alternative)
        log_p = np.where(constant, flat, log_p)
        # No variance: a point if permutations of the callers are significant.
        radius = np.where(constant & (flat >= np.log1p(-confidence)) & (estimate != null), np.inf, radius)
    state = np.where(few, FEW, np.where(constant, CONSTANT, FINE)).astype(np.int8)
    return answer(estimate, estimate - radius, estimate + radius, log_p, few, alternative, state)


def answer(
    estimate: Floats,
    low: Floats,
    high: Floats,
    log_p: Floats,
    mute: NDArray[np.bool_],
    alternative: Alternative,
    state: NDArray[np.int8],
) -> Tested:
    """Open the side that is not asked for, and both where there is nothing to say."""
    low = np.where(mute | (alternative == "less"), -np.inf, low)
    high = np.where(mute | (alternative == "greater"), np.inf, high)
    return Tested(estimate, low, high, np.where(mute, 0.0, log_p), state)


def sided(two_sided: Floats, t: Floats, alternative: Alternative) -> Floats:
    """From the log of a two-sided p-value of a symmetric statistic to that of one side."""
    if alternative == "two-sided":
        return two_sided
    right = t > 0 if alternative == "greater" else t < 0
    half = two_sided - np.log(2)
    return np.asarray(np.where(right, half, np.log1p(-np.exp(half))))


def permutation_log_p(n1: Floats, n2: Floats, apart: Floats, alternative: Alternative) -> Floats:
    """Of two groups that are each constant: the chance of a deal of the callers that sorts them so."""
    ways = special.gammaln(n1 + n2 + 1) - special.gammaln(n1 + 1) - special.gammaln(n2 + 1)
    if alternative == "two-sided":
        return np.where(apart == 0, 0.0, np.minimum(0.0, np.log(2) - ways))
    right = apart > 0 if alternative == "greater" else apart < 0
    return np.where(right, -ways, 0.0)


def fieller(over: Floats, v_over: Floats, under: Floats, v_under: Floats, cov: Floats, quantile: Floats) -> RatioSet:
    """
    All ratios over / under that a test of over - ratio * under does not reject.

    Args:
        v_over, v_under, cov: Variances of the two estimates, and their covariance.
        quantile: Of the test.

    Source:
        Fieller (1954), J. R. Stat. Soc. B 16:175-185; cases as in von Luxburg and Franz
        (2009), J. Stat. Plan. Inference 139:2022-2030.
    """
    # In units in which no square overflows or vanishes.
    unit_over = np.hypot(over, quantile * np.sqrt(v_over))
    unit_under = np.hypot(under, quantile * np.sqrt(v_under))
    unit_over, unit_under = np.where(unit_over > 0, unit_over, 1.0), np.where(unit_under > 0, unit_under, 1.0)
    a, b = over / unit_over, under / unit_under
    va, vb = (quantile * np.sqrt(v_over) / unit_over) ** 2, (quantile * np.sqrt(v_under) / unit_under) ** 2
    vab = (quantile / unit_over) * (quantile / unit_under) * cov
    square, middle, rest = b * b - vb, a * b - vab, a * a - va
    inside = b * b * va + a * a * vb - 2 * a * b * vab - (va * vb - vab * vab)
    root = np.sqrt(np.maximum(inside, 0.0))
    pivot = middle + np.where(middle < 0, -root, root)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = unit_over / unit_under
        one = pivot / square * scale
        other = np.where(pivot == 0, one, rest / pivot * scale)
    everything = (square == 0) | ((square < 0) & (inside < 0)) | ~np.isfinite(one) | ~np.isfinite(other)
    state = np.where(everything, UNBOUNDED, np.where(square < 0, COMPLEMENT, FINE)).astype(np.int8)
    low = np.where(everything, -np.inf, np.minimum(one, other))
    return RatioSet(low, np.where(everything, np.inf, np.maximum(one, other)), state)


def lift(
    over: Floats,
    v_over: Floats,
    under: Floats,
    v_under: Floats,
    cov: Floats,
    freedom: Floats,
    confidence: float,
    fallback_log_p: Floats,
) -> tuple[Tested, RatioSet]:
    """
    Relative difference of two estimates: log-ratio test, Fieller's interval.

    A negative base is taken by its size, so that more is better.

    Args:
        fallback_log_p: Of the difference, for where the ratio has no logarithm or the
            base may be 0.

    Returns:
        Lift, where an interval that is not bounded is infinite, and the set of ratios.
    """
    ratios = fieller(over, v_over, under, v_under, cov, t_quantile(freedom, (1 + confidence) / 2))
    none, bounded = under == 0, ratios.state == FINE
    sign = np.where(under < 0, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(none, np.copysign(np.inf, over), over / under)
        spread = v_over / over / over + v_under / under / under - 2 * cov / over / under
        logarithmic = bounded & ~none & (ratio > 0) & np.isfinite(ratio) & (spread > 0)
        t = np.log(np.where(logarithmic, ratio, 1.0)) / np.sqrt(np.where(logarithmic, spread, 1.0))
    log_p = np.where(logarithmic, log_two_sided_t_array(t, freedom), fallback_log_p)
    ends = sign * (ratios.low - 1), sign * (ratios.high - 1)
    low, high = (np.where(bounded & ~none, end, np.inf) for end in (np.minimum(*ends), np.maximum(*ends)))
    estimate = np.where(none & (over == 0), 0.0, sign * (ratio - 1))
    state = np.where(none, NO_BASE, ratios.state).astype(np.int8)
    return Tested(estimate, np.where(bounded & ~none, low, -np.inf), high, log_p, state), ratios
