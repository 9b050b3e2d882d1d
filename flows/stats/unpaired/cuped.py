"""CUPED: what is known of a key from before takes noise out of what came after."""

from typing import Literal

import numpy as np

from flows.stats.checks import Pairs, pair_numbers, share
from flows.stats.moments import CoMoments, JointMoments, Moments
from flows.stats.results import Effect
from flows.stats.unpaired.formulae import Floats, lift
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.ratios import ratio_pairs, renamed
from flows.stats.unpaired.relative import lift_effect, ratio_freedom, relative_lift
from flows.stats.wald import undecided

Base = Literal["adjusted", "observed"]
_LIFT = "CUPED, log-ratio t test, Fieller interval"


def cuped(champion: Pairs, challenger: Pairs, *, confidence: float = 0.95) -> Effect:
    """
    Difference of means, adjusted by a covariate that no model can have influenced.

    Args:
        champion, challenger: `CoMoments` of (covariate, metric) per key, or the two arrays; the
            covariate is the metric before the experiment, or a prediction of it.

    Returns:
        As `welch` on metric - theta * covariate; n counts keys. A covariate without
        variance adjusts nothing.

    Raises:
        ValueError: If a number cannot be one of a sample's.

    Source:
        Deng, Xu, Kohavi, Walker (2013), WSDM, section 3; theta of both arms together.
        Agrees with `tea_tasting.metrics.Mean(covariate=...)` and gbstats'
        `RegressionAdjustedStatistic`.

    Example:
        >>> ours = CoMoments.of([1.0, 2.0, 3.0, 4.0], [1.1, 2.3, 2.8, 4.2])
        >>> theirs = CoMoments.of([1.5, 2.5, 3.5, 2.0], [2.6, 3.4, 4.7, 3.0])
        >>> effect = cuped(ours, theirs)
        >>> f"{effect.estimate:.4f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.2e}"
        '0.9463 [0.6196, 1.2730] p = 6.24e-04'
    """
    share("confidence", confidence)
    ours, theirs = pair_numbers("champion", champion), pair_numbers("challenger", challenger)
    theta = slope(ours.merge(theirs))
    effect = welch(adjusted(ours, theta), adjusted(theirs, theta), confidence=confidence)
    return renamed(effect, "CUPED, Welch t test")


def cuped_lift(champion: Pairs, challenger: Pairs, *, confidence: float = 0.95, base: Base = "adjusted") -> Effect:
    """
    Relative difference of means, adjusted by a covariate.

    Args:
        champion, challenger: As `CoMoments` of (covariate, metric) per key.
        base: "adjusted": both means as they would be at the covariate's mean over all
            keys. "observed": the adjusted difference over the champion's plain mean.

    Returns:
        As `relative_lift`; the variance holds every term, also that of theta times the
        difference of the covariates' means.

    Raises:
        ValueError: If a number cannot be one of a sample's.

    Source:
        As `cuped`; Fieller (1954) with the covariance of the two means. The estimate is
        that of tea-tasting ("adjusted") or gbstats ("observed").

    Example:
        >>> ours = CoMoments.of([1.0, 2.0, 3.0, 4.0], [1.1, 2.3, 2.8, 4.2])
        >>> theirs = CoMoments.of([1.5, 2.5, 3.5, 2.0], [2.6, 3.4, 4.7, 3.0])
        >>> [f"{cuped_lift(ours, theirs, base=base).estimate:.4f}" for base in ("adjusted", "observed")]
        ['0.3727', '0.3640']
    """
    share("confidence", confidence)
    ours, theirs = pair_numbers("champion", champion), pair_numbers("challenger", challenger)
    part = ours.n / max(ours.n + theirs.n, 1)
    return _lift(ours, theirs, slope(ours.merge(theirs)), part, confidence, base)


def cuped_ratio(champion: JointMoments, challenger: JointMoments, *, confidence: float = 0.95) -> Effect:
    """
    Difference of ratios of sums by key, adjusted by another ratio from before.

    Args:
        champion, challenger: Of (denominator, numerator, covariate's denominator,
            covariate's numerator) per key.

    Returns:
        As `cuped`.

    Raises:
        ValueError: If there are not four values per key, or a denominator is 0 on average.

    Source:
        As `cuped`, on the ratios' delta-method moments; agrees with
        `tea_tasting.metrics.RatioOfMeans`.
    """
    share("confidence", confidence)
    theta = slope(ratio_pairs(champion.merge(challenger)))
    ours, theirs = (adjusted(ratio_pairs(keys), theta) for keys in (champion, challenger))
    return renamed(welch(ours, theirs, confidence=confidence), "CUPED by key, Welch t test")


def cuped_ratio_lift(
    champion: JointMoments, challenger: JointMoments, *, confidence: float = 0.95, base: Base = "adjusted"
) -> Effect:
    """
    Relative difference of ratios of sums by key, adjusted by another ratio from before.

    Args:
        champion, challenger: As of `cuped_ratio`.
        base: As of `cuped_lift`.

    Source:
        As `cuped_lift` and `cuped_ratio`.
    """
    share("confidence", confidence)
    theta = slope(ratio_pairs(champion.merge(challenger)))
    below, all_below = (float(keys.n * keys.means[2]) for keys in (champion, champion.merge(challenger)))
    part = below / all_below if all_below else 0.5
    return _lift(ratio_pairs(champion), ratio_pairs(challenger), theta, part, confidence, base)


def slope(both: CoMoments) -> float:
    """Of the metric on the covariate; 0 where the covariate does not vary."""
    return both.co / both.m2_x if both.m2_x > 0 else 0.0


def adjusted(pairs: CoMoments, theta: float) -> Moments:
    """Of metric - theta * covariate."""
    m2 = pairs.m2_y - 2 * theta * pairs.co + theta * theta * pairs.m2_x
    return Moments(pairs.n, pairs.mean_y - theta * pairs.mean_x, max(m2, 0.0))


def _lift(ours: CoMoments, theirs: CoMoments, theta: float, part: float, confidence: float, base: Base) -> Effect:
    """*part*: the champion's in the covariate's mean over all keys."""
    n = min(ours.n, theirs.n)
    if n < 2:
        return undecided(_LIFT, n, "fewer than two keys in a group")
    one, other = adjusted(ours, theta), adjusted(theirs, theta)
    centre = theta * (part * ours.mean_x + (1 - part) * theirs.mean_x)
    if theta == 0 or one.m2 == other.m2 == 0:
        plain = relative_lift(_moved(one, centre), _moved(other, centre), confidence=confidence)
        return renamed(plain, _LIFT)
    under = _under(theta, part, base)
    over = under + np.array([theta, -1.0, -theta, 1.0])
    means, spread = np.array([ours.mean_x, ours.mean_y, theirs.mean_x, theirs.mean_y]), _spread(ours, theirs)
    top, bottom = np.array([over @ means]), np.array([under @ means])
    v_top, v_bottom, cov = (np.array([a @ spread @ b]) for a, b in ((over, over), (under, under), (over, under)))
    v_one, v_other = (np.array([m.m2 / (m.n - 1) / m.n]) for m in (one, other))
    freedom = ratio_freedom(top, v_other, np.array([other.n]), bottom, v_one, np.array([one.n]))
    flat = np.array([welch(one, other, confidence=confidence).log_p])
    tested, ratios = lift(top, v_top, bottom, v_bottom, cov, freedom, confidence, flat)
    return lift_effect(tested, ratios, method=_LIFT, n=n, base=float(bottom[0]))


def _under(theta: float, part: float, base: Base) -> Floats:
    """Weights of the champion's and the challenger's (covariate, metric) means below the line."""
    if base == "observed":
        return np.array([0.0, 1.0, 0.0, 0.0])
    return np.array([theta * part - theta, 1.0, theta * (1 - part), 0.0])


def _spread(ours: CoMoments, theirs: CoMoments) -> Floats:
    """Covariances of the four means."""
    spread = np.zeros((4, 4))
    for at, arm in ((0, ours), (2, theirs)):
        block = np.array([[arm.m2_x, arm.co], [arm.co, arm.m2_y]])
        spread[at : at + 2, at : at + 2] = block / (arm.n - 1) / arm.n
    return spread


def _moved(moments: Moments, by: float) -> Moments:
    return Moments(moments.n, moments.mean + by, moments.m2)
