"""Means over different callers."""

import math

import numpy as np

from flows.stats.checks import Sample, numbers, share
from flows.stats.results import Effect, probability
from flows.stats.unpaired.formulae import CONSTANT, FEW, FINE, Alternative, Tested, difference, single

_METHOD = "Welch t test"
_NOTES = {
    FINE: "",
    FEW: "fewer than two values in a group",
    CONSTANT: "no variance: p of a permutation test",
}


def welch(
    champion: Sample,
    challenger: Sample,
    *,
    confidence: float = 0.95,
    alternative: Alternative = "two-sided",
) -> Effect:
    """
    Welch's t test from sufficient statistics.

    Args:
        champion, challenger: (n, mean, m2), m2 the sum of squared deviations; or an array
            of the values themselves.
        confidence: Coverage, strictly between 0 and 1.
        alternative: "greater" asks whether the challenger's mean is greater; p-value and
            interval are then one-sided.

    Returns:
        Difference of means; unbounded below two values in a group. Without variance in
        either group p is that of a permutation of the callers, 2 / C(n1 + n2, n1). One
        look only.

    Raises:
        ValueError: If a number cannot be one of a sample's, or the means are further
            apart than a float can hold.

    Source:
        Welch (1947), Biometrika 34:28-35; agrees with `scipy.stats.ttest_ind_from_stats`.

    Example:
        >>> effect = welch((10, 1.0, 9.0), (12, 2.0, 11.0))
        >>> f"{effect.estimate:.1f} p = {effect.p_value:.4f}"
        '1.0 p = 0.0305'
    """
    return _shifted(champion, challenger, confidence, alternative, 0.0, _METHOD)


def not_inferior(
    champion: Sample,
    challenger: Sample,
    *,
    margin: float,
    confidence: float = 0.95,
) -> Effect:
    """
    Is the challenger worse than the champion by less than a margin?

    Args:
        champion, challenger: (n, mean, m2), or an array of values.
        margin: Above 0, in the metric's unit: the loss that would be put up with.
        confidence: Of the one-sided interval.

    Returns:
        Difference of means with its lower limit; p of the hypothesis that the challenger
        is worse by the margin or more. Small: it is not.

    Raises:
        ValueError: If the margin is not above 0.

    Source:
        Welch's t test of the shifted hypothesis; Schuirmann (1987), J. Pharmacokinet.
        Biopharm. 15:657-680. Agrees with `statsmodels.stats.weightstats.CompareMeans.ttest_ind`.

    Example:
        >>> effect = not_inferior((10, 1.0, 9.0), (12, 1.0, 11.0), margin=1.0)
        >>> f"{effect.low:.4f} p = {effect.p_value:.4f}"
        '-0.7398 p = 0.0152'
    """
    _above_zero(margin)
    return _shifted(champion, challenger, confidence, "greater", -margin, "Welch t test of non-inferiority")


def equivalent(
    champion: Sample,
    challenger: Sample,
    *,
    margin: float,
    alpha: float = 0.05,
) -> Effect:
    """
    Do the two differ by less than a margin, either way (TOST)?

    Args:
        champion, challenger: (n, mean, m2), or an array of values.
        margin: Above 0, in the metric's unit.
        alpha: Error rate; the interval has confidence 1 - 2 alpha, and lies within
            the margins exactly where p is below alpha.

    Returns:
        Difference of means; p is the larger of those of the two one-sided tests.

    Raises:
        ValueError: If the margin is not above 0.

    Source:
        Schuirmann (1987), J. Pharmacokinet. Biopharm. 15:657-680; agrees with
        `statsmodels.stats.weightstats.ttost_ind`.

    Example:
        >>> effect = equivalent((100, 1.0, 99.0), (100, 1.1, 99.0), margin=0.5)
        >>> f"[{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.5f}"
        '[-0.1337, 0.3337] p = 0.00258'
    """
    _above_zero(margin)
    share("2 * alpha", 2 * alpha)
    method = "two one-sided Welch t tests"
    above = _shifted(champion, challenger, 1 - alpha, "greater", -margin, method)
    below = _shifted(champion, challenger, 1 - alpha, "less", margin, method)
    log_p = max(above.log_p, below.log_p)
    return Effect(
        method=method,
        estimate=above.estimate,
        low=above.low,
        high=below.high,
        p_value=probability(log_p),
        log_p=log_p,
        n=above.n,
        note=above.note,
    )


def effect_of(tested: Tested, *, method: str, n: int, note: str) -> Effect:
    """The only answer among answers."""
    log_p = float(tested.log_p[0])
    return Effect(
        method=method,
        estimate=float(tested.estimate[0]),
        low=float(tested.low[0]),
        high=float(tested.high[0]),
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
        note=note,
    )


def _shifted(
    champion: Sample,
    challenger: Sample,
    confidence: float,
    alternative: Alternative,
    null: float,
    method: str,
) -> Effect:
    share("confidence", confidence)
    ours, theirs = numbers("champion", champion), numbers("challenger", challenger)
    if not math.isfinite(theirs.mean - ours.mean):
        raise ValueError(f"means of {ours.mean} and {theirs.mean} are too far apart for a float; rescale the metric")
    tested = difference(single(ours), single(theirs), confidence, alternative, null)
    state = int(tested.state[0])
    note = "no difference on any row" if state == CONSTANT and tested.estimate[0] == null else _NOTES[state]
    if alternative != "two-sided" and null == 0:
        method = f"{method}, one-sided"
    n = min(ours.n, theirs.n)
    if not n:
        tested = tested._replace(estimate=np.zeros(1))
    return effect_of(tested, method=method, n=n, note=note)


def _above_zero(margin: float) -> None:
    if not (margin > 0 and math.isfinite(margin)):
        raise ValueError(f"margin is {margin}; give a finite number above 0")
