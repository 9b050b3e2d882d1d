"""How large a mistake of the split can be found by the test for sample ratio mismatch."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats.checks import number, share
from flows.stats.planning.solving import positive, smallest_effect, smallest_n


def split_power(n: float, planned: Sequence[float], seen: Sequence[float], *, alpha: float = 0.001) -> float:
    """
    Chance that Pearson's chi-square finds a split that is not the planned one.

    Args:
        n: Requests, of all arms.
        planned, seen: Weights in any unit; arms of weight 0 are left out.
        alpha: Error rate.

    Source:
        Cohen (1988), Statistical Power Analysis, ch. 7; agrees with R `pwr::pwr.chisq.test` and
        `statsmodels.stats.power.GofChisquarePower`.

    Example:
        >>> f"{split_power(20_000, [50, 50], [52, 48]):.4f}"
        '0.9910'
    """
    expected, actual = _shares(planned, seen)
    effect = float(np.sum((actual - expected) ** 2 / expected))
    return goodness_power(n, math.sqrt(effect), expected.size - 1, alpha=alpha)


def split_n(planned: Sequence[float], seen: Sequence[float], *, power: float = 0.8, alpha: float = 0.001) -> float:
    """
    Requests after which such a split is found.

    Example:
        >>> f"{split_n([50, 50], [52, 48]):.0f}"
        '10672'
    """
    if not np.any(np.subtract(*_shares(planned, seen))):
        raise ValueError("seen is what was planned; there is nothing to find")
    return smallest_n(lambda n: split_power(n, planned, seen, alpha=alpha), power, least=1e-3)


def detectable_split(n: float, challenger: float = 0.5, *, power: float = 0.8, alpha: float = 0.001) -> float:
    """
    Smallest excess of the challenger's share that *n* requests would reveal.

    Args:
        n: Requests of both arms.
        challenger: Planned share.
        power: Chance of finding it.
        alpha: Error rate.

    Returns:
        In shares: 0.02 means 52 instead of 50 %.

    Example:
        >>> f"{detectable_split(20_000):.4f}"
        '0.0146'
    """
    share("challenger", challenger)
    plan = (1 - challenger, challenger)

    def found(excess: float) -> float:
        return split_power(n, plan, (1 - challenger - excess, challenger + excess), alpha=alpha)

    return smallest_effect(found, power, largest=(1 - challenger) * (1 - 1e-9))


def goodness_power(n: float, effect: float, freedom: int, *, alpha: float = 0.05) -> float:
    """
    Power of a chi-square test.

    Args:
        n: Rows.
        effect: Cohen's w.
        freedom: Degrees of freedom.
        alpha: Error rate.

    Example:
        >>> f"{goodness_power(100, 0.289, 3):.4f}"  # R: pwr.chisq.test(w = 0.289, df = 3, N = 100) gives 0.6750777
        '0.6751'
    """
    share("alpha", alpha)
    positive("freedom", freedom), number("effect", effect)
    bound = float(special.chdtri(freedom, alpha))
    strength = positive("n", n) * effect**2
    if strength == 0:
        return alpha
    # The series of the noncentral distribution is slow far out, where the answer is known.
    if strength > 1e4:
        spread = math.sqrt(2 * (freedom + 2 * strength))
        return float(special.ndtr((freedom + strength - bound) / spread))
    return 1 - float(special.chndtr(bound, freedom, strength))


def _shares(planned: Sequence[float], seen: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    expected, actual = np.asarray(planned, dtype=np.float64), np.asarray(seen, dtype=np.float64)
    if expected.shape != actual.shape or expected.ndim != 1:
        raise ValueError(f"planned has {expected.size} and seen {actual.size} weights; give one per arm to both")
    kept = expected > 0
    if (
        np.count_nonzero(kept) < 2
        or not np.all((actual >= 0) & np.isfinite(actual))
        or not np.all(np.isfinite(expected) & (expected >= 0))
    ):
        raise ValueError(
            f"planned is {planned} and seen {seen}; planned needs two weights above 0, and no weight may be negative"
        )
    if not actual[kept].any():
        raise ValueError("seen has no weight on the planned arms; give what they got")
    return expected[kept] / expected[kept].sum(), actual[kept] / actual[kept].sum()
