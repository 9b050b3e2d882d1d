"""From a two-sided answer to a one-sided one."""

import math
from dataclasses import replace
from typing import Literal

from flows.stats.checks import choice
from flows.stats.results import Effect, probability

Side = Literal["greater", "less"]

_SIDES = {"greater": "challenger better", "less": "challenger worse"}


def one_sided(effect: Effect, alternative: Side = "greater") -> Effect:
    """
    The same test with one alternative: is the challenger better ("greater"), or worse ("less")?

    For tests whose statistic is symmetric under equality: t, z, DeLong, signed rank, McNemar,
    Diebold-Mariano, Mann-Whitney, permutations. Not for `fisher`.

    Args:
        effect: Two-sided, of confidence c.
        alternative: Which side is asked for.

    Returns:
        Half the p-value if the estimate is on that side, else one minus half; for discrete
        tests (exact McNemar) the latter is too small by the chance of what was seen, and is
        far from significant either way. The other limit is infinite, and the one that stays
        has confidence (1 + c) / 2.

    Raises:
        ValueError: If the alternative is unknown.

    Source:
        Agrees with `alternative=` of `scipy.stats.ttest_rel` and R `forecast::dm.test`.

    Example:
        >>> from flows.stats.paired.losses import paired_mean
        >>> effect = paired_mean([-0.9, -0.4, -0.5, -0.7], [-0.6, -0.3, -0.5, -0.3])
        >>> f"{effect.p_value:.4f} {one_sided(effect).p_value:.4f} {one_sided(effect, 'less').p_value:.4f}"
        '0.1162 0.0581 0.9419'
    """
    what = choice("alternative", alternative, _SIDES)
    with_it = effect.estimate > 0 if alternative == "greater" else effect.estimate < 0
    log_p = _halved(effect.log_p, with_it) if effect.estimate else min(0.0, effect.log_p)
    return replace(
        effect,
        method=f"{effect.method}, one-sided: {what}",
        low=effect.low if alternative == "greater" else -math.inf,
        high=effect.high if alternative == "less" else math.inf,
        p_value=probability(log_p),
        log_p=log_p,
    )


def widened(confidence: float) -> float:
    """
    Confidence of the two-sided interval, one limit of which has the confidence given.

    Raises:
        ValueError: If that is not above a half and below 1.

    Example:
        >>> f"{widened(0.95):.2f}"
        '0.90'
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; that of a one-sided interval must lie between 0.5 and 1")
    return 2 * confidence - 1


def _halved(log_p: float, with_it: bool) -> float:
    if math.isinf(log_p) or log_p >= 0:
        return min(0.0, log_p)
    half = log_p - math.log(2)
    return half if with_it else math.log1p(-math.exp(half))
