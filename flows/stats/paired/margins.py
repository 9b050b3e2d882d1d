"""The same rows: not worse, or no different, by more than a margin."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from flows.stats.checks import finite, share
from flows.stats.one_sided import Side, one_sided, widened
from flows.stats.paired.binary import tango, tango_score
from flows.stats.paired.clusters import Clusters
from flows.stats.paired.losses import clustered_mean, paired_mean
from flows.stats.results import Effect, probability

_AT_THE_MARGIN = "every row differs by the margin exactly"


def paired_not_inferior(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    margin: float,
    clusters: Clusters | None = None,
    confidence: float = 0.95,
) -> Effect:
    """
    Is the challenger's mean gain lower by less than a margin?

    Args:
        champion, challenger: Shape (n,), same rows in the same order; more is better.
        margin: Above 0, in the metric's unit: the loss that would be put up with.
        clusters: Shape (n,), to whom each row belongs, if rows of one customer are alike.
        confidence: Of the one-sided interval.

    Returns:
        Mean of challenger minus champion with its lower limit; p of the hypothesis that the
        challenger is worse by the margin or more. Small: it is not.

    Raises:
        ValueError: As `paired_mean`, or if the margin is not above 0.

    Source:
        Student's t test of the shifted hypothesis; agrees with `scipy.stats.ttest_rel(...,
        alternative="greater")` on shifted values.

    Example:
        >>> effect = paired_not_inferior([0.9, 0.4, 0.5, 0.7], [0.8, 0.5, 0.5, 0.6], margin=0.2)
        >>> f"{effect.estimate:.3f} from {effect.low:.4f} p = {effect.p_value:.4f}"
        '-0.025 from -0.1377 p = 0.0177'
    """
    found = _shifted(champion, challenger, -_above_zero(margin), clusters, confidence, "greater")
    return replace(found, method="paired t test of non-inferiority")


def paired_equivalent(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    margin: float,
    clusters: Clusters | None = None,
    alpha: float = 0.05,
) -> Effect:
    """
    Do the two mean gains differ by less than a margin, either way (TOST)?

    Args:
        champion, challenger, margin, clusters: As of `paired_not_inferior`.
        alpha: Error rate; the interval has confidence 1 - 2 alpha.

    Returns:
        Mean difference; p is the larger of those of the two one-sided tests.

    Raises:
        ValueError: As `paired_not_inferior`.

    Source:
        Schuirmann (1987), J. Pharmacokinet. Biopharm. 15:657-680; agrees with
        `statsmodels.stats.weightstats.ttost_paired`.

    Example:
        >>> effect = paired_equivalent([0.9, 0.4, 0.5, 0.7], [0.8, 0.5, 0.5, 0.6], margin=0.2)
        >>> f"[{effect.low:.4f}, {effect.high:.4f}] p = {effect.p_value:.4f}"
        '[-0.1377, 0.0877] p = 0.0177'
    """
    _above_zero(margin)
    share("2 * alpha", 2 * alpha)
    above = _shifted(champion, challenger, -margin, clusters, 1 - alpha, "greater")
    below = _shifted(champion, challenger, margin, clusters, 1 - alpha, "less")
    log_p = max(above.log_p, below.log_p)
    return replace(
        above,
        method="two one-sided paired t tests",
        high=below.high,
        p_value=probability(log_p),
        log_p=log_p,
    )


def discordant_not_inferior(lost: int, won: int, n: int, *, margin: float, confidence: float = 0.95) -> Effect:
    """
    Is the challenger right on fewer of the same rows by less than a margin?

    Args:
        lost, won: Rows that only the champion, only the challenger got right.
        n: All rows.
        margin: Between 0 and 1: the loss that would be put up with.
        confidence: Of the one-sided interval.

    Returns:
        Difference of the shares of right rows with its lower limit; p of the hypothesis that
        the challenger is worse by the margin or more.

    Raises:
        ValueError: If counts do not add up, or the margin is not between 0 and 1.

    Source:
        Tango (1998), Stat. Med. 17:891-908, eq. 5: score test; the example is its first table
        (43, 0, 1, 0 of 44 pairs of soft contact lenses, margin .1).

    Example:
        >>> effect = discordant_not_inferior(1, 0, 44, margin=0.1)
        >>> f"{effect.low:.3f} p = {effect.p_value:.3f}"
        '-0.096 p = 0.044'
    """
    share("margin", margin)
    low, _ = tango(lost, won, n, confidence=widened(confidence))
    z = tango_score(lost, won, n, -margin)
    log_p = min(0.0, float(special.log_ndtr(-z)))
    return Effect(
        method="Tango score test of non-inferiority",
        estimate=(won - lost) / n,
        low=low,
        high=math.inf,
        p_value=probability(log_p),
        log_p=log_p,
        n=n,
        note="" if won + lost else "no discordant pairs",
    )


def _shifted(
    champion: ArrayLike, challenger: ArrayLike, null: float, clusters: Clusters | None, confidence: float, side: Side
) -> Effect:
    """One-sided test of a mean difference of *null*."""
    base = finite("champion", champion)
    wide, moved = widened(confidence), np.asarray(base + null)
    if clusters is None:
        found = paired_mean(moved, challenger, confidence=wide)
    else:
        found = clustered_mean(moved, challenger, clusters, confidence=wide)
    found = one_sided(found, side)
    note = _AT_THE_MARGIN if found.n and found.note == "no difference on any row" else found.note
    return replace(found, estimate=found.estimate + null, low=found.low + null, high=found.high + null, note=note)


def _above_zero(margin: float) -> float:
    if not (margin > 0 and math.isfinite(margin)):
        raise ValueError(f"margin is {margin}; give a finite number above 0")
    return margin
