"""Swap the two models row by row: a test for any metric, that assumes nothing but fair coins."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from flows.stats.checks import counts, finite, generator, matrix, same_length
from flows.stats.paired.clusters import Clusters, cluster_codes, cluster_sums
from flows.stats.paired.losses import differences
from flows.stats.paired.sums import OfSums
from flows.stats.results import Effect, probability
from flows.stats.wald import undecided

Seed = int | np.random.Generator
Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

_METHOD = "sign-flip permutation test"
_ALL = 1 << 20
_MOST = 10_000_000
_CLOSE = 1e-11
_BITS = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.float64)


class _Null(NamedTuple):
    """Flipped values of the metric's difference, the log weight of each, and how they came about."""

    values: NDArray[np.float64]
    log_weights: NDArray[np.float64]
    drawn: bool


def sign_flip_mean(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    seed: Seed,
    resamples: int = 9999,
    clusters: Clusters | None = None,
) -> Effect:
    """
    Sign-flip permutation test of a mean difference.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        seed: Of the random flips, or a generator; of no account when all flips are tried.
        resamples: Random flips where there are too many to try all.
        clusters: Shape (n,); whole clusters are flipped, e.g. customers.

    Returns:
        Mean of challenger minus champion and its two-sided p. Exact, on the log scale too,
        while the differences have at most about a million different sums: up to 20 rows, or
        any number with few distinct sizes; else by random flips, with one added, so that p
        is at least 1 / (resamples + 1). A test only: the interval is unbounded.

    Raises:
        ValueError: If lengths differ, values are not finite, or resamples is below 1.

    Source:
        Fisher (1935), The Design of Experiments, section 21; Phipson and Smyth (2010), Stat.
        Appl. Genet. Mol. Biol. 9:39 (one added); agrees with
        `scipy.stats.permutation_test(permutation_type="samples")`. The example is Darwin's
        maize, as of Fisher: 1726 of 32768 differences of 15 pairs are as large.

    Example:
        >>> crossed = [188, 96, 168, 176, 153, 172, 177, 163, 146, 173, 186, 168, 177, 184, 96]
        >>> selfed = [139, 163, 160, 160, 147, 149, 149, 122, 132, 144, 130, 144, 102, 124, 144]
        >>> effect = sign_flip_mean(selfed, crossed, seed=0)
        >>> f"{effect.estimate:.4f} {effect.p_value * 32768:.0f}"
        '20.9333 1726'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    gains = differences(a, b)[:, None]
    if clusters is not None and n:
        gains = cluster_sums(cluster_codes(clusters, n), gains)
    total, sizes = float(gains.sum()), np.abs(gains)

    def flipped(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((sizes.sum() - 2 * sums[:, 0]) / max(n, 1))

    return _effect(total / max(n, 1), _null(sizes, flipped, seed, resamples), len(gains))


def sign_flip_sums(
    champion: ArrayLike,
    challenger: ArrayLike,
    metric: OfSums,
    *,
    seed: Seed,
    resamples: int = 9999,
    clusters: Clusters | None = None,
) -> Effect:
    """
    Sign-flip permutation test of a metric that is a function of sums over rows; fast.

    Args:
        champion, challenger: Shape (n, columns), per-row parts of the metric, e.g. of
            `flows.stats.paired.sums.confusion_rows`; same rows in the same order.
        metric: From sums, shape (..., columns), to values, shape (...); more is better.
        seed, resamples, clusters: As of `sign_flip_mean`.

    Returns:
        As `sign_flip_mean`. A flip for which the metric is NaN counts as extreme.

    Source:
        As `sign_flip_mean`.

    Example:
        >>> from flows.stats.paired.sums import mean_of, mean_rows
        >>> old, new = mean_rows([1.0, 0.0, 0.0, 0.0]), mean_rows([1.0, 1.0, 2.0, 3.0])
        >>> f"{sign_flip_sums(old, new, mean_of, seed=0).p_value:.4f}"
        '0.2500'
    """
    a, b = matrix("champion", champion), matrix("challenger", challenger)
    if a.shape != b.shape:
        raise ValueError(f"champion is {a.shape} and challenger {b.shape}; give the same rows and columns of both")
    if clusters is not None and len(a):
        codes = cluster_codes(clusters, len(a))
        a, b = cluster_sums(codes, a), cluster_sums(codes, b)
    if not len(a):
        return undecided(_METHOD, 0, "no rows")
    old, new = a.sum(axis=0), b.sum(axis=0)

    def flipped(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return metric(new - sums) - metric(old + sums)

    estimate = float(flipped(np.zeros((1, a.shape[1])))[0])
    return _effect(estimate, _null(b - a, flipped, seed, resamples), len(a))


def sign_flip(
    labels: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    metric: Metric,
    *,
    seed: Seed,
    resamples: int = 999,
    clusters: Clusters | None = None,
) -> Effect:
    """
    Sign-flip permutation test of any metric; it is called twice for each flip.

    Args:
        labels, champion, challenger: Shape (n,), labels and scores of the same rows.
        metric: From labels and scores to a number; more is better.
        seed, resamples, clusters: As of `sign_flip_mean`. Scores must be on one scale: a
            row's scores are swapped between the models.

    Returns:
        As `sign_flip_sums`; exact where all flips are no more than *resamples* + 1.

    Source:
        As `sign_flip_mean`.

    Example:
        >>> from flows.stats.paired.ranking import auc
        >>> labels, old, new = [0, 0, 0, 1, 1, 1], [0.2, 0.6, 0.1, 0.5, 0.7, 0.4], [0.1, 0.3, 0.2, 0.6, 0.9, 0.8]
        >>> effect = sign_flip(labels, old, new, auc, seed=0)
        >>> f"{effect.estimate:.4f} p = {effect.p_value:.4f}"
        '0.2222 p = 0.2500'
    """
    resamples = _resamples(resamples)
    y, a, b = finite("labels", labels), finite("champion", champion), finite("challenger", challenger)
    n = same_length(labels=y, champion=a, challenger=b)
    codes = np.arange(n) if clusters is None else cluster_codes(clusters, n)
    if n == 0:
        return undecided(_METHOD, 0, "no rows")

    def gain(swap: NDArray[np.bool_]) -> float:
        return float(metric(y, np.where(swap, a, b))) - float(metric(y, np.where(swap, b, a)))

    units = np.unique(codes[a != b])
    drawn = 2**units.size > resamples + 1
    masks = _drawn_masks(codes, seed, resamples) if drawn else _all_masks(units, codes)
    values = np.array([gain(mask) for mask in masks])
    return _effect(gain(np.zeros(n, dtype=bool)), _Null(values, _even(values.size), drawn), int(codes.max()) + 1)


def _null(steps: NDArray[np.float64], flipped: OfSums, seed: Seed, resamples: int) -> _Null:
    """
    The metric's difference over flips.

    Args:
        steps: Shape (units, columns), what flipping a unit moves from one model to the other.
    """
    resamples = _resamples(resamples)
    moving = steps[np.any(steps != 0, axis=1)]
    kinds, times = np.unique(moving, axis=0, return_counts=True)
    if float(np.sum(np.log2(times + 1.0))) <= math.log2(_ALL / steps.shape[1]):
        sums, log_weights = _all_sums(kinds, times)
        return _Null(flipped(sums), log_weights, drawn=False)
    sums = _drawn_sums(kinds, times, generator(seed), resamples)
    return _Null(flipped(sums), _even(resamples), drawn=True)


def _all_sums(kinds: NDArray[np.float64], times: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every sum of flipped units, and the log of its probability: equal units need only be counted."""
    sums, log_weights = np.zeros((1, kinds.shape[1])), np.zeros(1)
    for kind, many in zip(kinds, times, strict=True):
        flips = np.arange(many + 1)
        log_ways = special.gammaln(many + 1) - special.gammaln(flips + 1) - special.gammaln(many - flips + 1)
        sums = (sums[:, None, :] + flips[:, None] * kind).reshape(-1, kinds.shape[1])
        log_weights = (log_weights[:, None] + log_ways - many * math.log(2)).ravel()
    return sums, log_weights


def _drawn_sums(
    kinds: NDArray[np.float64], times: NDArray[np.intp], rng: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Sums of randomly flipped units, shape (resamples, columns), in memory of a few results."""
    sums = np.zeros((resamples, kinds.shape[1]))
    several = times > 1
    for kind, many in zip(kinds[several], times[several], strict=True):
        sums += rng.binomial(many, 0.5, resamples)[:, None] * kind
    single = kinds[~several]
    for start in range(0, len(single), 8):
        eight = single[start : start + 8]
        table = _BITS[:, : len(eight)] @ eight  # the sum for each of 256 ways to flip eight units
        sums += table[np.frombuffer(rng.bytes(resamples), dtype=np.uint8)]
    return sums


def _all_masks(units: NDArray[np.intp], codes: NDArray[np.intp]) -> Iterator[NDArray[np.bool_]]:
    for chosen in itertools.product([False, True], repeat=units.size):
        yield np.isin(codes, units[np.array(chosen, dtype=bool)])


def _drawn_masks(codes: NDArray[np.intp], seed: Seed, resamples: int) -> Iterator[NDArray[np.bool_]]:
    rng, size = generator(seed), int(codes.max()) + 1
    for _ in range(resamples):
        yield (rng.integers(0, 2, size) == 1)[codes]


def _resamples(given: int) -> int:
    counts(resamples=given)
    if not 1 <= given <= _MOST:
        raise ValueError(f"resamples is {given}; give at least 1 and at most {_MOST}")
    return int(given)


def _even(size: int) -> NDArray[np.float64]:
    return np.full(size, -math.log(size))


def _effect(estimate: float, null: _Null, n: int) -> Effect:
    if n == 0:
        return undecided(_METHOD, 0, "no rows")
    if not math.isfinite(estimate):
        return undecided(_METHOD, n, "the metric has no value on these rows")
    sizes = np.abs(null.values)
    reach = abs(estimate) - _CLOSE * max(abs(estimate), float(np.nanmax(sizes, initial=0.0)))
    extreme = ~(sizes < reach)
    if null.drawn:
        log_p, how = math.log((np.count_nonzero(extreme) + 1) / (sizes.size + 1)), f"{sizes.size} random flips"
    else:
        log_p, how = min(0.0, float(special.logsumexp(null.log_weights[extreme]))), "exact"
    effect = undecided(f"{_METHOD}, {how}", n, "a test only: no interval", estimate)
    return replace(effect, p_value=probability(log_p), log_p=log_p)
