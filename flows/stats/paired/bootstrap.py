"""Resample the rows, both models together: an interval for any metric."""

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.stats.checks import choice, counts, finite, generator, matrix, same_length, share
from flows.stats.paired.bca import PERCENTILE, Shape, bounds, log_p_of_zero, shape_of
from flows.stats.paired.clusters import Clusters, cluster_codes, cluster_sums
from flows.stats.paired.losses import differences
from flows.stats.paired.sums import OfSums, mean_of, mean_rows
from flows.stats.results import Effect, probability
from flows.stats.wald import constant, undecided

Seed = int | np.random.Generator
Interval = Literal["bca", "percentile"]
Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

_INTERVALS = {"bca": "BCa", "percentile": "percentile"}
_DISTINCT = 64
_GROUPS = 200
_FEWEST = 100


class _Plan(NamedTuple):
    rng: np.random.Generator
    replicates: int
    interval: Interval
    confidence: float

    @property
    def method(self) -> str:
        return f"paired bootstrap, {_INTERVALS[self.interval]} interval"


class _Sample(NamedTuple):
    """
    Differences of the metric: of all rows, of each replicate, without each unit or group.

    Units are rows or clusters; on *differing* of the *n* units the models are not the same.
    """

    estimate: float
    replicates: NDArray[np.float64]
    left_out: NDArray[np.float64]
    n: int
    differing: int


def bootstrap_sums(
    champion: ArrayLike,
    challenger: ArrayLike,
    metric: OfSums,
    *,
    seed: Seed,
    replicates: int = 2000,
    interval: Interval = "bca",
    clusters: Clusters | None = None,
    confidence: float = 0.95,
) -> Effect:
    """
    Paired bootstrap of a metric that is a function of sums over rows; fast.

    Args:
        champion, challenger: Shape (n, columns), per-row parts of the metric, e.g. of
            `flows.stats.paired.sums.confusion_rows`; same rows in the same order.
        metric: From sums, shape (..., columns), to values, shape (...); more is better.
        seed: Of the resampling, or a generator.
        replicates: At least 100; 2000 are enough for 95 %.
        interval: Bias-corrected and accelerated, or plain percentiles.
        clusters: Shape (n,); whole clusters are resampled, e.g. customers.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Metric of the challenger minus that of the champion; p is the inverted interval and
        at least 2 / (replicates + 1), and at least what flipping the units that differ can
        reach. n counts rows, or clusters.

    Raises:
        ValueError: If shapes differ, parts are not finite, or an option is out of range.

    Source:
        Efron (1987), J. Am. Stat. Assoc. 82:171-185 (BCa). Same distribution as
        `scipy.stats.bootstrap(paired=True)`, by multinomial weights.

    Example:
        >>> from flows.stats.paired.sums import confusion_rows, f1_of
        >>> labels = [1, 0, 1, 1, 0, 1, 0, 1] * 20
        >>> old, new = [1, 1, 0, 1, 0, 0, 0, 1] * 20, [1, 0, 1, 1, 0, 0, 0, 1] * 20
        >>> effect = bootstrap_sums(confusion_rows(labels, old), confusion_rows(labels, new), f1_of, seed=1)
        >>> f"{effect.estimate:.4f} {effect.low > 0.1} {effect.p_value < 0.01}"
        '0.2222 True True'
    """
    a, b = matrix("champion", champion), matrix("challenger", challenger)
    if a.shape != b.shape:
        raise ValueError(f"champion is {a.shape} and challenger {b.shape}; give the same rows and columns of both")
    columns = a.shape[1]

    def gain(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return metric(sums[..., columns:]) - metric(sums[..., :columns])

    plan = _plan(seed, replicates, interval, confidence)
    return _of_rows(np.hstack([a, b]), np.any(a != b, axis=1), gain, clusters, plan)


def bootstrap_mean(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    seed: Seed,
    replicates: int = 2000,
    interval: Interval = "bca",
    clusters: Clusters | None = None,
    confidence: float = 0.95,
) -> Effect:
    """
    Paired bootstrap of a mean, e.g. business value per row, where `paired_mean` is too normal.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        seed, replicates, interval, clusters, confidence: As of `bootstrap_sums`.

    Source:
        As `bootstrap_sums`.

    Example:
        >>> effect = bootstrap_mean([1.0, 2.0, 0.0, 4.0] * 25, [1.5, 2.0, 0.0, 9.0] * 25, seed=1)
        >>> f"{effect.estimate:.3f} {effect.low < 1.375 < effect.high} {effect.n}"
        '1.375 True 100'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    same_length(champion=a, challenger=b)
    plan, gains = _plan(seed, replicates, interval, confidence), differences(a, b)
    return _of_rows(mean_rows(gains), gains != 0, mean_of, clusters, plan)


def bootstrap(
    labels: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    metric: Metric,
    *,
    seed: Seed,
    replicates: int = 2000,
    interval: Interval = "bca",
    clusters: Clusters | None = None,
    confidence: float = 0.95,
) -> Effect:
    """
    Paired bootstrap of any metric; it is called twice for each replicate.

    Args:
        labels, champion, challenger: Shape (n,) or (n, ...), labels and scores of the same rows.
        metric: From labels and scores to a number; more is better.
        seed, replicates, interval, clusters, confidence: As of `bootstrap_sums`. The
            acceleration is taken from up to 200 groups of rows, each left out once.

    Returns:
        As `bootstrap_sums`. Replicates for which the metric is NaN or raises ValueError (a
        class is missing, say) are left out and counted in the note.

    Source:
        As `bootstrap_sums`.

    Example:
        >>> from flows.stats.paired.ranking import auc
        >>> labels = [0, 0, 1, 1, 0, 1] * 10
        >>> old, new = [0.2, 0.6, 0.5, 0.7, 0.1, 0.4] * 10, [0.1, 0.3, 0.6, 0.9, 0.2, 0.8] * 10
        >>> effect = bootstrap(labels, old, new, auc, seed=1, replicates=200)
        >>> f"{effect.estimate:.4f} {effect.low > 0}"
        '0.2222 True'
    """
    plan = _plan(seed, replicates, interval, confidence)
    y, a, b = (_rows(name, given) for name, given in _named(labels, champion, challenger))
    n = same_length(labels=_index(y), champion=_index(a), challenger=_index(b))
    codes = np.arange(n) if clusters is None else cluster_codes(clusters, n)
    if n == 0:
        return undecided(plan.method, 0, "no rows")

    def gain(chosen: NDArray[np.intp]) -> float:
        return float(metric(y[chosen], b[chosen])) - float(metric(y[chosen], a[chosen]))

    def any_gain(chosen: NDArray[np.intp]) -> float:
        try:
            return gain(chosen)
        except ValueError:  # e.g. a class is missing among the rows drawn
            return math.nan

    estimate = gain(np.arange(n))
    size, take = int(codes.max()) + 1, _taker(codes)
    drawn = np.array([any_gain(take(plan.rng.integers(0, size, size))) for _ in range(plan.replicates)])
    kept = _without_each_group(size) if interval == "bca" and size > 1 else []
    left_out = np.array([any_gain(take(units)) for units in kept])
    differing = np.unique(codes[np.any((a != b).reshape(n, -1), axis=1)]).size
    return _effect(_Sample(estimate, drawn, left_out, size, differing), plan)


def resampled_sums(rows: NDArray[np.float64], rng: np.random.Generator, replicates: int) -> NDArray[np.float64]:
    """
    Column sums of *replicates* samples of rows with replacement, in memory of a few rows.

    Args:
        rows: Shape (n, columns).

    Returns:
        Shape (replicates, columns).

    Example:
        >>> resampled_sums(np.ones((5, 2)), np.random.default_rng(0), 3).tolist()
        [[5.0, 5.0], [5.0, 5.0], [5.0, 5.0]]
    """
    n = len(rows)
    if len(np.unique(rows[:1000], axis=0)) <= _DISTINCT:
        kinds, times = np.unique(rows, axis=0, return_counts=True)
        if len(kinds) <= _DISTINCT:
            return np.asarray(rng.multinomial(n, times / n, size=replicates) @ kinds)
    sums = np.empty((replicates, rows.shape[1]))
    for row in sums:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64) @ rows
    return sums


def _plan(seed: Seed, replicates: int, interval: Interval, confidence: float) -> _Plan:
    share("confidence", confidence)
    choice("interval", interval, _INTERVALS)
    counts(replicates=replicates)
    if replicates < _FEWEST:
        raise ValueError(f"replicates is {replicates}; give at least {_FEWEST}")
    return _Plan(generator(seed), int(replicates), interval, confidence)


def _of_rows(
    rows: NDArray[np.float64], differ: NDArray[np.bool_], gain: OfSums, clusters: Clusters | None, plan: _Plan
) -> Effect:
    codes = None if clusters is None else cluster_codes(clusters, len(rows))
    if not len(rows):
        return undecided(plan.method, 0, "no rows")
    if codes is not None:
        rows, differ = cluster_sums(codes, rows), np.bincount(codes, weights=differ) > 0
    total = rows.sum(axis=0)
    drawn = gain(resampled_sums(rows, plan.rng, plan.replicates))
    left_out = gain(total - rows) if plan.interval == "bca" and len(rows) > 1 else np.empty(0)
    return _effect(_Sample(float(gain(total)), drawn, left_out, len(rows), int(differ.sum())), plan)


def _effect(sample: _Sample, plan: _Plan) -> Effect:
    drawn = sample.replicates[np.isfinite(sample.replicates)]
    lost = sample.replicates.size - drawn.size
    if not math.isfinite(sample.estimate) or not drawn.size:
        return undecided(plan.method, sample.n, "the metric has no value on these rows")
    if sample.n < 2:
        return undecided(plan.method, sample.n, "a single row or cluster", sample.estimate)
    floor = (1 - sample.differing) * math.log(2)
    if np.ptp(drawn) == 0:
        return constant(plan.method, sample.estimate, sample.n, log_p=floor, confidence=plan.confidence)
    shape, said = _shape(sample, drawn, plan.interval)
    low, high = bounds(drawn, shape, plan.confidence)
    log_p = log_p_of_zero(drawn, shape)
    few = ""
    if log_p < floor:
        log_p, few = min(0.0, floor), f"only {sample.differing} differ: p of a sign flip"
    if floor > math.log1p(-plan.confidence):
        low, high = min(low, 0.0), max(high, 0.0)
    left = f"{lost} of {plan.replicates} replicates have no value and are left out" if lost else ""
    return Effect(
        method=plan.method,
        estimate=sample.estimate,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        n=sample.n,
        note="; ".join(filter(None, (left, few, said))),
    )


def _shape(sample: _Sample, drawn: NDArray[np.float64], interval: Interval) -> tuple[Shape, str]:
    if interval == "percentile":
        return PERCENTILE, ""
    found = shape_of(drawn, sample.estimate, sample.left_out[np.isfinite(sample.left_out)])
    return (found, "") if found else (PERCENTILE, "replicates all on one side: percentile interval")


def _named(labels: ArrayLike, champion: ArrayLike, challenger: ArrayLike) -> tuple[tuple[str, ArrayLike], ...]:
    return ("labels", labels), ("champion", champion), ("challenger", challenger)


def _rows(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Finite floats of one dimension or more."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number; give one per row")
    finite(name, array.ravel())
    return array


def _index(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.empty(len(values))


def _taker(codes: NDArray[np.intp]) -> Callable[[NDArray[np.intp]], NDArray[np.intp]]:
    """From drawn clusters to their rows."""
    size = int(codes.max()) + 1
    if size == codes.size:
        return lambda units: units
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    return lambda units: np.concatenate([members[unit] for unit in units])


def _without_each_group(size: int) -> Iterator[NDArray[np.intp]]:
    units = np.arange(size)
    for group in np.array_split(units, min(size, _GROUPS)):
        yield np.delete(units, group)
