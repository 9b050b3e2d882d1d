"""Estimates that stay honest when traffic followed the results: logged propensities."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from flows.stats import checks
from flows.stats.tails import log_two_sided_z

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightCheck:
    """
    Whether the logged propensities can be believed, and how much the weights cost.

    Attributes:
        mean, error: Mean importance weight and its standard error; 1 if propensities are right.
        log_p: Of "the mean is 1", single look; small: propensities are wrong, or rows are missing.
        largest: Largest weight before clipping.
        effective_n: (sum w)^2 / sum w^2 (Kish), after clipping.
        clipped: Rows whose weight was clipped.
        bias: Estimate with clipped weights less that without, on these rows.
    """

    mean: float
    error: float
    log_p: float
    largest: float
    effective_n: float
    clipped: int
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """
    Mean reward that a policy would have had, or the difference between two policies.

    Attributes:
        method: Name of the estimator.
        estimate: In the reward's unit.
        error: Standard error; infinite with fewer than two rows.
        low, high: Normal interval.
        n: Rows.
        weights: Diagnostics; of both arms together for a difference.
        terms: Shape (n,). Whose mean is the estimate; for sequences and segments.
        note: What a reader must know.
    """

    method: str
    estimate: float
    error: float
    low: float
    high: float
    n: int
    weights: WeightCheck
    terms: Floats
    note: str = ""


def policy_value(
    rewards: ArrayLike,
    propensities: ArrayLike,
    target: ArrayLike,
    *,
    predicted: ArrayLike | None = None,
    predicted_target: ArrayLike | None = None,
    self_normalised: bool = False,
    clip: float = math.inf,
    confidence: float = 0.95,
) -> PolicyValue:
    """
    Estimate the mean reward of a target policy from traffic that another policy dealt.

    IPS; SNIPS if self-normalised; DR if predictions are given, SNDR if both. Unbiased
    (IPS, DR) however the propensities followed earlier results, as long as each was logged
    when the arm was drawn and none was 0 where the target's is not.

    Args:
        rewards: Shape (n,).
        propensities: Shape (n,), probability with which the chosen arm was chosen then.
        target: Shape (n,), probability with which the target policy would choose it.
        predicted: Shape (n,), predicted reward of the chosen arm, for DR; from a model that
            has not seen this row's reward.
        predicted_target: Shape (n,), the same, averaged over the target policy's choices.
        self_normalised: Divide by the mean weight: less variance, some bias.
        clip: Largest weight; larger ones are cut, which biases: see `weights.bias`.
        confidence: Of the interval.

    Raises:
        ValueError: If lengths differ, values are not finite, a propensity is not in (0, 1],
            a target probability not in [0, 1], or only one prediction is given.

    Source:
        Horvitz and Thompson (1952); Swaminathan and Joachims (2015), NeurIPS 28, eq. 10
        (SNIPS); Dudik, Langford, Li (2011), ICML (DR). Agrees with zr-obp's
        `InverseProbabilityWeighting`, `SelfNormalized...` and `DoublyRobust`; errors of
        self-normalised estimates by linearisation: Owen (2013), Monte Carlo, eq. 9.9.

    Example:
        >>> seen = policy_value([1, 0, 1, 1], [0.8, 0.8, 0.2, 0.5], [0.0, 0.0, 1.0, 1.0])
        >>> seen.estimate, seen.weights.mean, round(seen.weights.effective_n, 3)
        (1.75, 1.75, 1.69)
    """
    checks.share("confidence", confidence)
    if not clip > 0:
        raise ValueError(f"clip is {clip}; it must be above 0")
    r, p, t = _logged(rewards, propensities, target)
    chosen, expected = _predictions(predicted, predicted_target, r.size)
    method = ("SN" if self_normalised else "") + ("DR" if predicted is not None else "IPS")
    raw = t / p
    terms = _terms(r, np.minimum(raw, clip), chosen, expected, self_normalised)
    unclipped = _terms(r, raw, chosen, expected, self_normalised) if np.any(raw > clip) else terms
    return _value(method, terms, weight_check(raw, clip, _mean(terms) - _mean(unclipped)), confidence)


def arm_difference(
    rewards: ArrayLike,
    chosen: ArrayLike,
    propensities: ArrayLike,
    *,
    predicted: ArrayLike | None = None,
    self_normalised: bool = False,
    clip: float = math.inf,
    confidence: float = 0.95,
) -> PolicyValue:
    """
    Difference in mean reward between two arms, challenger minus champion.

    Args:
        rewards: Shape (n,), of requests that either arm (or another) answered.
        chosen: Shape (n,): 1 challenger, 0 champion, anything else a further arm.
        propensities: Shape (n,), of the chosen arm when it was chosen.
        predicted: Shape (n, 2), predicted reward under champion and challenger, for DR.
        self_normalised, clip, confidence: As of `policy_value`.

    Returns:
        For one look. To look at any time, see `sequences.bounded_difference_sequence`.

    Raises:
        ValueError: As `policy_value`.

    Source:
        As `policy_value`.

    Example:
        >>> seen = arm_difference([1, 0, 1, 1], [1, 0, 0, 1], [0.5, 0.5, 0.5, 0.25])
        >>> seen.estimate, seen.terms.tolist()
        (1.0, [2.0, 0.0, -2.0, 4.0])
    """
    arm = checks.finite("chosen", chosen)
    guesses = None if predicted is None else checks.matrix("predicted", predicted)
    if guesses is not None and guesses.shape != (arm.size, 2):
        raise ValueError(f"predicted has the shape {guesses.shape}; give ({arm.size}, 2): champion, challenger")
    ours, theirs = (
        policy_value(
            rewards,
            propensities,
            arm == code,
            predicted=None if guesses is None else np.where(arm == code, guesses[:, code], 0.0),
            predicted_target=None if guesses is None else guesses[:, code],
            self_normalised=self_normalised,
            clip=clip,
            confidence=confidence,
        )
        for code in (0, 1)
    )
    weights = _both(ours.weights, theirs.weights)
    terms = theirs.terms - ours.terms
    return _value(f"{ours.method} difference", terms, weights, confidence)


def stabilised_value(
    rewards: ArrayLike,
    chosen: ArrayLike,
    propensities: ArrayLike,
    predicted: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> PolicyValue:
    """
    Mean reward of one arm, rows weighted so that the variance does not depend on the bandit's mood.

    Where propensities keep moving (arms of equal value under Thompson sampling), averages of
    IPS or DR terms are not normal even for large n; weighted by the root of the propensity
    they are.

    Args:
        rewards: Shape (n,), in the order of time.
        chosen: Shape (n,), 1 where this arm was chosen, else 0.
        propensities: Shape (n,), of *this* arm at every row, chosen or not.
        predicted: Shape (n,), predicted reward of this arm, from earlier rows only; 0 if not given.

    Raises:
        ValueError: As `policy_value`.

    Source:
        Hadad, Hirshberg, Zhan, Wager, Athey (2021), PNAS 118:e2014602118, eq. 5 and 14 with
        constant allocation weights.

    Example:
        >>> seen = stabilised_value([1, 0, 1, 0], [1, 0, 1, 1], [0.5, 0.5, 0.8, 0.8])
        >>> f"{seen.estimate:.4f}"
        '0.7906'
    """
    checks.share("confidence", confidence)
    arm = checks.binary("chosen", chosen)
    r, p, _ = _logged(rewards, propensities, arm)
    guess = np.zeros(r.size) if predicted is None else checks.finite("predicted", predicted)
    checks.same_length(rewards=r, predicted=guess)
    weights = weight_check(arm / p, math.inf, 0.0)
    root = np.sqrt(p)
    scores = guess + arm / p * (r - guess)
    estimate = float(root @ scores / root.sum()) if r.size else 0.0
    error = float(np.sqrt(root**2 @ (scores - estimate) ** 2) / root.sum()) if r.size > 1 else math.inf
    return _interval("AIPW, variance-stabilised", estimate, error, scores, weights, confidence)


def weight_check(weights: ArrayLike, clip: float = math.inf, bias: float = 0.0) -> WeightCheck:
    """
    Diagnose importance weights: their mean must be 1.

    Args:
        weights: Shape (n,), target over logged probability, before clipping.
        clip: Largest weight that was used.
        bias: What clipping changed in the estimate.

    Source:
        Kish (1965), Survey Sampling, section 11.7 (effective size); mean weight as check of
        logged propensities: Li, Chu, Langford, Wang (2011), WSDM.

    Example:
        >>> check = weight_check([2.0, 0.0, 2.0, 0.0, 1.0, 1.0])
        >>> check.mean, check.effective_n, check.log_p
        (1.0, 3.6, 0.0)
    """
    w = checks.finite("weights", weights)
    checks.number("bias", bias)
    if not clip > 0:
        raise ValueError(f"clip is {clip}; it must be above 0")
    used, n = np.minimum(w, clip), w.size
    mean = float(w.mean()) if n else 1.0
    error = float(w.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    squares = float(used @ used)
    return WeightCheck(
        mean=mean,
        error=error,
        log_p=_log_p(mean, error, n),
        largest=float(w.max(initial=0.0)),
        effective_n=float(used.sum()) ** 2 / squares if squares else 0.0,
        clipped=int(np.count_nonzero(w > clip)),
        bias=bias,
    )


def _log_p(mean: float, error: float, n: int) -> float:
    if error == 0:
        # Equal weights above 1: Markov's inequality, row by row.
        return -n * math.log(max(mean, 1.0))
    return log_two_sided_z((mean - 1) / error) if math.isfinite(error) else 0.0


def _terms(r: Floats, w: Floats, chosen: Floats, expected: Floats, self_normalised: bool) -> Floats:
    """Terms whose mean is the estimate; linearised where it is a ratio, so that their spread gives its error."""
    residual = r - chosen
    if not self_normalised or not w.size or not w.any():
        return expected + w * residual
    ratio = float(w @ residual / w.sum())
    return expected + ratio + w * (residual - ratio) / float(w.mean())


def _mean(terms: Floats) -> float:
    return float(terms.mean()) if terms.size else 0.0


def _value(method: str, terms: Floats, weights: WeightCheck, confidence: float) -> PolicyValue:
    n = terms.size
    error = float(terms.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return _interval(method, _mean(terms), error, terms, weights, confidence)


def _interval(
    method: str, estimate: float, error: float, terms: Floats, weights: WeightCheck, confidence: float
) -> PolicyValue:
    n = terms.size
    vague = n < 2 or weights.largest == 0 or error == 0
    half = math.inf if vague else float(special.ndtri((1 + confidence) / 2)) * error
    return PolicyValue(
        method=method,
        estimate=estimate,
        error=math.inf if n < 2 else error,
        low=estimate - half,
        high=estimate + half,
        n=n,
        weights=weights,
        terms=terms,
        note="; ".join(said for said in (_vague(n, weights, error), _said(weights)) if said),
    )


def _vague(n: int, weights: WeightCheck, error: float) -> str:
    if n < 2:
        return "fewer than two rows"
    if weights.largest == 0:
        return "the target policy never agrees with what was served: nothing to go by"
    return "no variance: how sure the estimate is, is unknown" if error == 0 else ""


def _said(weights: WeightCheck) -> str:
    said = []
    if weights.clipped:
        said.append(f"{weights.clipped} weights clipped, which moved the estimate by {weights.bias:+.4g}")
    if weights.log_p < math.log(0.001):
        said.append(f"mean weight {weights.mean:.4g} is not 1: propensities are wrong or rows are missing")
    return "; ".join(said)


def _both(ours: WeightCheck, theirs: WeightCheck) -> WeightCheck:
    worse = min(ours, theirs, key=lambda one: one.log_p)
    return WeightCheck(
        mean=worse.mean,
        error=worse.error,
        log_p=worse.log_p,
        largest=max(ours.largest, theirs.largest) if min(ours.largest, theirs.largest) > 0 else 0.0,
        effective_n=min(ours.effective_n, theirs.effective_n),
        clipped=ours.clipped + theirs.clipped,
        bias=theirs.bias - ours.bias,
    )


def _logged(rewards: ArrayLike, propensities: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats, Floats]:
    r, p, t = (
        checks.finite(name, given)
        for name, given in (("rewards", rewards), ("propensities", propensities), ("target", target))
    )
    checks.same_length(rewards=r, propensities=p, target=t)
    _probabilities(
        "propensities", p, (p > 0) & (p <= 1), "above 0 and at most 1; log the probability of the arm served"
    )
    _probabilities("target", t, (t >= 0) & (t <= 1), "between 0 and 1")
    return r, p, t


def _probabilities(name: str, values: Floats, fine: NDArray[np.bool_], must: str) -> None:
    bad = int(np.count_nonzero(~fine))
    if bad:
        raise ValueError(f"{name} has {bad} of {values.size} values out of range; they must be {must}")


def _predictions(predicted: ArrayLike | None, target: ArrayLike | None, n: int) -> tuple[Floats, Floats]:
    if (predicted is None) != (target is None):
        raise ValueError("only one of predicted and predicted_target is given; give both for DR, or none")
    if predicted is None or target is None:
        return np.zeros(n), np.zeros(n)
    chosen, expected = checks.finite("predicted", predicted), checks.finite("predicted_target", target)
    if not chosen.size == expected.size == n:
        raise ValueError(
            f"lengths differ (rewards: {n}, predicted: {chosen.size}, predicted_target: {expected.size}); "
            "give the same rows to all"
        )
    return chosen, expected
