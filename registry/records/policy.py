"""What a challenger must show, declared before data is seen."""

import math
from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record

Rule = Literal["superiority", "non_inferiority"]
Direction = Literal["higher", "lower"]
Method = Literal["always_valid", "group_sequential", "fixed"]
Spending = Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"]
Correction = Literal["holm", "hommel", "bh"]

# A rate, an area, a ratio: more is better. Everything else that we know by name is an error or a time.
HIGHER_IS_BETTER = frozenset({"auc", "accuracy", "r2", "f1", "precision", "recall", "pr_auc"})
LOWER_IS_BETTER = frozenset(
    {"brier", "log_loss", "calibration", "loss", "mae", "rmse", "mape", "latency_ms", "error_rate"}
)


def direction_of(metric: str, declared: Direction | None = None) -> Direction:
    """Which way is better: as declared, else as known by name; of a KPI, more."""
    return declared or ("lower" if metric in LOWER_IS_BETTER else "higher")


def default_improvement(metric: str) -> float:
    """
    Relative improvement for promotion without a person: 2 % of AUC, 5 % of anything else.

    Example:
        >>> default_improvement("auc"), default_improvement("revenue")
        (0.02, 0.05)
    """
    return 0.02 if metric == "auc" else 0.05


class Guardrail(Record, frozen=True, kw_only=True):
    """
    A metric that may not become worse by more than a margin.

    Attributes:
        metric: accuracy, auc, brier, log_loss, calibration, mae, rmse, latency_ms,
            error_rate, or the name of a KPI.
        margin: Largest tolerated deterioration.
        relative: Whether the margin is a share of the champion's value, or in the metric's unit.
        direction: Which way is better; known for metrics, "higher" for KPIs.
        slack: Deterioration that is tolerated beyond the margin, in the metric's unit: half of a
            tenth of a millisecond is no reason to reject anything.
    """

    metric: str
    margin: float
    relative: bool = True
    direction: Direction | None = None
    slack: float = 0.0


class PromotionPolicy(Record, frozen=True, kw_only=True):
    """
    What a challenger must show before it answers everybody.

    Attributes:
        metric: Primary metric: auc, accuracy, brier, log_loss (binary); mae, rmse, r2
            (regression); or a KPI.
        direction: Which way is better; known for metrics, "higher" for KPIs.
        rule: "superiority": the interval must lie above zero. "non_inferiority":
            above minus the margin, for routine refreshes of an ageing champion.
        margin: Tolerated relative deterioration of the loss, for non-inferiority.
        min_improvement: Relative improvement of the metric for promotion without a
            person; a smaller but significant one needs approval.
        goals: Further metrics whose improvement is enough; corrected together with the primary.
        multiplicity: How goals are corrected; guardrails are not, they need power.
        guardrails: What must not become worse.
        alpha: Two-sided error rate of the goals together, and of each guardrail.
        power: Chance of seeing an improvement of min_improvement, for planning.
        method: How live requests are tested: "always_valid" at any look; "group_sequential"
            at up to `looks` looks until `horizon`; "fixed" once, at the horizon.
        spending: How group_sequential spends alpha over the looks.
        looks: Planned number of looks.
        horizon: Labelled requests at the planned end; needed unless always_valid.
        min_holdout: Fewer holdout rows than this decide nothing.
        min_labelled: Fewer labelled live requests than this decide nothing.
        min_label_age_s: Only labels of requests at least this old count, in seconds.
        require_approval: People must agree before the first caller is answered.
    """

    metric: str
    direction: Direction | None = None
    rule: Rule = "superiority"
    margin: float = 0.02
    min_improvement: float = 0.05
    goals: tuple[str, ...] = ()
    multiplicity: Correction = "holm"
    guardrails: tuple[Guardrail, ...] = ()
    alpha: float = 0.05
    power: float = 0.8
    method: Method = "always_valid"
    spending: Spending = "obrien_fleming"
    looks: int = 10
    horizon: int | None = None
    min_holdout: int = 200
    min_labelled: int = 100
    min_label_age_s: float = 0.0
    require_approval: bool = True

    def __post_init__(self) -> None:
        """Refuse a policy that could not decide."""
        mistakes = [*self._number_mistakes(), *self._name_mistakes()]
        if mistakes:
            raise InvalidRecord.of("The promotion policy", mistakes, "See `understudy init --help` for a sound one.")

    def direction_for(self, metric: str) -> Direction:
        """Which way is better for *metric*: as declared for the primary one or for a guardrail, else as known."""
        declared = {one.metric: one.direction for one in self.guardrails}
        if self.direction is not None:
            declared[self.metric] = self.direction
        return direction_of(metric, declared.get(metric))

    def _number_mistakes(self) -> list[str]:
        mistakes = []
        if not 0 < self.alpha < 0.5:
            mistakes.append(f"alpha {self.alpha} is not between 0 and 0.5")
        if not self.alpha < self.power < 1:
            mistakes.append(f"power {self.power} is not between alpha {self.alpha} and 1")
        if not 0 <= self.margin < 1:
            mistakes.append(f"margin {self.margin} is not between 0 and 1")
        for name, value in (("min_improvement", self.min_improvement), ("min_label_age_s", self.min_label_age_s)):
            mistakes += [] if 0 <= value < math.inf else [f"{name} {value} is negative or no number"]
        if self.min_holdout < 2 or self.min_labelled < 2:
            mistakes.append("min_holdout and min_labelled must be at least 2")
        if not 1 <= self.looks <= 100:
            mistakes.append(f"looks {self.looks} is not between 1 and 100")
        if self.method != "always_valid" and (self.horizon is None or self.horizon < 2):
            mistakes.append(f"method {self.method} needs a horizon of at least 2 labelled requests")
        return mistakes

    def _name_mistakes(self) -> list[str]:
        names = [self.metric, *self.goals]
        mistakes = [f"goal {name!r} is named twice" for name in sorted({n for n in names if names.count(n) > 1})]
        mistakes += ["a metric has no name"] if not all((*names, *(one.metric for one in self.guardrails))) else []
        mistakes += self._direction_mistakes()
        guarded = [one.metric for one in self.guardrails]
        mistakes += [f"guardrail {n!r} is given twice" for n in sorted({n for n in guarded if guarded.count(n) > 1})]
        mistakes += [
            f"{name} {value} of guardrail {one.metric!r} is negative or no number"
            for one in self.guardrails
            for name, value in (("margin", one.margin), ("slack", one.slack))
            if not (math.isfinite(value) and value >= 0)
        ]
        return mistakes

    def _direction_mistakes(self) -> list[str]:
        known = HIGHER_IS_BETTER | LOWER_IS_BETTER
        declared = [(self.metric, self.direction), *((one.metric, one.direction) for one in self.guardrails)]
        right = {name: direction_of(name) if name in known else self.direction_for(name) for name, _ in declared}
        return [
            f"direction {said!r} contradicts {name!r}, of which {right[name]} is better"
            for name, said in declared
            if said is not None and said != right[name]
        ]
