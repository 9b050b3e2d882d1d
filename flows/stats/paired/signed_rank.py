"""A typical difference over the same rows, when a few extreme ones must not decide."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from flows.stats.checks import finite, same_length, share
from flows.stats.paired.losses import differences
from flows.stats.results import Effect, probability
from flows.stats.tails import log_two_sided_z
from flows.stats.wald import undecided

_METHOD = "Wilcoxon signed-rank test, Hodges-Lehmann interval"
_EXACT = 50
_HALVINGS = 100


def signed_rank(
    champion: ArrayLike, challenger: ArrayLike, *, continuity: bool = False, confidence: float = 0.95
) -> Effect:
    """
    Wilcoxon's signed-rank test on a per-row gain.

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        continuity: Correct the normal approximation by half a rank, as R does.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        The pseudo-median of challenger minus champion: the median of the means of all pairs
        of differences. Rows without a difference are left out of all three, as in R, and
        counted in the note; n is the number of the others. Up to 50 rows p is exact, ties
        or not; beyond, normal. The interval is unbounded where so few rows cannot reach
        the confidence.

    Raises:
        ValueError: If lengths differ, values are not finite, or confidence is out of range.

    Source:
        Wilcoxon (1945), Biometrics Bull. 1:80-83; Hodges and Lehmann (1963), Ann. Math.
        Stat. 34:598-611; p agrees with `scipy.stats.wilcoxon`. The example is that of R
        `wilcox.test` (depression before and after a tranquillizer).

    Example:
        >>> before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
        >>> after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
        >>> effect = signed_rank(before, after)
        >>> f"{effect.estimate:.3f} [{effect.low:.3f}, {effect.high:.3f}] p = {effect.p_value:.5f}"
        '-0.460 [-0.786, -0.010] p = 0.03906'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    rows = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    gains = np.sort(differences(a, b))
    gains = gains[gains != 0]
    n = gains.size
    if n == 0:
        return _nothing(rows)
    log_p = _exact_log_p(gains) if n <= _EXACT else _normal_log_p(gains, continuity)
    low, high = _interval(gains, confidence)
    return Effect(
        method=_METHOD,
        estimate=_pseudo_median(gains),
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
        note=_note(rows - n, rows, low),
    )


def _nothing(rows: int) -> Effect:
    if rows == 0:
        return undecided(_METHOD, 0, "no rows")
    return Effect(
        method=_METHOD, estimate=0.0, low=0.0, high=0.0, p_value=1.0, log_p=0.0, n=0, note="no difference on any row"
    )


def _note(same: int, rows: int, low: float) -> str:
    left = f"{same} of {rows} rows do not differ and are left out" if same else ""
    few = "too few rows that differ to bound the difference" if math.isinf(low) else ""
    return "; ".join(filter(None, (left, few)))


def _exact_log_p(gains: NDArray[np.float64]) -> float:
    # Doubled, mid-ranks are whole numbers; the null distribution is that of flipping all signs.
    ranks = np.rint(2 * stats.rankdata(np.abs(gains))).astype(int)
    ways = np.ones(1)
    for rank in ranks:
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    positive = int(ranks[gains > 0].sum())
    few = min(positive, int(ranks.sum()) - positive)
    return min(0.0, math.log(2) + math.log(ways[: few + 1].sum()) - gains.size * math.log(2))


def _normal_log_p(gains: NDArray[np.float64], continuity: bool) -> float:
    ranks = stats.rankdata(np.abs(gains))
    excess = abs(float(ranks[gains > 0].sum() - ranks[gains < 0].sum())) / 2
    corrected = max(0.0, excess - 0.5) if continuity else excess
    return log_two_sided_z(corrected / math.sqrt(float(np.sum(ranks**2)) / 4))


def _interval(gains: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    n = gains.size
    pairs = n * (n + 1) // 2
    rank = _exact_rank(n, confidence) if n <= _EXACT else _normal_rank(n, confidence)
    if rank < 1:
        return -math.inf, math.inf
    return _pair_mean(gains, rank), _pair_mean(gains, pairs + 1 - rank)


def _exact_rank(n: int, confidence: float) -> int:
    """How many means of pairs may lie outside, on either side, at the smallest sample sizes."""
    ways = np.ones(1)
    for rank in range(1, n + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    below = np.cumsum(ways) / 2.0**n
    return int(np.searchsorted(below, (1 - confidence) / 2 * (1 + 1e-12), side="right"))


def _normal_rank(n: int, confidence: float) -> int:
    quantile = float(special.ndtri((1 + confidence) / 2))
    return math.floor(n * (n + 1) / 4 - quantile * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)) + 1


def _pseudo_median(gains: NDArray[np.float64]) -> float:
    pairs = gains.size * (gains.size + 1) // 2
    return (_pair_mean(gains, (pairs + 1) // 2) + _pair_mean(gains, pairs // 2 + 1)) / 2


def _pair_mean(gains: NDArray[np.float64], rank: int) -> float:
    """
    The mean of a pair of differences that is *rank*-th from below, without listing all pairs.

    Bisection on how many are at most so large; O(n log n) for each halving.
    """
    low, high = float(gains[0]), float(gains[-1])
    if _at_most(gains, low) >= rank:
        return low
    for _ in range(_HALVINGS):
        middle = low + (high - low) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if _at_most(gains, middle) >= rank else (middle, high)
    return high


def _at_most(gains: NDArray[np.float64], bound: float) -> int:
    """Pairs, each with itself as well, whose mean is at most *bound*; *gains* ascend."""
    partners = np.searchsorted(gains, 2 * bound - gains, side="right")
    with_itself = int(np.searchsorted(gains, bound, side="right"))
    return (int(partners.sum()) + with_itself) // 2
