"""Sample ratio mismatch over the phases of a ramp, each with weights of its own."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flows.stats import checks
from flows.stats.integrity.srm import ALPHA, STRENGTH, SampleRatio, sample_ratio
from flows.stats.multiplicity import adjusted
from flows.stats.results import probability


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRatio:
    """
    One phase against its own plan.

    Attributes:
        log_p: Always-valid, adjusted for all phases there are and will be.
        log_p_chi2: Of a single look, adjusted for the phases so far (Holm).
        ratio: Unadjusted.
    """

    phase: str
    log_p: float
    log_p_chi2: float
    ratio: SampleRatio


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasedRatio:
    """
    All phases against their plans.

    Attributes:
        p_value, log_p: Always-valid: at any time and after any number of phases.
        log_e: Log e-value against "every phase deals as planned".
        p_chi2, log_p_chi2: Of a single look: smallest Holm-adjusted chi-square p-value.
        n: Requests of planned arms in all phases.
        phases: In the order they ran.
        finding: Names the phase and the arm that deviate most, if the plan is rejected.
        note: What a reader must know, phase by phase.
    """

    p_value: float
    log_p: float
    log_e: float
    p_chi2: float
    log_p_chi2: float
    n: int
    phases: tuple[PhaseRatio, ...]
    alpha: float
    finding: str = ""
    note: str = ""

    @property
    def mismatch(self) -> bool:
        """Whether some phase's plan is rejected at alpha, however often it was looked at."""
        return self.log_p <= math.log(self.alpha)


def sample_ratio_by_phase(
    phases: Mapping[str, tuple[Mapping[str, int], Mapping[str, float]]],
    *,
    strength: float = STRENGTH,
    alpha: float = ALPHA,
) -> PhasedRatio:
    """
    Test the counts of every phase against the weights of that phase.

    Adding up counts over phases with different weights would test a plan that no phase
    had. Half of the evidence is staked on a mismatch that persists through all phases
    (the product of their e-values), half on one that is in a single phase: the j-th gets
    1/(j (j + 1)) of it, so that any number of phases may follow.

    Args:
        phases: Counts and planned weights per phase, in the order they ran.
        strength: As of `sample_ratio`.
        alpha: Error rate over all looks and phases together.

    Raises:
        ValueError: As `sample_ratio`; the phase is named.

    Source:
        Lindon and Malek (2022), NeurIPS 35 (e-value of a phase); Vovk and Wang (2021), Ann.
        Statist. 49:1736-1754 (products and averages of e-values); Holm (1979).

    Example:
        >>> ramp = {
        ...     "10 %": ({"champion": 9_010, "challenger": 990}, {"champion": 9, "challenger": 1}),
        ...     "50 %": ({"champion": 10_500, "challenger": 9_500}, {"champion": 1, "challenger": 1}),
        ... }
        >>> seen = sample_ratio_by_phase(ramp)
        >>> f"p = {seen.p_value:.1e}: {seen.finding}"
        "p = 8.5e-10: phase '50 %': arm 'champion' got 52.50 % of 20000 requests instead of 50.00 %"
    """
    checks.share("alpha", alpha)
    ratios = {name: _ratio(name, *given, strength, alpha) for name, given in phases.items()}
    log_e = _combined([ratio.log_e for ratio in ratios.values()])
    log_chi2 = adjusted([ratio.log_p_chi2 for ratio in ratios.values()])
    found = tuple(
        PhaseRatio(phase=name, log_p=min(0.0, ratio.log_p + math.log(j * (j + 1))), log_p_chi2=chi2, ratio=ratio)
        for j, ((name, ratio), chi2) in enumerate(zip(ratios.items(), log_chi2, strict=True), start=1)
    )
    log_p_chi2 = min(log_chi2, default=0.0)
    return PhasedRatio(
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        p_chi2=probability(log_p_chi2),
        log_p_chi2=log_p_chi2,
        n=sum(ratio.n for ratio in ratios.values()),
        phases=found,
        alpha=alpha,
        finding=_finding(found) if -log_e <= math.log(alpha) else "",
        note="; ".join(f"phase {name!r}: {ratio.note}" for name, ratio in ratios.items() if ratio.note),
    )


def _ratio(
    name: str, counts: Mapping[str, int], weights: Mapping[str, float], strength: float, alpha: float
) -> SampleRatio:
    try:
        return sample_ratio(counts, weights, strength=strength, alpha=alpha)
    except ValueError as error:
        raise ValueError(f"phase {name!r}: {error}") from error


def _combined(log_e: list[float]) -> float:
    """Log of half the product and half the weighted mean of e-values; phases to come have e-value 1."""
    stakes = [1 / (j * (j + 1)) for j in range(1, len(log_e) + 1)]
    parts = [sum(log_e), *log_e, 0.0]
    shares = [0.5, *(0.5 * stake for stake in stakes), 0.5 * (1 - sum(stakes))]
    return float(np.logaddexp.reduce(np.array(parts) + np.log(shares)))


def _finding(phases: tuple[PhaseRatio, ...]) -> str:
    phase = min(phases, key=lambda one: one.ratio.log_p)
    worst = phase.ratio.worst
    if worst is None:
        return ""
    dealt = f"{worst.observed:.2%}".replace("%", " %"), f"{worst.planned:.2%}".replace("%", " %")
    return f"phase {phase.phase!r}: arm {worst.arm!r} got {dealt[0]} of {phase.ratio.n} requests instead of {dealt[1]}"
