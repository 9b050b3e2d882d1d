"""What a challenger must show, declared before data is seen."""

from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record

Rule = Literal["superiority", "non_inferiority"]


class PromotionPolicy(Record, frozen=True, kw_only=True):
    """
    What a challenger must show before it answers everybody.

    Attributes:
        metric: Primary metric on the holdout: auc, accuracy, brier, log_loss
            (binary); mae, rmse, r2 (regression).
        rule: "superiority": the interval must lie above zero. "non_inferiority":
            above minus the margin, for routine refreshes of an ageing champion.
        margin: Tolerated relative deterioration of the loss, for non-inferiority.
        min_improvement: Relative improvement of the metric for promotion without a
            person; a smaller but significant one needs approval.
        alpha: Two-sided error rate of each test.
        min_holdout: Fewer holdout rows than this decide nothing.
        min_labelled: Fewer labelled live requests than this decide nothing.
        require_approval: People must agree before the first caller is answered.
    """

    metric: str
    rule: Rule = "superiority"
    margin: float = 0.02
    min_improvement: float = 0.05
    alpha: float = 0.05
    min_holdout: int = 200
    min_labelled: int = 100
    require_approval: bool = True

    def __post_init__(self) -> None:
        """Refuse a policy that could not decide."""
        mistakes = []
        if not 0 < self.alpha < 0.5:
            mistakes.append(f"alpha {self.alpha} is not between 0 and 0.5")
        if not 0 <= self.margin < 1:
            mistakes.append(f"margin {self.margin} is not between 0 and 1")
        if self.min_holdout < 2 or self.min_labelled < 2:
            mistakes.append("min_holdout and min_labelled must be at least 2")
        if mistakes:
            raise InvalidRecord.of("The promotion policy", mistakes, "See `understudy init --help` for a sound one.")
