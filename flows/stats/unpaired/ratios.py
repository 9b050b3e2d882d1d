"""Ratio metrics, and requests of one key that are alike: the key is what was randomised, so the key is what counts."""

from numpy.typing import ArrayLike

from flows.stats.checks import Pairs, finite, pair_numbers, same_length
from flows.stats.moments import CoMoments, JointMoments, Moments
from flows.stats.results import Effect
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.relative import relative_lift

_NO_BASE = "the denominator is 0 on average over {} keys; leave out the metric until it has values"


def ratio_moments(keys: Pairs) -> Moments:
    """
    A ratio of two sums, as if it were a mean over the keys.

    Args:
        keys: As `CoMoments` of (denominator, numerator) per key: for a mean over
            requests, the number of requests and the sum of their values.

    Returns:
        n keys, the ratio, and a sum of squares that gives its standard error; what takes
        (n, mean, m2) takes it.

    Raises:
        ValueError: If the denominator is 0 on average, or a number cannot be one of a sample's.

    Source:
        Delta method: Deng, Knoblich, Lu (2018), KDD, eq. 2; agrees with
        `tea_tasting.metrics.RatioOfMeans` and `gbstats.models.statistics.RatioStatistic`.

    Example:
        >>> ratio = ratio_moments(CoMoments.of([2, 1, 5, 3], [0.3, 0.5, 0.9, 22]))
        >>> f"{ratio.mean:.4f} {ratio.variance:.4f}"
        '2.1545 15.7646'
    """
    n, below, above, m2_x, m2_y, co = pair_numbers("the keys", keys)
    if n and below == 0:
        raise ValueError(_NO_BASE.format(n))
    if n == 0:
        return Moments.empty()
    ratio = above / below
    # Of y - ratio * x, in units of the mean of x.
    m2 = m2_y / below / below - 2 * (ratio / below) * (co / below) + (ratio / below) ** 2 * m2_x
    return Moments(n, ratio, max(m2, 0.0))


def key_moments(below: ArrayLike, above: ArrayLike) -> Moments:
    """
    As `ratio_moments`, from the keys themselves; keeps digits far from 0 that co-moments lose.

    Args:
        below, above: Shape (n,), denominator and numerator per key.

    Raises:
        ValueError: As `ratio_moments`, or if lengths differ or a value is NaN or infinite.

    Source:
        As `ratio_moments`.

    Example:
        >>> ratio = key_moments([2, 1, 5, 3], [0.3, 0.5, 0.9, 22])
        >>> f"{ratio.mean:.4f} {ratio.variance:.4f}"
        '2.1545 15.7646'
    """
    xs, ys = finite("below", below), finite("above", above)
    n = same_length(below=xs, above=ys)
    total = float(xs.sum())
    if n and total == 0:
        raise ValueError(_NO_BASE.format(n))
    if n == 0:
        return Moments.empty()
    ratio = float(ys.sum()) / total
    rest = (ys - ratio * xs) / (total / n)
    slip = float(rest.mean())
    return Moments(n, ratio + slip, max(float((rest * rest).sum()) - n * slip * slip, 0.0))


def ratio_difference(
    champion: Pairs,
    challenger: Pairs,
    *,
    confidence: float = 0.95,
) -> Effect:
    """
    Difference of two ratios of sums, or of two means over requests, by key.

    Args:
        champion, challenger: `CoMoments` of (denominator, numerator) per key, or the two arrays.

    Returns:
        As `welch`; n counts keys.

    Raises:
        ValueError: As `ratio_moments`.

    Source:
        As `ratio_moments`, then Welch's t test.

    Example:
        >>> ours = CoMoments.of([2, 1, 5, 3], [1.0, 0.0, 2.0, 2.0])
        >>> theirs = CoMoments.of([1, 1, 4, 2, 2], [1.0, 0.5, 3.0, 1.0, 2.0])
        >>> effect = ratio_difference(ours, theirs)
        >>> f"{effect.estimate:.4f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.4f}"
        '0.2955 [0.0004, 0.5906] p = 0.0498'
    """
    effect = welch(ratio_moments(champion), ratio_moments(challenger), confidence=confidence)
    return renamed(effect, "delta method by key, Welch t test")


def ratio_lift(
    champion: Pairs,
    challenger: Pairs,
    *,
    confidence: float = 0.95,
) -> Effect:
    """
    Relative difference of two ratios of sums, or of two means over requests, by key.

    Args:
        champion, challenger: `CoMoments` of (denominator, numerator) per key, or the two arrays.

    Returns:
        As `relative_lift`; n counts keys.

    Raises:
        ValueError: As `ratio_moments`.

    Source:
        As `ratio_moments`, then as `relative_lift`.

    Example:
        >>> ours = CoMoments.of([2, 1, 5, 3], [1.0, 0.0, 2.0, 2.0])
        >>> theirs = CoMoments.of([1, 1, 4, 2, 2], [1.0, 0.5, 3.0, 1.0, 2.0])
        >>> effect = ratio_lift(ours, theirs)
        >>> f"{effect.estimate:.2f} [{effect.low:.4f}, {effect.high:.4f}]"
        '0.65 [-0.0356, 2.3831]'
    """
    effect = relative_lift(ratio_moments(champion), ratio_moments(challenger), confidence=confidence)
    return renamed(effect, "delta method by key, log-ratio t test, Fieller interval")


def ratio_pairs(keys: JointMoments) -> CoMoments:
    """
    Two ratios of sums per key, as if they were means over the keys.

    Args:
        keys: Of (denominator, numerator, covariate's denominator, covariate's numerator).

    Returns:
        x the covariate's ratio, y the metric's.

    Source:
        As `ratio_moments`, with the covariance of the two.
    """
    if keys.means.size != 4:
        raise ValueError(f"{keys.means.size} values per key; give denominator, numerator, and both of the covariate")
    if keys.n == 0:
        return CoMoments.empty()
    below, above, before_below, before_above = (float(mean) for mean in keys.means)
    if below == 0 or before_below == 0:
        raise ValueError(_NO_BASE.format(keys.n))
    y, x = above / below, before_above / before_below
    m = keys.m2
    m2_y = (m[1, 1] - 2 * y * m[0, 1] + y * y * m[0, 0]) / below / below
    m2_x = (m[3, 3] - 2 * x * m[2, 3] + x * x * m[2, 2]) / before_below / before_below
    co = (m[1, 3] - y * m[0, 3] - x * m[1, 2] + x * y * m[0, 2]) / below / before_below
    return CoMoments(keys.n, x, y, max(float(m2_x), 0.0), max(float(m2_y), 0.0), float(co))


def renamed(effect: Effect, method: str) -> Effect:
    """The same answer by the name of the whole method."""
    return Effect(
        method=method,
        estimate=effect.estimate,
        low=effect.low,
        high=effect.high,
        p_value=effect.p_value,
        log_p=effect.log_p,
        n=effect.n,
        note=effect.note,
    )
