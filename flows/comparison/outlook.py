"""How far a comparison has come: power reached, and data still needed."""

import math

from scipy.special import ndtr, ndtri

from flows.comparison.decide import Findings, Ruling
from flows.comparison.findings import plain
from flows.stats.bayes.beliefs import Normal
from flows.stats.bayes.posterior import posterior
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Finding

_HOPELESS = 1000.0  # a million times the data: no forecast


def more_needed(ruling: Ruling, n: int, need: int) -> int | None:
    """
    Rows still expected until there is a verdict, if the effects stay as they are seen now.

    An interval shrinks with the root of n, so one that must shrink by a factor f needs f^2
    times the data. None if more data would change nothing, or no effect was seen yet.

    Example:
        >>> from registry.records.verdict import Finding
        >>> f = Finding(name="auc", passed=None, said="", estimate=0.01, low=-0.01, high=0.03, n=500, role="primary",
        ...             threshold=0.0)
        >>> more_needed(Ruling("continue", "", (f,)), 500, 200)
        1500
    """
    if ruling.outcome != "continue":
        return None
    short = max(0, need - n)
    opened = [f for f in ruling.findings if f.role in ("primary", "guardrail") and f.passed is None]
    wanted = [_wanted(f, n) for f in opened]
    known = [more for more in wanted if more is not None]
    if len(known) < len(wanted) or not known:
        return short or None
    return max(short, *known)


def _wanted(f: Finding, n: int) -> int | None:
    if f.estimate is None or f.low is None or n == 0:
        return None
    distance, half = f.estimate - (f.threshold or 0.0), f.estimate - f.low
    if distance <= 0 or half <= 0 or half / distance > _HOPELESS:
        return None
    return max(0, math.ceil(n * (half / distance) ** 2 - n))


def power_reached(primary: Finding | None, policy: PromotionPolicy) -> float | None:
    """
    Chance that this much data shows an improvement of the size that the policy asks for.

    From the standard error behind the interval of a test that was looked at once; None for
    an always-valid one, which may be looked at again.
    """
    if primary is None or primary.low is None or primary.high is None or primary.always_valid:
        return None
    z = float(ndtri(1 - policy.alpha / 2))
    error = (primary.high - primary.low) / (2 * z)
    aim = policy.min_improvement * abs(primary.champion or 0.0)
    if policy.rule == "non_inferiority":
        aim = -(primary.threshold or 0.0)
    if error <= 0 or aim <= 0:
        return None
    return float(ndtr(aim / error - z))


def side_view(ruling: Ruling, policy: PromotionPolicy) -> Findings:
    """
    The same effect for a Bayesian reader: chance that it is better, and what choosing it would cost if not.

    A flat prior and the normal distribution behind the interval of a test that was looked at
    once. Reported, never decisive.
    """
    primary = next((f for f in ruling.findings if f.role == "primary"), None)
    if primary is None or primary.low is None or primary.high is None or primary.always_valid:
        return ()
    error = (primary.high - primary.low) / (2 * float(ndtri(1 - policy.alpha / 2)))
    if error <= 0 or primary.estimate is None:
        return ()
    half = error / math.sqrt(2)  # the difference of two such has the error that was seen
    ours = Normal(mean=0.0, sd=half, n=primary.n)
    seen = posterior(ours, Normal(mean=primary.estimate, sd=half, n=primary.n))
    said = (
        f"chance that it is better on {primary.name}: {_chance(seen.p_better, seen.log_p_worse)}; expected loss if it "
        f"is chosen and is not: {seen.loss:.2g}, if it is better and not chosen: {seen.loss_of_keeping:.2g} "
        "(flat prior; decides nothing)"
    )
    return (plain("Bayesian side view", None, said, primary.n),)


def _chance(p_better: float, log_p_worse: float) -> str:
    return f"{p_better:.1%}" if p_better <= 0.999 else f"all but 10^{log_p_worse / math.log(10):.1f}"
