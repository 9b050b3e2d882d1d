"""
Quantiles, e.g. the 95th percentile of latency, at any look and for any distribution.

Whatever the distribution, a value lies at or below the p-quantile with probability at least p, and below it
with at most p. So the counts on both sides are bets on a coin of known probability.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln

from flows.stats.checks import finite, share
from flows.stats.results import AlwaysValid, probability
from flows.stats.sequential.mixture import tuning

# Ordered values, and the evidence against the quantile lying behind each number of them.
_Arm = tuple[NDArray[np.float64], NDArray[np.float64]]


def quantile_sequence(
    values: ArrayLike, quantile: float, *, alpha: float = 0.05, tuned_to: float = 1000
) -> AlwaysValid:
    """
    One quantile with its confidence sequence.

    Args:
        values: Shape (n,), in any order.
        quantile: Which one, strictly between 0 and 1.
        alpha: Error rate over all looks together.
        tuned_to: Number of values at which the interval is tightest.

    Returns:
        The quantile; ends are values that were seen, or infinite while there are too few. There is
        no hypothesis, so the p-value is 1.

    Raises:
        ValueError: If a value is not a number, or the quantile or alpha is out of range.

    Source:
        Howard, Ramdas (2022), Bernoulli 28:1704-1728, with the Beta-binomial mixture.

    Example:
        >>> seen = quantile_sequence(np.arange(1, 1001), 0.9)
        >>> seen.estimate, seen.low, seen.high
        (900.0, 870.0, 928.0)
    """
    share("quantile", quantile)
    ordered = np.sort(finite("values", values))
    n = ordered.size
    if not n:
        return _silent("quantile confidence sequence", 0, "no values yet")
    log_e = _log_e(n, quantile, tuning(alpha, tuned_to))
    kept = np.flatnonzero(log_e < -math.log(alpha))
    low, high = _value(ordered, int(kept[0])), _value(ordered, int(kept[-1]) + 1)
    missing = [name for name, end in (("lower", low), ("upper", high)) if math.isinf(end)]
    return AlwaysValid(
        method="quantile confidence sequence",
        estimate=_middle(ordered, quantile),
        low=low,
        high=high,
        p_value=1.0,
        log_p=0.0,
        log_e=None,
        n=n,
        note=f"too few values for a {' or '.join(missing)} end" if missing else "",
    )


def quantile_difference_sequence(
    champion: ArrayLike, challenger: ArrayLike, quantile: float, *, alpha: float = 0.05, tuned_to: float = 1000
) -> AlwaysValid:
    """
    Difference of a quantile between different callers, challenger minus champion.

    Args:
        champion, challenger: Shapes (n,) and (m,), in any order.
        quantile: Which one, strictly between 0 and 1.
        alpha: Error rate over all looks together.
        tuned_to: Number of values per arm at which the interval is tightest.

    Returns:
        The difference in the unit of the values: for latency, less is better, so negate if more shall be
        better. The interval excludes 0 when the e-value exceeds 1 / alpha.

    Raises:
        ValueError: As `quantile_sequence`.

    Source:
        Howard, Ramdas (2022) per arm; the arms are independent, so their e-processes multiply, and the
        smallest product over all pairs of quantiles with that difference is an e-process.

    Example:
        >>> seen = quantile_difference_sequence(np.arange(1000.0), 200 + np.arange(1000.0), 0.5)
        >>> seen.estimate, seen.low, seen.high
        (200.0, 123.0, 277.0)
    """
    share("quantile", quantile)
    ours, theirs = np.sort(finite("champion", champion)), np.sort(finite("challenger", challenger))
    n, rho2 = min(ours.size, theirs.size), tuning(alpha, tuned_to)
    method = "quantile confidence sequence, two arms"
    if not n:
        return _silent(method, 0, "an arm has no values")
    evidence = [_log_e(arm.size, quantile, rho2) for arm in (ours, theirs)]
    log_e = _least_at_one_point(ours, theirs, *evidence)
    low = _lowest((ours, evidence[0]), (theirs, evidence[1]), -math.log(alpha))
    high = -_lowest((theirs, evidence[1]), (ours, evidence[0]), -math.log(alpha))
    return AlwaysValid(
        method=method,
        estimate=_middle(theirs, quantile) - _middle(ours, quantile),
        low=low,
        high=high,
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        n=n,
        note="" if math.isfinite(low) and math.isfinite(high) else "too few values to bound the difference",
    )


def _log_e(n: int, quantile: float, rho2: float) -> NDArray[np.float64]:
    """Log e-values against the quantile lying between order statistics k and k + 1; k = 0 ... n."""
    concentration = 1 / rho2
    a, b = concentration * quantile, concentration * (1 - quantile)
    k = np.arange(n + 1)
    likelihood = k * math.log(quantile) + (n - k) * math.log1p(-quantile)
    return np.asarray(betaln(a + k, b + n - k) - betaln(a, b) - likelihood, dtype=np.float64)


def _value(ordered: NDArray[np.float64], k: int) -> float:
    """Order statistic k, counted from 1; infinite outside."""
    if k < 1:
        return -math.inf
    return float(ordered[k - 1]) if k <= ordered.size else math.inf


def _lowest(first: _Arm, second: _Arm, threshold: float) -> float:
    """Least difference second - first of two quantiles whose evidence together stays below the threshold."""
    (ours, our_e), (theirs, their_e) = first, second
    best = int(np.argmin(our_e))
    rising = np.maximum.accumulate(our_e[best:])
    # For each place of their quantile, the highest place that ours may have.
    up = best + np.searchsorted(rising, threshold - their_e, side="left") - 1
    possible = up >= best
    k = np.flatnonzero(possible)
    padded_theirs = np.concatenate(([-math.inf], theirs))
    padded_ours = np.concatenate((ours, [math.inf]))
    differences = padded_theirs[k] - padded_ours[up[k]]
    return float(np.min(differences))


def _least_at_one_point(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], our_e: NDArray[np.float64], their_e: NDArray[np.float64]
) -> float:
    """Least evidence against one common quantile, over all points and the gaps between them."""
    points = np.unique(np.concatenate((ours, theirs)))
    least = []
    for arm, evidence in ((ours, our_e), (theirs, their_e)):
        below, upto = np.searchsorted(arm, points, side="left"), np.searchsorted(arm, points, side="right")
        best = int(np.argmin(evidence))
        # At a tie the quantile may lie anywhere between both counts, so the kindest one is taken.
        least.append((evidence[np.clip(best, below, upto)], evidence[upto], evidence[0]))
    at = float(np.min(least[0][0] + least[1][0]))
    gaps = float(np.min(least[0][1] + least[1][1]))
    return min(at, gaps, float(least[0][2] + least[1][2]))


def _middle(ordered: NDArray[np.float64], quantile: float) -> float:
    """Smallest value with at least this share of values at or below it."""
    return float(ordered[min(max(math.ceil(quantile * ordered.size) - 1, 0), ordered.size - 1)])


def _silent(method: str, n: int, note: str) -> AlwaysValid:
    return AlwaysValid(
        method=method,
        estimate=0.0,
        low=-math.inf,
        high=math.inf,
        p_value=1.0,
        log_p=0.0,
        log_e=None,
        n=n,
        note=note,
    )
