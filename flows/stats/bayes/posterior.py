"""P(challenger better) and what choosing it would cost if it is not."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from flows.stats import checks
from flows.stats.bayes.beliefs import Belief, Normal
from flows.stats.bayes.quadrature import breaks, expectation, nodes
from flows.stats.results import probability

_TINY = 1e-280


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """
    A Bayesian side view of two arms; it does not correct for peeking and decides nothing.

    Attributes:
        method: Model of the arms and how it was integrated.
        estimate: Posterior mean of challenger minus champion.
        low, high: Equal-tailed credible interval; infinite without data.
        p_better, p_worse: P(challenger > champion) and its complement, both above 0.
        log_p_better, log_p_worse: Natural logarithms.
        p_beyond: P(difference, or relative lift, > threshold).
        loss: Expected loss of choosing the challenger, E[max(champion - challenger, 0)].
        loss_of_keeping: Expected loss of keeping the champion.
        n: Size of the smaller arm.
        note: What a reader must know.
    """

    method: str
    estimate: float
    low: float
    high: float
    p_better: float
    p_worse: float
    log_p_better: float
    log_p_worse: float
    p_beyond: float
    loss: float
    loss_of_keeping: float
    n: int
    note: str = ""


def posterior(
    champion: Belief,
    challenger: Belief,
    *,
    threshold: float = 0.0,
    relative: bool = False,
    confidence: float = 0.95,
) -> Posterior:
    """
    Compare two arms by what is believed of them.

    Args:
        champion, challenger: From `mean_belief`, `rate_belief` or `count_belief`; kinds may differ.
        threshold: For `p_beyond`: a difference, or a lift.
        relative: Whether the threshold is a relative lift over the champion.
        confidence: Of the credible interval.

    Returns:
        Closed form for two normal beliefs, quadrature for others; never simulated. Where an
        arm has fewer than two values, or values that do not vary, P is 1/2 and the note says why.

    Raises:
        ValueError: If confidence is out of range or the threshold not finite.

    Source:
        Normal: expected loss as in Berger (1985), Statistical Decision Theory, section 4.4.
        Rates: agrees with the closed forms of Miller (2015, evanmiller.org) and Stucchio
        (2014). The example's losses are those of gbstats, tests/bayesian/test_tests.py.

    Example:
        >>> from flows.stats.bayes.beliefs import rate_belief
        >>> seen = posterior(rate_belief(49, 100), rate_belief(51, 100))
        >>> f"P = {seen.p_better:.4f}, loss {seen.loss:.5f}, of keeping {seen.loss_of_keeping:.5f}"
        'P = 0.6108, loss 0.01912, of keeping 0.03872'
    """
    checks.share("confidence", confidence)
    if not math.isfinite(threshold):
        raise ValueError(f"threshold is {threshold}; it must be finite")
    if not all(0 < arm.sd < math.inf for arm in (champion, challenger)):
        return _unknown(champion, challenger)
    if isinstance(champion, Normal) and isinstance(challenger, Normal):
        return _normal(champion, challenger, threshold, relative, confidence)
    return _integrated(champion, challenger, threshold, relative, confidence)


def _normal(champion: Normal, challenger: Normal, threshold: float, relative: bool, confidence: float) -> Posterior:
    mean, sd = challenger.mean - champion.mean, math.hypot(champion.sd, challenger.sd)
    scale = 1 + threshold if relative else 1.0
    beyond = challenger.mean - scale * champion.mean - (0.0 if relative else threshold)
    half = float(special.ndtri((1 + confidence) / 2)) * sd
    log_better, log_worse = float(special.log_ndtr(mean / sd)), float(special.log_ndtr(-mean / sd))
    return Posterior(
        method="normal beliefs, closed form",
        estimate=mean,
        low=mean - half,
        high=mean + half,
        p_better=probability(log_better),
        p_worse=probability(log_worse),
        log_p_better=log_better,
        log_p_worse=log_worse,
        p_beyond=float(special.ndtr(beyond / math.hypot(scale * champion.sd, challenger.sd))),
        loss=_normal_loss(mean, sd),
        loss_of_keeping=_normal_loss(-mean, sd),
        n=min(champion.n, challenger.n),
    )


def _normal_loss(mean: float, sd: float) -> float:
    """E[max(-d, 0)] for a normal d, without cancellation in its tail."""
    z = mean / sd
    if z < 5:
        return sd * (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) - z * float(special.ndtr(-z)))
    x, weights = nodes(np.linspace(0.0, 40.0 / z, 9))
    return sd * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * float(weights @ (x * np.exp(-z * x - x * x / 2)))


def _integrated(champion: Belief, challenger: Belief, threshold: float, relative: bool, confidence: float) -> Posterior:
    from scipy.optimize import brentq

    better, worse = _above(champion, challenger), _above(challenger, champion)
    estimate = challenger.mean - champion.mean
    spread = math.hypot(champion.sd, challenger.sd)
    low, high = (
        float(
            brentq(
                lambda d, tail=tail: _above(champion, challenger, shift=d) - tail,
                estimate - 40 * spread,
                estimate + 40 * spread,
                xtol=1e-10 * spread + 1e-300,
            )
        )
        for tail in ((1 + confidence) / 2, (1 - confidence) / 2)
    )
    approximate = "" if min(better, worse) > _TINY else "the smaller probability is a normal approximation"
    return Posterior(
        method=f"{type(champion).__name__} and {type(challenger).__name__} beliefs, quadrature",
        estimate=estimate,
        low=low,
        high=high,
        p_better=probability(_log(better, estimate / spread)),
        p_worse=probability(_log(worse, -estimate / spread)),
        log_p_better=_log(better, estimate / spread),
        log_p_worse=_log(worse, -estimate / spread),
        p_beyond=_above(champion, challenger, shift=0.0 if relative else threshold, scale=1 + threshold * relative),
        loss=_loss(champion, challenger),
        loss_of_keeping=_loss(challenger, champion),
        n=min(champion.n, challenger.n),
        note=approximate,
    )


def _above(first: Belief, second: Belief, *, shift: float = 0.0, scale: float = 1.0) -> float:
    """P(second > scale * first + shift)."""
    if scale <= 0:
        return 1.0
    places = breaks([first, second], [lambda x: x, lambda x: (x - shift) / scale])
    return min(1.0, expectation(first, lambda x: second.sf(scale * x + shift), places))


def _loss(first: Belief, second: Belief) -> float:
    """E[max(first - second, 0)]: the integral of P(second < x < first)."""
    x, weights = nodes(breaks([first, second]))
    return float(weights @ (first.sf(x) * second.cdf(x)))


def _log(plain: float, z: float) -> float:
    return math.log(plain) if plain > _TINY else float(special.log_ndtr(z))


def _unknown(champion: Belief, challenger: Belief) -> Posterior:
    few = any(math.isinf(arm.sd) for arm in (champion, challenger))
    return Posterior(
        method="none",
        estimate=0.0 if few else challenger.mean - champion.mean,
        low=-math.inf,
        high=math.inf,
        p_better=0.5,
        p_worse=0.5,
        log_p_better=math.log(0.5),
        log_p_worse=math.log(0.5),
        p_beyond=0.5,
        loss=math.inf,
        loss_of_keeping=math.inf,
        n=min(champion.n, challenger.n),
        note="an arm has fewer than two values"
        if few
        else "an arm's values do not vary: how sure its mean is, is unknown",
    )
