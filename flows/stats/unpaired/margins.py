"""Shares that may be worse, or differ, by less than a margin."""

import math
from typing import Literal

from scipy import special

from flows.stats.checks import choice, share
from flows.stats.one_sided import widened
from flows.stats.results import Effect, probability
from flows.stats.unpaired.proportions import Share, checked_share, score_effect, score_z
from flows.stats.wald import undecided

Score = Literal["miettinen-nurminen", "farrington-manning"]

_SCORES = {"miettinen-nurminen": "Miettinen-Nurminen", "farrington-manning": "Farrington-Manning"}


def share_not_inferior(
    champion: Share,
    challenger: Share,
    *,
    margin: float,
    score: Score = "miettinen-nurminen",
    confidence: float = 0.95,
) -> Effect:
    """
    Is the challenger's share of successes lower by less than a margin?

    Args:
        champion, challenger: (successes, n); of different callers.
        margin: Between 0 and 1: the loss that would be put up with.
        score: Variance under the margin with the factor n / (n - 1), or without.
        confidence: Of the one-sided interval.

    Returns:
        Difference of the shares with its lower limit; p of the hypothesis that the challenger
        is worse by the margin or more. Small: it is not.

    Raises:
        ValueError: If the margin is not between 0 and 1, or counts are impossible.

    Source:
        Farrington and Manning (1990), Stat. Med. 9:1447-1454; Miettinen and Nurminen (1985).
        Restricted estimates are exact, as in R `cicalc::ci_prop_diff_mee(delta=)`; those of
        `statsmodels.stats.proportion.test_proportions_2indep(method="score")` are not.

    Example:
        >>> f"{share_not_inferior((82, 100), (80, 100), margin=0.1, score='farrington-manning').p_value:.5f}"
        '0.07613'
    """
    name = choice("score", score, _SCORES)
    share("margin", margin)
    found, at_margin = _one_sided(champion, challenger, -margin, name, confidence)
    return _shown(found, f"{name} test of non-inferiority", found.low, math.inf, at_margin)


def share_equivalent(
    champion: Share,
    challenger: Share,
    *,
    margin: float,
    score: Score = "miettinen-nurminen",
    alpha: float = 0.05,
) -> Effect:
    """
    Do the two shares differ by less than a margin, either way (TOST)?

    Args:
        champion, challenger: (successes, n); of different callers.
        margin: Between 0 and 1.
        score: As of `share_not_inferior`.
        alpha: Error rate; the interval has confidence 1 - 2 alpha.

    Returns:
        Difference of the shares; p is the larger of those of the two one-sided tests.

    Raises:
        ValueError: As `share_not_inferior`.

    Source:
        As `share_not_inferior`; Schuirmann (1987).

    Example:
        >>> f"{share_equivalent((820, 1000), (800, 1000), margin=0.05).p_value:.4f}"
        '0.0438'
    """
    name = choice("score", score, _SCORES)
    share("margin", margin)
    share("2 * alpha", 2 * alpha)
    found, above = _one_sided(champion, challenger, -margin, name, 1 - alpha)
    _, below = _one_sided(champion, challenger, margin, name, 1 - alpha)
    return _shown(found, f"two one-sided {name} tests", found.low, found.high, max(above, below))


def _one_sided(champion: Share, challenger: Share, null: float, name: str, confidence: float) -> tuple[Effect, float]:
    """Two-sided effect whose limits are one-sided, and log p of a difference on the wrong side of *null*."""
    (x1, n1), (x2, n2) = checked_share("champion", champion), checked_share("challenger", challenger)
    if min(n1, n2) < 1:
        return undecided(name, 0, "an empty group"), 0.0
    factor = name == _SCORES["miettinen-nurminen"]
    found = score_effect(champion, challenger, widened(confidence), factor=factor)
    more = (n1 + n2) / (n1 + n2 - 1) if factor else 1.0
    size = score_z(x1, n1, x2, n2, null, more)
    away = x2 / n2 - x1 / n1 - null
    z = size if (away > 0) == (null < 0) else -size
    return found, float(special.log_ndtr(-z)) if math.isfinite(z) else (-math.inf if z > 0 else 0.0)


def _shown(found: Effect, method: str, low: float, high: float, log_p: float) -> Effect:
    return Effect(
        method=method,
        estimate=found.estimate,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=min(0.0, log_p),
        n=found.n,
        note=found.note,
    )
