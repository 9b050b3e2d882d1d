"""Sample ratio mismatch: did the split deal as planned?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.stats import checks
from flows.stats.integrity.multinomial import log_likelihood_ratio, log_mixture, share_interval
from flows.stats.results import probability
from flows.stats.tails import log_chi2

STRENGTH = 1000.0
ALPHA = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRatio:
    """
    One arm's share of the requests.

    Attributes:
        planned, observed: Shares among the arms that were planned.
        low, high: Always-valid interval of the true share; holds for all arms together.
    """

    arm: str
    count: int
    planned: float
    observed: float
    low: float
    high: float

    @property
    def deviation(self) -> float:
        """Observed minus planned share."""
        return self.observed - self.planned


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """
    Counts against the plan.

    Attributes:
        p_value: Always-valid p-value: may be looked at after every request.
        p_chi2: Of a single look, Pearson's chi-square.
        deviation: Largest absolute difference between an observed and a planned share.
        n: Requests of the planned arms.
        log_p, log_p_chi2: Natural logarithms, exact where the p-values would underflow.
        log_e: Log e-value (Bayes factor) against the plan.
        chi2: Pearson's statistic; its degrees of freedom are the planned arms less one.
        arms: The planned arms, in the plan's order.
        unplanned: Arms with requests that the plan gives none, and how many.
        alpha: Error rate of the intervals, over all looks and arms together.
        note: What a reader must know; names the arms without a plan.
    """

    p_value: float
    p_chi2: float
    deviation: float
    n: int
    log_p: float = 0.0
    log_p_chi2: float = 0.0
    log_e: float = 0.0
    chi2: float = 0.0
    arms: tuple[ArmRatio, ...] = ()
    unplanned: tuple[tuple[str, int], ...] = ()
    alpha: float = ALPHA
    note: str = ""

    @property
    def mismatch(self) -> bool:
        """Whether the plan is rejected at alpha, however often it was looked at."""
        return self.log_p <= math.log(self.alpha)

    @property
    def worst(self) -> ArmRatio | None:
        """The arm furthest from its plan, in standard errors; None before the first request."""
        return max(self.arms, key=_standardised, default=None) if self.n else None


def sample_ratio(
    counts: Mapping[str, int],
    weights: Mapping[str, float],
    *,
    strength: float = STRENGTH,
    alpha: float = ALPHA,
) -> SampleRatio:
    """
    Test counts of assigned requests against planned weights.

    Arms of weight 0 do not take part; if they or arms that the plan does not know have
    requests all the same, `unplanned` and the note name them.

    Args:
        counts: Assigned requests per arm; an arm that is missing has none.
        weights: Planned weights in any unit.
        strength: Concentration of the Dirichlet prior around the plan. The default is
            most powerful for deviations of 2 points at 20,000 requests; smaller values
            see gross mismatches earlier, larger ones see finer mismatches later.
        alpha: Error rate of the intervals, over all looks and arms together.

    Raises:
        ValueError: If a count is negative or not whole, a weight negative or not finite,
            strength not above 0, or alpha out of range.

    Source:
        Lindon and Malek (2022), NeurIPS 35, "Anytime-valid inference for multinomial count
        data": Bayes factor of a Dirichlet-multinomial against the plan. The example's agrees
        with `ssrm_test.sequential_bayes_factors`.

    Example:
        >>> seen = sample_ratio({"a": 5200, "b": 4800}, {"a": 1, "b": 1})
        >>> f"p = {seen.p_value:.4f}, 1/p = {1 / seen.p_value:.3f}, one look {seen.p_chi2:.6f}"
        'p = 0.0023, 1/p = 435.205, one look 0.000063'
        >>> f"{seen.arms[0].observed:.3f} [{seen.arms[0].low:.3f}, {seen.arms[0].high:.3f}]"
        '0.520 [0.499, 0.541]'
    """
    _check(counts, weights, strength, alpha)
    arms = [arm for arm, weight in weights.items() if weight > 0]
    unplanned = tuple((arm, int(count)) for arm, count in counts.items() if count and arm not in arms)
    observed = np.array([counts.get(arm, 0) for arm in arms], dtype=np.float64)
    n, note = int(observed.sum()), _unplanned_note(unplanned, weights)
    if n == 0 or len(arms) < 2:
        return _nothing(arms, n, unplanned, alpha, note)
    planned = np.array([weights[arm] for arm in arms], dtype=np.float64)
    planned /= planned.sum()
    return _tested(arms, observed, planned, strength, alpha, unplanned, note)


def _tested(
    arms: list[str],
    observed: NDArray[np.float64],
    planned: NDArray[np.float64],
    strength: float,
    alpha: float,
    unplanned: tuple[tuple[str, int], ...],
    note: str,
) -> SampleRatio:
    n = float(observed.sum())
    mixed = log_mixture(observed, planned * strength)
    log_e = mixed + log_likelihood_ratio(observed, planned)
    chi2 = float(np.sum((observed - n * planned) ** 2 / (n * planned)))
    log_p_chi2 = log_chi2(chi2, observed.size - 1)
    ratios = tuple(
        ArmRatio(arm=arm, count=int(count), planned=float(plan), observed=count / n, low=low, high=high)
        for arm, count, plan in zip(arms, observed.tolist(), planned, strict=True)
        for low, high in (share_interval(count, n, mixed, alpha),)
    )
    return SampleRatio(
        p_value=probability(-log_e),
        p_chi2=probability(log_p_chi2),
        deviation=max(abs(arm.deviation) for arm in ratios),
        n=int(n),
        log_p=min(0.0, -log_e),
        log_p_chi2=log_p_chi2,
        log_e=log_e,
        chi2=chi2,
        arms=ratios,
        unplanned=unplanned,
        alpha=alpha,
        note=note,
    )


def _nothing(arms: list[str], n: int, unplanned: tuple[tuple[str, int], ...], alpha: float, note: str) -> SampleRatio:
    said = "no requests yet" if len(arms) > 1 else f"{len(arms)} arms with a weight: nothing to compare"
    return SampleRatio(
        p_value=1.0,
        p_chi2=1.0,
        deviation=0.0,
        n=n,
        unplanned=unplanned,
        alpha=alpha,
        note="; ".join(part for part in (said, note) if part),
    )


def _standardised(arm: ArmRatio) -> float:
    return abs(arm.deviation) / math.sqrt(arm.planned * (1 - arm.planned))


def _unplanned_note(unplanned: tuple[tuple[str, int], ...], weights: Mapping[str, float]) -> str:
    named = (
        f"arm {arm!r} {'has weight 0' if arm in weights else 'is not in the plan'} and yet {count} requests"
        for arm, count in unplanned
    )
    return "; ".join(named)


def _check(counts: Mapping[str, int], weights: Mapping[str, float], strength: float, alpha: float) -> None:
    checks.counts(**{f"count of {arm}": count for arm, count in counts.items()})
    bad = [f"{arm} has {weight}" for arm, weight in weights.items() if not (math.isfinite(weight) and weight >= 0)]
    if bad:
        raise ValueError(
            f"weights: {len(bad)} of {len(weights)} are negative or not finite ({', '.join(bad)}); mend them"
        )
    if not (math.isfinite(strength) and strength > 0):
        raise ValueError(f"strength is {strength}; it must be above 0")
    checks.share("alpha", alpha)
