"""Sample ratio mismatch: did the split deal as planned?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """
    Counts against the plan.

    Attributes:
        p_value: Always-valid p-value: may be looked at after every request.
        p_chi2: Of a single look, Pearson's chi-square.
        deviation: Largest absolute difference between an observed and a planned share.
    """

    p_value: float
    p_chi2: float
    deviation: float
    n: int


def sample_ratio(counts: Mapping[str, int], weights: Mapping[str, float], *, strength: float = 100.0) -> SampleRatio:
    """
    Test counts of assigned requests against planned weights; arms of weight 0 are left out.

    Args:
        counts: Assigned requests per arm.
        weights: Planned weights in any unit.
        strength: Concentration of the Dirichlet prior around the plan.

    Source:
        Lindon and Malek (2022), NeurIPS, "Anytime-valid inference for multinomial count
        data": Bayes factor of a Dirichlet-multinomial against the plan.

    Example:
        >>> f"{sample_ratio({'a': 5200, 'b': 4800}, {'a': 1, 'b': 1}).p_value:.4f}"
        '0.0036'
    """
    arms = [arm for arm, weight in weights.items() if weight > 0]
    observed = np.array([counts.get(arm, 0) for arm in arms], dtype=np.float64)
    planned = np.array([weights[arm] for arm in arms], dtype=np.float64)
    n = int(observed.sum())
    if n == 0 or len(arms) < 2:
        return SampleRatio(p_value=1.0, p_chi2=1.0, deviation=0.0, n=n)
    planned /= planned.sum()
    prior = planned * strength
    log_bf = _log_beta(prior + observed) - _log_beta(prior) - float(np.sum(observed * np.log(planned)))
    return SampleRatio(
        p_value=min(1.0, math.exp(min(0.0, -log_bf))),
        p_chi2=float(stats.chisquare(observed, planned * n).pvalue),
        deviation=float(np.max(np.abs(observed / n - planned))),
        n=n,
    )


def _log_beta(a: NDArray[np.float64]) -> float:
    return float(np.sum(gammaln(a)) - gammaln(np.sum(a)))
