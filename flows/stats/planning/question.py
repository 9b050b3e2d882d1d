"""What is to be found out, in numbers."""

from dataclasses import dataclass
from typing import Literal

from flows.stats.multiplicity import guardrail_power

Kind = Literal["rate", "mean", "area"]
SpendingName = Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    What is to be found out.

    Attributes:
        kind: "rate" (a share of successes), "mean" or "area" (under the ROC curve).
        champion: Expected value of the champion; of a mean it does not matter.
        effect: Challenger minus champion, more is better.
        margin: Above 0: the question is non-inferiority, and effect is usually 0.
        sd: Of one row, for means.
        discordance: For rates on the same rows: share of rows on which exactly one is right.
        correlation: Between both models on the same rows: of per-row losses (means), or of
            the estimated areas.
        ones: Share of ones, for areas.
        paired: Whether both models can be measured on the same rows.
        alpha, power: Error rate, and chance to see the effect.
        share: Part of the callers that the challenger answers in a split.
        guardrails: Metrics that must not become worse; they raise the power that each needs.
        looks, spending: Of the group sequential design.
        per_key, icc: Labelled requests per key, and how alike they are.
        covariate: Correlation of the metric with a covariate known before (CUPED), in a split.
    """

    kind: Kind
    champion: float
    effect: float
    margin: float = 0.0
    sd: float | None = None
    discordance: float | None = None
    correlation: float = 0.5
    ones: float = 0.5
    paired: bool = True
    alpha: float = 0.05
    power: float = 0.8
    share: float = 0.5
    guardrails: int = 0
    looks: int = 10
    spending: SpendingName = "obrien_fleming"
    per_key: float = 1.0
    icc: float = 0.0
    covariate: float = 0.0

    @property
    def each_power(self) -> float:
        """What each metric needs, so that all of them together have the power."""
        return guardrail_power(self.power, self.guardrails)

    @property
    def ratio(self) -> float:
        """Challenger's rows per row of the champion, in a split."""
        return self.share / (1 - self.share)
