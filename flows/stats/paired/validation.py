"""Scores of cross-validation: the training sets overlap, so the folds are not independent."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from flows.stats.checks import counts, finite, matrix, same_length, share
from flows.stats.paired.losses import differences, same_up_to_rounding
from flows.stats.results import Effect, probability
from flows.stats.wald import constant, undecided, wald

_RESAMPLED = "corrected resampled t test"
_T = "5x2 cv paired t test"
_F = "5x2 cv combined F test"
_LOG_P_OF_FIVE = -4 * math.log(2)


def corrected_resampled_t(
    champion: ArrayLike, challenger: ArrayLike, *, train: int, test: int, confidence: float = 0.95
) -> Effect:
    """
    Corrected t test on scores of (repeated) cross-validation or random splits.

    The plain paired t test takes the folds for independent and calls equal models
    different in half of all 10x10 cross-validations.

    Args:
        champion, challenger: Shape (folds,), scores of all folds of all repetitions, same
            folds in the same order; more is better.
        train, test: Rows that each fold was trained on and tested on.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean of challenger minus champion; n is the number of folds.

    Raises:
        ValueError: If lengths differ, scores are not finite, or train or test is below 1.

    Source:
        Nadeau and Bengio (2003), Mach. Learn. 52:239-281, eq. 9; Bouckaert and Frank (2004),
        PAKDD:3-12 (repeated cross-validation); agrees with R `correctR::resampled_ttest`.

    Example:
        >>> effect = corrected_resampled_t([0.8, 0.7, 0.9, 0.8], [0.9, 0.9, 0.9, 0.8], train=75, test=25)
        >>> f"{effect.estimate:.3f} [{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.4f}"
        '0.075 [-0.1577, 0.3077] p = 0.3805'
    """
    a, b = finite("champion", champion), finite("challenger", challenger)
    n = same_length(champion=a, challenger=b)
    share("confidence", confidence)
    counts(train=train, test=test)
    if not train or not test:
        raise ValueError(f"train is {train} and test is {test}; give the rows of a fold, at least one each")
    gains = differences(a, b)
    if n < 2:
        return undecided(_RESAMPLED, n, "a single fold" if n else "no folds", float(gains.sum()))
    estimate = float(gains.mean())
    if same_up_to_rounding(gains, a, b):
        return constant(_RESAMPLED, estimate, n, log_p=(1 - n) * math.log(2), confidence=confidence)
    error = float(gains.std(ddof=1)) * math.sqrt(1 / n + test / train)
    return wald(estimate, error, n=n, method=_RESAMPLED, confidence=confidence, freedom=n - 1)


def five_by_two_t(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Dietterich's 5x2 cv paired t test.

    Args:
        champion, challenger: Shape (5, 2), scores of both halves of five random splits;
            more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        The difference on the first half of the first split, on which alone this test
        rests; `five_by_two_f` uses all ten.

    Raises:
        ValueError: If the shape is not (5, 2), or scores are not finite.

    Source:
        Dietterich (1998), Neural Comput. 10:1895-1923; agrees with
        `mlxtend.evaluate.paired_ttest_5x2cv`.

    Example:
        >>> base, gains = [[0.5, 0.5]] * 5, [[0.02, 0.01], [0.03, 0.0], [0.01, 0.02], [0.02, 0.03], [0.0, 0.01]]
        >>> effect = five_by_two_t(base, np.add(base, gains))
        >>> f"{effect.estimate:.2f} p = {effect.p_value:.4f}"
        '0.02 p = 0.1398'
    """
    halves = _halves(champion, challenger)
    share("confidence", confidence)
    first = float(halves.gains[0, 0])
    if halves.still:
        return constant(_T, first, 10, log_p=_LOG_P_OF_FIVE, confidence=confidence)
    effect_error = math.sqrt(halves.within / 5)
    return wald(first, effect_error, n=10, method=_T, confidence=confidence, freedom=5)


def five_by_two_f(champion: ArrayLike, challenger: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """
    Alpaydin's combined 5x2 cv F test: all ten differences, where Dietterich's t uses one.

    Args:
        champion, challenger: Shape (5, 2), scores of both halves of five random splits;
            more is better.
        confidence: Two-sided coverage, strictly between 0 and 1.

    Returns:
        Mean of the ten differences, with all differences that the F test does not reject.

    Raises:
        ValueError: If the shape is not (5, 2), or scores are not finite.

    Source:
        Alpaydin (1999), Neural Comput. 11:1885-1892; agrees with
        `mlxtend.evaluate.combined_ftest_5x2cv`.

    Example:
        >>> base, gains = [[0.5, 0.5]] * 5, [[0.02, 0.01], [0.03, 0.0], [0.01, 0.02], [0.02, 0.03], [0.0, 0.01]]
        >>> effect = five_by_two_f(base, np.add(base, gains))
        >>> f"{effect.estimate:.3f} p = {effect.p_value:.4f}"
        '0.015 p = 0.1578'
    """
    halves = _halves(champion, challenger)
    share("confidence", confidence)
    estimate = float(halves.gains.mean())
    if halves.still:
        return constant(_F, estimate, 10, log_p=_LOG_P_OF_FIVE, confidence=confidence)
    log_p = _log_f(float(np.sum(halves.gains**2)) / (2 * halves.within))
    low, high, note = _f_interval(halves, estimate, confidence)
    return Effect(
        method=_F, estimate=estimate, low=low, high=high, p_value=probability(log_p), log_p=log_p, n=10, note=note
    )


class _Halves(NamedTuple):
    """Differences, shape (5, 2); sum of the five variances; whether those are rounding alone."""

    gains: NDArray[np.float64]
    within: float
    still: bool


def _halves(champion: ArrayLike, challenger: ArrayLike) -> _Halves:
    a, b = matrix("champion", champion), matrix("challenger", challenger)
    if a.shape != (5, 2) or b.shape != (5, 2):
        raise ValueError(f"champion is {a.shape} and challenger {b.shape}; give (5, 2), two halves of five splits")
    gains = differences(a, b)
    within = float(np.sum((gains[:, 0] - gains[:, 1]) ** 2)) / 2
    still = all(same_up_to_rounding(*rows) for rows in zip(gains, a, b, strict=True))
    return _Halves(gains, within, still or within == 0)


def _log_f(f: float) -> float:
    # The upper tail of F(10, 5) is an incomplete beta function with integer first argument: a finite sum.
    x = 5 / (5 + 10 * f)
    terms = [special.poch(2.5, j) / math.factorial(j) * (1 - x) ** j for j in range(5)]
    return min(0.0, 2.5 * math.log(x) + math.log(math.fsum(terms)))


def _f_interval(halves: _Halves, estimate: float, confidence: float) -> tuple[float, float, str]:
    bound = 2 * halves.within * float(special.fdtri(10, 5, confidence))
    room = bound - float(np.sum((halves.gains - estimate) ** 2))
    if room < 0:
        return -math.inf, math.inf, "the splits disagree so much that the F test rejects every difference"
    half = math.sqrt(room / 10)
    return estimate - half, estimate + half, ""
