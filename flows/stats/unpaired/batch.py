"""Many comparisons in one go, e.g. 20 metrics of 500 experiments."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import share
from flows.stats.results import Effect, probability
from flows.stats.sequential.arms import arms
from flows.stats.sequential.asymptotic import MIN_ASYMPTOTIC
from flows.stats.sequential.mixture import log_p, radius
from flows.stats.unpaired.formulae import FINE, Floats, Samples, Tested, difference, lift
from flows.stats.unpaired.relative import ratio_freedom

_ROUNDING = 1e-9
_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparisons:
    """
    Many differences, challenger minus champion; every array of shape (k,).

    Attributes:
        n: Values in the smaller group.
        estimate, low, high, p_value, log_p: As of `welch`; for one look.
        lift, lift_low, lift_high, lift_p, lift_log_p: As of `relative_lift`; for one look.
        lift_bounded: Whether the lift has an interval: False where the champion's mean may be 0.
        always_low, always_high, always_p, always_log_p: As of `two_sample_sequence`;
            valid at all looks at once.
    """

    n: NDArray[np.int64]
    estimate: Floats
    low: Floats
    high: Floats
    p_value: Floats
    log_p: Floats
    lift: Floats
    lift_low: Floats
    lift_high: Floats
    lift_p: Floats
    lift_log_p: Floats
    lift_bounded: NDArray[np.bool_]
    always_low: Floats
    always_high: Floats
    always_p: Floats
    always_log_p: Floats

    def effect(self, at: int) -> Effect:
        """One of them as an `Effect`."""
        exact = float(self.log_p[at])
        return Effect(
            method="Welch t test",
            estimate=float(self.estimate[at]),
            low=float(self.low[at]),
            high=float(self.high[at]),
            p_value=probability(exact),
            log_p=exact,
            n=int(self.n[at]),
        )


def compare_many(
    champion: tuple[ArrayLike, ArrayLike, ArrayLike],
    challenger: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    confidence: float = 0.95,
    tuned_to: float = 500,
) -> Comparisons:
    """
    Test, interval, relative and always-valid interval of many pairs of samples.

    Args:
        champion, challenger: (n, mean, m2), each of shape (k,); a mean over requests with
            many requests per key goes through `ratio_moments` first.
        confidence: Of every interval, strictly between 0 and 1.
        tuned_to: As of `two_sample_sequence`.

    Returns:
        The numbers that `welch`, `relative_lift` and `two_sample_sequence` give, one by one.

    Raises:
        ValueError: If shapes differ, or a number cannot be one of a sample's.

    Source:
        As of the three.

    Example:
        >>> many = compare_many(([10, 1000], [1.0, 2.0], [9.0, 999.0]), ([12, 1000], [2.0, 2.2], [11.0, 999.0]))
        >>> many.p_value.round(4).tolist(), many.lift_low.round(4).tolist()
        ([0.0305, 0.0], [0.0481, 0.0549])
    """
    share("confidence", confidence)
    ours, theirs = _samples("champion", champion), _samples("challenger", challenger)
    if ours.n.shape != theirs.n.shape:
        raise ValueError(
            f"champion has {ours.n.size} samples, challenger {theirs.n.size}; give the same metrics to both"
        )
    plain = difference(ours, theirs, confidence)
    relative, bounded = _lifts(ours, theirs, plain, confidence)
    n = np.minimum(ours.n, theirs.n)
    estimate = np.where(n > 0, plain.estimate, 0.0)
    low, high, always = _sequences(ours, theirs, estimate, 1 - confidence, tuned_to)
    return Comparisons(
        n=n.astype(np.int64),
        estimate=estimate,
        low=plain.low,
        high=plain.high,
        p_value=_probabilities(plain.log_p),
        log_p=plain.log_p,
        lift=relative.estimate,
        lift_low=relative.low,
        lift_high=relative.high,
        lift_p=_probabilities(relative.log_p),
        lift_log_p=relative.log_p,
        lift_bounded=bounded,
        always_low=low,
        always_high=high,
        always_p=_probabilities(always),
        always_log_p=always,
    )


def _lifts(ours: Samples, theirs: Samples, plain: Tested, confidence: float) -> tuple[Tested, NDArray[np.bool_]]:
    v1, v2 = ours.squared_error, theirs.squared_error
    freedom = ratio_freedom(theirs.mean, v2, theirs.n, ours.mean, v1, ours.n)
    found, _ = lift(theirs.mean, v2, ours.mean, v1, np.zeros_like(v1), freedom, confidence, plain.log_p)
    few, constant = np.minimum(ours.n, theirs.n) < 2, (v1 == 0) & (v2 == 0)
    if not (few | constant).any():
        return found, found.state == FINE
    base = np.abs(ours.mean)
    empty = np.minimum(ours.n, theirs.n) < 1
    apart = np.isinf(plain.low) & ~few & constant
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(few | apart, -np.inf, np.where(constant & (base > 0), found.estimate, found.low))
        high = np.where(few | apart, np.inf, np.where(constant & (base > 0), found.estimate, found.high))
    estimate = np.where(empty | (few & (base == 0)), 0.0, found.estimate)
    exact = np.where(few, 0.0, np.where(constant, plain.log_p, found.log_p))
    return Tested(estimate, low, high, exact, found.state), np.isfinite(low)


def _sequences(
    ours: Samples, theirs: Samples, estimate: Floats, alpha: float, tuned_to: float
) -> tuple[Floats, Floats, Floats]:
    """As `two_sample_sequence`: low, high, log p."""
    n1, n2 = (np.maximum(samples.n, 2) for samples in (ours, theirs))
    v1, v2 = ours.m2 / (n1 - 1), theirs.m2 / (n2 - 1)
    error, time = arms(n1, v1, n2, v2, (ours.m2 + theirs.m2) / (n1 + n2 - 2))
    mute = (np.minimum(ours.n, theirs.n) < MIN_ASYMPTOTIC) | (error == 0)
    half = np.where(mute, np.inf, radius(error, time, alpha=alpha, tuned_to=tuned_to))
    with np.errstate(over="ignore"):
        square = (np.where(mute, 0.0, estimate) / np.where(mute, 1.0, error)) ** 2
    return estimate - half, estimate + half, log_p(square, time, alpha=alpha, tuned_to=tuned_to)


def _probabilities(exact: Floats) -> Floats:
    return np.asarray(np.maximum(np.exp(exact), _SMALLEST))


def _samples(name: str, given: tuple[ArrayLike, ArrayLike, ArrayLike]) -> Samples:
    n, mean, m2 = (np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in given)
    if not n.shape == mean.shape == m2.shape or n.ndim != 1:
        raise ValueError(
            f"{name} has n, mean and m2 of shapes {n.shape}, {mean.shape} and {m2.shape}; give one of each"
        )
    bad = ~(np.isfinite(n) & np.isfinite(mean) & np.isfinite(m2))
    if bad.any():
        raise ValueError(
            f"{name} has {int(bad.sum())} of {n.size} samples with NaN or infinite numbers; leave them out"
        )
    odd = (n < 0) | (n != np.floor(n))
    if odd.any():
        raise ValueError(f"{name} has {int(odd.sum())} of {n.size} counts that are negative or not whole; count values")
    below = m2 < -_ROUNDING * np.maximum(1.0, n * mean * mean)
    if below.any():
        raise ValueError(f"{name} has {int(below.sum())} of {n.size} m2 below 0; give sums of squared deviations")
    return Samples(n, mean, np.maximum(m2, 0.0))
