"""The difference of two arms under adaptive allocation, looked at at any time."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from flows.stats import checks
from flows.stats.adaptive.offpolicy import PolicyValue, arm_difference
from flows.stats.moments import Moments
from flows.stats.results import AlwaysValid
from flows.stats.sequential.asymptotic import paired_sequence
from flows.stats.sequential.bounded import betting_sequence

_ROUNDING = 1e-9


def difference_sequence(value: PolicyValue, *, alpha: float = 0.05, tuned_to: int = 500) -> AlwaysValid:
    """
    Asymptotic confidence sequence of an IPS or DR difference.

    Args:
        value: From `arm_difference`, not self-normalised: only then are its terms unbiased
            whatever came before.
        alpha: Error rate over all looks together (asymptotically).
        tuned_to: Rows at which the interval is tightest.

    Raises:
        ValueError: If the estimate is self-normalised or clipped, or alpha is out of range.

    Source:
        Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), arXiv 2210.10768, section 4;
        sequence: Waudby-Smith et al., arXiv 2103.06476, theorem 2.8 (martingale differences).

    Example:
        >>> rng = np.random.default_rng(7)
        >>> arm = rng.integers(0, 2, 4000)
        >>> seen = difference_sequence(arm_difference(rng.random(4000) < 0.2 + 0.1 * arm, arm, np.full(4000, 0.5)))
        >>> seen.low < 0.1 < seen.high
        True
    """
    if value.method.startswith("SN") or value.weights.clipped:
        raise ValueError(
            f"value is {value.method} with {value.weights.clipped} clipped weights; "
            "give an IPS or DR difference, neither self-normalised nor clipped"
        )
    found = paired_sequence(Moments.of(value.terms), alpha=alpha, tuned_to=tuned_to)
    return replace(found, method=f"asymptotic confidence sequence, {value.method}")


def bounded_difference_sequence(
    rewards: ArrayLike,
    chosen: ArrayLike,
    propensities: ArrayLike,
    *,
    floor: float,
    low: float = 0.0,
    high: float = 1.0,
    alpha: float = 0.05,
) -> AlwaysValid:
    """
    Exact confidence sequence of the difference of two arms with bounded rewards.

    Valid at any sample size and for any bandit that keeps to the floor; wide where the
    floor is small, since every term may be as large as 1/floor.

    Args:
        rewards: Shape (n,), in order of time, each between *low* and *high*.
        chosen: Shape (n,): 1 challenger, 0 champion, anything else a further arm.
        propensities: Shape (n,), of the chosen arm when it was chosen.
        floor: Least propensity that either arm can ever have, fixed beforehand.
        low, high: Bounds of the rewards, known before the data.
        alpha: Error rate over all looks together.

    Raises:
        ValueError: As `arm_difference`; if a propensity of the two arms is below the floor, or
            a reward outside its bounds.

    Source:
        Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), arXiv 2210.10768, section 3,
        with rewards taken from the middle of their bounds.

    Example:
        >>> rng = np.random.default_rng(7)
        >>> arm = rng.integers(0, 2, 4000)
        >>> won = rng.random(4000) < 0.2 + 0.3 * arm
        >>> seen = bounded_difference_sequence(won, arm, np.full(4000, 0.5), floor=0.1)
        >>> 0 < seen.low < 0.3 < seen.high
        True
    """
    checks.share("floor", floor)
    r, arm, p = (
        checks.finite(name, given)
        for name, given in (("rewards", rewards), ("chosen", chosen), ("propensities", propensities))
    )
    checks.same_length(rewards=r, chosen=arm, propensities=p)
    below = int(np.count_nonzero((p < floor - _ROUNDING) & ((arm == 0) | (arm == 1))))
    if below:
        raise ValueError(f"propensities has {below} of {p.size} values below the floor {floor}; give the true floor")
    beyond = int(np.count_nonzero((r < low) | (r > high)))
    if beyond:
        raise ValueError(f"rewards has {beyond} of {r.size} values outside of {low} to {high}; give the true bounds")
    terms = arm_difference(r - (low + high) / 2, arm, p).terms
    bound = (high - low) / 2 / floor
    found = betting_sequence(np.clip(terms, -bound, bound), low=-bound, high=bound, against=0.0, alpha=alpha)
    return replace(found, method="betting confidence sequence, IPS difference")
