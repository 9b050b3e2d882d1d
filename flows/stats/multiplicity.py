"""Several questions at once: goals share alpha, guardrails share power."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.stats import checks
from flows.stats.results import probability

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """
    One hypothesis among several.

    Attributes:
        log_p: Adjusted log p-value, exact where p_value would underflow.
        p_value: Adjusted, above 0; compare with alpha.
        rejected: Whether it is, at alpha for the family.
    """

    p_value: float
    log_p: float
    rejected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """
    How wide an interval must be to hold together with those of the other hypotheses.

    Attributes:
        confidence: Two-sided coverage to compute the interval with; 0 where sign_only.
        sign_only: The family's error rate is used up: only "not 0, and on this side" may
            be said of this effect.
    """

    confidence: float
    sign_only: bool = False


def adjust(log_p: Mapping[str, float], *, method: str = "holm", alpha: float = 0.05) -> dict[str, Adjusted]:
    """
    Adjust the p-values of several goals.

    Works on logarithms throughout, so that p-values far below 1e-308 keep their order and
    size; `statsmodels.stats.multitest.multipletests` returns 0 for them and agrees elsewhere.

    Args:
        log_p: Natural log of each goal's p-value. Always-valid p-values stay always-valid.
        method: "bonferroni", "holm", "hommel" (family-wise, the latter for independent or
            positively dependent tests), "hochberg" (as hommel, weaker), "bh" (false
            discovery rate, Benjamini-Hochberg), "by" (the same under any dependence).
        alpha: Family-wise error rate or false discovery rate.

    Returns:
        In the order given.

    Raises:
        ValueError: If a log p-value is NaN or above 0, the method is unknown, or alpha is
            out of range.

    Source:
        Holm (1979); Hommel (1988); Hochberg (1988); Benjamini and Hochberg (1995);
        Benjamini and Yekutieli (2001); algorithm for Hommel: Wright (1992), Biometrics
        48:1005-1013. The example agrees with `multipletests`.

    Example:
        >>> goals = {str(p): math.log(p) for p in (0.001, 0.012, 0.02, 0.03, 0.5)}
        >>> [round(one.p_value, 4) for one in adjust(goals, method="holm").values()]
        [0.005, 0.048, 0.06, 0.06, 0.5]
        >>> [round(one.p_value, 4) for one in adjust(goals, method="hommel").values()]
        [0.005, 0.04, 0.045, 0.06, 0.5]
    """
    checks.share("alpha", alpha)
    return {
        name: Adjusted(p_value=probability(one), log_p=one, rejected=one <= math.log(alpha))
        for name, one in zip(log_p, adjusted(list(log_p.values()), method=method), strict=True)
    }


def adjusted(log_p: Sequence[float], *, method: str = "holm") -> list[float]:
    """
    Adjusted log p-values, in the order given.

    Args:
        log_p: Natural logs of p-values.
        method: As of `adjust`.

    Raises:
        ValueError: If a log p-value is NaN or above 0, or the method is unknown.

    Source:
        As `adjust`.

    Example:
        >>> [round(one, 4) for one in adjusted([-2000.0, -1000.0], method="bonferroni")]
        [-1999.3069, -999.3069]
    """
    values = _logs(log_p)
    if method not in _METHODS:
        raise ValueError(f"method is {method!r}; give one of {', '.join(map(repr, _METHODS))}")
    order = np.argsort(values, kind="stable")
    raised = np.empty(values.size)
    raised[order] = np.minimum(0.0, _METHODS[method](values[order]))
    return [float(value) for value in raised]


def simultaneous_levels(log_p: Mapping[str, float], *, method: str = "holm", alpha: float = 0.05) -> dict[str, Level]:
    """
    Confidence levels at which the intervals of all goals hold together.

    Args:
        log_p: As of `adjust`.
        method: "bonferroni": the same level for all. "holm": intervals that agree with
            Holm's decisions. A rejected goal then only gets a sign, and the goals that are
            not rejected share alpha among themselves; once all are rejected, all get
            Bonferroni's level.
        alpha: Error rate of all intervals together.

    Source:
        Strassburger and Bretz (2008), Stat. Med. 27:4914-4927, eq. 4; Guilbaud (2008).

    Example:
        >>> levels = simultaneous_levels({"clicks": -9.0, "revenue": -1.0, "margin": -0.5})
        >>> [(name, level.confidence, level.sign_only) for name, level in levels.items()]
        [('clicks', 0.0, True), ('revenue', 0.975, False), ('margin', 0.975, False)]
    """
    if method not in ("bonferroni", "holm"):
        raise ValueError(f"method is {method!r}; give one of 'bonferroni', 'holm'")
    decided = adjust(log_p, method=method, alpha=alpha)
    open_goals = sum(not one.rejected for one in decided.values())
    if method == "bonferroni" or open_goals == 0:
        return dict.fromkeys(decided, Level(confidence=1 - alpha / max(1, len(decided))))
    shared = Level(confidence=1 - alpha / open_goals)
    return {name: Level(confidence=0.0, sign_only=True) if one.rejected else shared for name, one in decided.items()}


def guardrail_power(power: float, guardrails: int) -> float:
    """
    Power that each metric must have so that the decision as a whole has *power*.

    A promotion needs every guardrail to prove non-inferiority besides the goals, so
    guardrails need no smaller alpha, but each may only lose its share of beta.

    Args:
        power: Of the whole decision, strictly between 0 and 1.
        guardrails: How many must be proven non-inferior.

    Source:
        Schultzberg, Ankargren, Franberg (2024), arXiv 2402.11609, section 4; as
        `add_adjusted_power` of spotify-confidence.

    Example:
        >>> round(guardrail_power(0.8, 3), 10)
        0.95
    """
    checks.share("power", power)
    checks.counts(guardrails=guardrails)
    return 1 - (1 - power) / (guardrails + 1)


def _logs(log_p: Sequence[float]) -> Floats:
    bad = [str(value) for value in log_p if not value <= 0]
    if bad:
        raise ValueError(
            f"log_p: {len(bad)} of {len(log_p)} are NaN or above 0 ({', '.join(bad)}); give logarithms of p-values"
        )
    return np.array(log_p, dtype=np.float64)


def _bonferroni(log_p: Floats) -> Floats:
    return log_p + math.log(max(1, log_p.size))


def _holm(log_p: Floats) -> Floats:
    return np.asarray(np.maximum.accumulate(log_p + np.log(np.arange(log_p.size, 0, -1))))


def _hochberg(log_p: Floats) -> Floats:
    return _step_up(log_p + np.log(np.arange(log_p.size, 0, -1)))


def _bh(log_p: Floats) -> Floats:
    ranks = np.arange(1, log_p.size + 1)
    return _step_up(log_p + math.log(max(1, log_p.size)) - np.log(ranks))


def _by(log_p: Floats) -> Floats:
    return _bh(log_p) + math.log(np.sum(1 / np.arange(1, log_p.size + 1))) if log_p.size else log_p


def _hommel(log_p: Floats) -> Floats:
    """Each p-value is raised to the largest Simes p-value of the sets of tests that could hold it."""
    adjusted = log_p.copy()
    n = log_p.size
    for m in range(n, 1, -1):
        largest = log_p[n - m + 1 :] + math.log(m) - np.log(np.arange(2, m + 1))
        simes = float(np.min(largest))
        adjusted[n - m + 1 :] = np.maximum(adjusted[n - m + 1 :], simes)
        rest = np.minimum(simes, log_p[: n - m + 1] + math.log(m))
        adjusted[: n - m + 1] = np.maximum(adjusted[: n - m + 1], rest)
    return adjusted


def _step_up(raised: Floats) -> Floats:
    return np.asarray(np.minimum.accumulate(raised[::-1])[::-1])


_METHODS: dict[str, Callable[[Floats], Floats]] = {
    "bonferroni": _bonferroni,
    "holm": _holm,
    "hochberg": _hochberg,
    "hommel": _hommel,
    "bh": _bh,
    "by": _by,
}
