"""Rates of rare events in two arms, bounded even before the first event."""

import math

import numpy as np

from flows.stats.checks import counts, share
from flows.stats.integrity.multinomial import log_mixture, share_interval
from flows.stats.results import AlwaysValid, probability

_PRIOR = np.array([0.5, 20.0])
_METHOD = "Beta mixture of each arm's rate, combined"
_LEAST_LOG_ALPHA = -700.0


def rare_rates_sequence(champion: tuple[int, int], challenger: tuple[int, int], *, alpha: float = 0.05) -> AlwaysValid:
    """
    Difference of two rates, for "the challenger fails hardly more often".

    Each arm's rate gets an exact confidence sequence of its own, tight for rates of a few
    percent, so that 300 requests without a failure already bound both. Where events are
    plenty, `flows.stats.sequential.rates.two_rates_sequence` is tighter, but says nothing
    before the first one.

    Args:
        champion, challenger: (events, n).
        alpha: Error rate over all looks together, half of it for each arm.

    Returns:
        Challenger's rate minus the champion's. The interval always lies within [-1, 1].

    Raises:
        ValueError: If counts are negative, or there are more events than trials.

    Source:
        Robbins (1970), Ann. Math. Statist. 41:1397-1409 (Beta mixture); Bonferroni over the arms.

    Example:
        >>> seen = rare_rates_sequence((0, 3000), (0, 300))
        >>> f"{seen.estimate:.3f} [{seen.low:.4f}, {seen.high:.4f}]"
        '0.000 [-0.0021, 0.0168]'
    """
    share("alpha", alpha)
    for name, (events, n) in (("champion", champion), ("challenger", challenger)):
        counts(**{f"events of {name}": events, f"n of {name}": n})
        if events > n:
            raise ValueError(f"{name} has {events} events among {n}; count each trial once")
    n = min(champion[1], challenger[1])
    low, high = _bounds(champion, challenger, alpha)
    log_p = _log_p(champion, challenger)
    return AlwaysValid(
        method=_METHOD,
        estimate=_rate(challenger) - _rate(champion),
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        log_e=None,
        n=n,
        note="" if n else "an arm has no trial yet",
    )


def _bounds(champion: tuple[int, int], challenger: tuple[int, int], alpha: float) -> tuple[float, float]:
    ours, theirs = _interval(champion, alpha / 2), _interval(challenger, alpha / 2)
    return theirs[0] - ours[1], theirs[1] - ours[0]


def _interval(arm: tuple[int, int], alpha: float) -> tuple[float, float]:
    events, n = arm
    if n == 0:
        return 0.0, 1.0
    mixed = log_mixture(np.array([events, n - events], dtype=np.float64), _PRIOR)
    return share_interval(float(events), float(n), mixed, alpha)


def _log_p(champion: tuple[int, int], challenger: tuple[int, int]) -> float:
    """The least alpha at which the interval leaves 0 out."""
    low, high = _LEAST_LOG_ALPHA, math.log(0.999)
    if not _excludes(champion, challenger, high):
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _excludes(champion, challenger, middle) else (middle, high)
    return high


def _excludes(champion: tuple[int, int], challenger: tuple[int, int], log_alpha: float) -> bool:
    low, high = _bounds(champion, challenger, math.exp(log_alpha))
    return low > 0 or high < 0


def _rate(arm: tuple[int, int]) -> float:
    return arm[0] / arm[1] if arm[1] else 0.0
