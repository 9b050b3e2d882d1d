"""The difference of two arms under adaptive allocation, looked at at any time."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from flows.stats import checks
from flows.stats.adaptive.offpolicy import arm_difference
from flows.stats.results import AlwaysValid
from flows.stats.sequential.bounded import betting_sequence

_ROUNDING = 1e-9


def bounded_difference_sequence(
    rewards: ArrayLike,
    chosen: ArrayLike,
    propensities: ArrayLike,
    *,
    floor: float,
    low: float = 0.0,
    high: float = 1.0,
    centre: float | None = None,
    alpha: float = 0.05,
) -> AlwaysValid:
    """
    Exact confidence sequence of the difference of two arms with bounded rewards.

    Valid at any sample size and for any bandit that keeps to the floor; wide where the
    floor is small, since every term may be as large as 1/floor. An asymptotic sequence is
    no way out: before the rare large terms are seen, their variance is underestimated.

    Args:
        rewards: Shape (n,), in order of time, each between *low* and *high*.
        chosen: Shape (n,): 1 challenger, 0 champion, anything else a further arm.
        propensities: Shape (n,), of the chosen arm when it was chosen.
        floor: Least propensity that either arm can ever have, fixed beforehand.
        low, high: Bounds of the rewards, known before the data.
        centre: Guess of the mean reward, made beforehand; the closer, the narrower. The
            middle of the bounds by default.
        alpha: Error rate over all looks together.

    Raises:
        ValueError: As `arm_difference`; if a propensity of the two arms is below the floor, or
            a reward or the centre outside the bounds.

    Source:
        Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), arXiv 2210.10768, section 3,
        with rewards taken from a constant (DR with a constant prediction).

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
    middle = (low + high) / 2 if centre is None else centre
    if not low <= middle <= high:
        raise ValueError(f"centre is {middle}; it must lie between {low} and {high}")
    terms = arm_difference(r - middle, arm, p).terms
    bound = max(high - middle, middle - low) / floor
    found = betting_sequence(np.clip(terms, -bound, bound), low=-bound, high=bound, against=0.0, alpha=alpha)
    return replace(found, method="betting confidence sequence, IPS difference")
