"""Thompson sampling: traffic by how likely each arm is the best, with a floor for every arm."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from flows.stats.bayes.beliefs import Belief
from flows.stats.bayes.quadrature import Floats, breaks, expectation
from flows.stats.checks import counts

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """
    Traffic for the next period.

    Attributes:
        weights: Parts of the total per arm; they add up to it exactly.
        best: P(arm is the best).
        note: Why traffic does not follow `best`, if it does not.
    """

    weights: dict[str, int]
    best: dict[str, float]
    note: str = ""


def best_arm_probabilities(arms: Mapping[str, Belief]) -> dict[str, float]:
    """
    P(arm has the largest mean), by quadrature.

    Args:
        arms: What is believed of each, from `mean_belief`, `rate_belief` or `count_belief`.

    Returns:
        Adds up to 1 but for rounding. Equal for all if an arm has no variance to go by.

    Raises:
        ValueError: If there is no arm.

    Source:
        Thompson (1933), Biometrika 25:285-294; Scott (2010), Appl. Stoch. Models Bus. Ind.
        26:639-658, eq. 2. Two rates agree with Miller (2015); the example is exact by symmetry.

    Example:
        >>> from flows.stats.bayes.beliefs import rate_belief
        >>> best = best_arm_probabilities({name: rate_belief(30, 100) for name in "abc"})
        >>> [round(share, 9) for share in best.values()]
        [0.333333333, 0.333333333, 0.333333333]
    """
    if not arms:
        raise ValueError("arms is empty; give at least one")
    if len(arms) == 1 or unknown_arms(arms):
        return dict.fromkeys(arms, 1 / len(arms))
    places = breaks(list(arms.values()))
    found = {name: expectation(belief, _all_below(arms, name), places) for name, belief in arms.items()}
    total = sum(found.values())
    return {name: share / total for name, share in found.items()}


def thompson_weights(arms: Mapping[str, Belief], *, floor: float = 0.0, total: int = MILLION) -> Allocation:
    """
    Traffic weights f + (1 - k f) w: w is P(arm is the best), f the floor of each of k arms.

    The floor is added, not clipped: arms keep their order, and every arm's logged
    propensity stays at least f, which `offpolicy` needs.

    Args:
        arms: As of `best_arm_probabilities`.
        floor: Least share of every arm; at most 1/k.
        total: What the weights add up to, rounded by largest remainders.

    Returns:
        Equal weights, with a note, while an arm has no variance to go by.

    Raises:
        ValueError: If there is no arm, the floor does not fit, or total is below the number of arms.

    Source:
        As `best_arm_probabilities`; additive floor as in gbstats (`min_variation_weight`).

    Example:
        >>> from flows.stats.bayes.beliefs import rate_belief
        >>> arms = {"champion": rate_belief(50, 1000), "challenger": rate_belief(65, 1000)}
        >>> thompson_weights(arms, floor=0.1).weights
        {'champion': 160416, 'challenger': 839584}
    """
    k = len(arms)
    if not (math.isfinite(floor) and floor >= 0 and floor * k <= 1 + 1e-12):
        raise ValueError(f"floor is {floor} for {k} arms; it must lie between 0 and 1/{k}")
    counts(total=total)
    if total < k:
        raise ValueError(f"total is {total} for {k} arms; give a whole number of at least {k}")
    best = best_arm_probabilities(arms)
    shares = {name: floor + (1 - k * floor) * share for name, share in best.items()}
    unknown = unknown_arms(arms)
    said = f"equal weights until {', '.join(unknown)} has at least two different values" if unknown and k > 1 else ""
    return Allocation(weights=largest_remainder(shares, total), best=best, note=said or _alone(k))


def unknown_arms(arms: Mapping[str, Belief]) -> list[str]:
    """Arms whose belief has no finite, positive spread."""
    return [name for name, belief in arms.items() if not 0 < belief.sd < math.inf]


def largest_remainder(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """
    Whole parts that add up to *total*, each within 1 of its exact share.

    Args:
        shares: At least 0; in any unit.

    Source:
        Hamilton's method; ties go to the earlier arm.

    Example:
        >>> largest_remainder({"a": 1, "b": 1, "c": 1}, 100)
        {'a': 34, 'b': 33, 'c': 33}
    """
    exact = np.array(list(shares.values()), dtype=np.float64)
    if not (np.all(np.isfinite(exact)) and np.all(exact >= 0) and exact.sum() > 0):
        raise ValueError(f"shares are {dict(shares)}; they must be finite, at least 0, and not all 0")
    counts(total=total)
    exact *= total / exact.sum()
    parts = np.floor(exact).astype(np.int64)
    order = np.argsort(parts - exact, kind="stable")
    parts[order[: int(total) - int(parts.sum())]] += 1
    return {name: int(part) for name, part in zip(shares, parts, strict=True)}


def _all_below(arms: Mapping[str, Belief], best: str) -> Callable[[Floats], Floats]:
    others = [belief for name, belief in arms.items() if name != best]
    return lambda x: np.asarray(np.prod([belief.cdf(x) for belief in others], axis=0))


def _alone(k: int) -> str:
    return "a single arm gets everything" if k == 1 else ""
