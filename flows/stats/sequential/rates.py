"""
Two rates of different callers, without asymptotics: each event is a bet on the arm it fell to.

If a caller is dealt to the challenger with probability w and both rates are equal, then each
event (say, an error) falls to the challenger with probability w, whatever the rate is. So the
Beta mixture of the discordant pairs does here, too, and rare events need no minimum.
"""

import math

from flows.stats.checks import counts, share
from flows.stats.results import AlwaysValid, probability
from flows.stats.sequential.discrete import Tally, interval, log_wealth
from flows.stats.sequential.mixture import tuning

_EXACT = "e-process on the arms of events (Beta mixture)"


def two_rates_sequence(
    champion: tuple[int, int],
    challenger: tuple[int, int],
    *,
    challenger_share: float | None = None,
    alpha: float = 0.05,
    tuned_to: float = 50,
) -> AlwaysValid:
    """
    Difference of two success rates over different callers.

    Bets on the rarer outcome, successes or failures. Efficient where that is below about 10 %;
    between, `two_sample_sequence` is narrower: near 50 % it needs half of the callers.

    Args:
        champion, challenger: (successes, n), cumulative.
        challenger_share: Probability of being dealt to the challenger, as the plan says. Without it the
            share seen is taken, and validity over time is measured (see the docs) rather than proven.
        alpha: Error rate over all looks together.
        tuned_to: Number of rarer outcomes, both arms together, at which the interval is tightest.

    Returns:
        Difference of rates with an exact confidence sequence; it excludes 0 exactly when the e-value exceeds
        1 / alpha, as long as callers are dealt as the share says.

    Raises:
        ValueError: If there are more successes than callers, or the share or alpha is out of range.

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86:1-27, sec. 4, for the inverse-propensity weighted
        outcomes; equal rates: Turner, Ly, Grünwald (2024), J. Stat. Plan. Inference 230, in the limit of rare events.

    Example:
        >>> seen = two_rates_sequence((10, 10_000), (40, 10_000), challenger_share=0.5, tuned_to=15.876)
        >>> f"{seen.estimate:.4f} [{seen.low:.4f}, {seen.high:.4f}] log e = {seen.log_e:.3f}"
        '0.0030 [0.0009, 0.0055] log e = 7.673'
    """
    w, concentration = _dealt(champion, challenger, challenger_share), 1 / tuning(alpha, tuned_to)
    (won1, n1), (won2, n2) = champion, challenger
    if not 0 < w < 1:
        return _silent(_EXACT, champion, challenger, "an arm has no callers")
    failures = 2 * (won1 + won2) > n1 + n2
    rare1, rare2 = (n1 - won1, n2 - won2) if failures else (won1, won2)
    if rare1 + rare2 == 0:
        return _silent(_EXACT, champion, challenger, "no caller differs from the others")
    tally = Tally((0.0, w, 1.0), (rare1, n1 + n2 - rare1 - rare2, rare2))
    log_e = log_wealth(tally, w, concentration)
    ends = [_difference(end, w) for end in interval(tally, concentration, alpha, pivot=w)]
    low, high = (-ends[1], -ends[0]) if failures else (ends[0], ends[1])
    estimate = won2 / n2 - won1 / n1
    return _answer(_EXACT, (estimate, min(low, estimate), max(high, estimate)), log_e, min(n1, n2))


def rate_ratio_sequence(
    champion: tuple[int, int],
    challenger: tuple[int, int],
    *,
    challenger_share: float | None = None,
    alpha: float = 0.05,
    tuned_to: float = 50,
) -> AlwaysValid:
    """
    Relative lift of a success rate, challenger / champion - 1, exact from the first success.

    Args:
        champion, challenger: (successes, n), cumulative.
        challenger_share: As in `two_rates_sequence`.
        alpha: Error rate over all looks together.
        tuned_to: Number of successes, both arms together, at which the interval is tightest.

    Returns:
        The lift, 0.05 for 5 % more; infinite while the champion has no success, but bounded below.

    Raises:
        ValueError: As `two_rates_sequence`.

    Source:
        Robbins (1970) for the share of successes that fall to the challenger, which is
        w r / (1 - w + w r) if r is the ratio of rates and w the challenger's share of callers.

    Example:
        >>> seen = rate_ratio_sequence((10, 10_000), (40, 10_000), challenger_share=0.5, tuned_to=15.876)
        >>> f"{seen.estimate:.1f} [{seen.low:.3f}, {seen.high:.3f}] log e = {seen.log_e:.3f}"
        '3.0 [0.473, 15.058] log e = 7.673'
    """
    method = f"{_EXACT}, ratio"
    w, concentration = _dealt(champion, challenger, challenger_share), 1 / tuning(alpha, tuned_to)
    (won1, n1), (won2, n2) = champion, challenger
    if not 0 < w < 1:
        return _silent(method, champion, challenger, "an arm has no callers")
    if won1 + won2 == 0:
        return _silent(method, champion, challenger, "no success in either arm")
    tally = Tally((0.0, 1.0), (won1, won2))
    log_e = log_wealth(tally, w, concentration)
    low, high = (_lift(end, w) for end in interval(tally, concentration, alpha, pivot=w))
    if not won1:
        return _answer(method, (math.inf, low, math.inf), log_e, min(n1, n2), "the champion has no success")
    estimate = (won2 / n2) / (won1 / n1) - 1
    return _answer(method, (estimate, min(low, estimate), max(high, estimate)), log_e, min(n1, n2))


def _dealt(champion: tuple[int, int], challenger: tuple[int, int], given: float | None) -> float:
    """Probability that a caller is dealt to the challenger."""
    for name, (won, n) in (("champion", champion), ("challenger", challenger)):
        counts(**{f"successes of {name}": won, f"n of {name}": n})
        if won > n:
            raise ValueError(f"{name} has {won} successes among {n}; there cannot be more than callers")
    if given is not None:
        return share("challenger_share", given) if champion[1] and challenger[1] else 0.0
    total = champion[1] + challenger[1]
    return challenger[1] / total if total else 0.0


def _difference(place: float, w: float) -> float:
    """From the scale between -1 / (1 - w) and 1 / w to a difference of rates."""
    return max(-1.0, min(1.0, (place - w) / (w * (1 - w))))


def _lift(place: float, w: float) -> float:
    return place * (1 - w) / ((1 - place) * w) - 1 if place < 1 else math.inf


def _silent(method: str, champion: tuple[int, int], challenger: tuple[int, int], note: str) -> AlwaysValid:
    n = min(champion[1], challenger[1])
    return AlwaysValid(
        method=method,
        estimate=0.0,
        low=-math.inf,
        high=math.inf,
        p_value=1.0,
        log_p=0.0,
        log_e=0.0,
        n=n,
        note=note,
    )


def _answer(method: str, found: tuple[float, float, float], log_e: float, n: int, note: str = "") -> AlwaysValid:
    estimate, low, high = found
    return AlwaysValid(
        method=method,
        estimate=estimate,
        low=low,
        high=high,
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        n=n,
        note=note,
    )
