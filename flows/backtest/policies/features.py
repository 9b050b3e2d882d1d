"""Policies that watch the features alone: the newest batch against what the model in force learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flows.backtest.policies.protocol import Action, State

if TYPE_CHECKING:
    from flows.config.detection.settings import Detection
    from flows.config.model import ModelConfig
    from flows.detection.judging.report import DriftReport
    from flows.detection.univariate.statistics import ColumnStatistics

FEWEST_ROWS = 100
Rule = Literal["judged", "psi", "ks"]
_LIMITS: Mapping[Rule, str] = {"judged": "min_effect", "psi": "psi", "ks": "ks_p"}


@dataclass(slots=True)
class FeatureDrifts:
    """
    Retrain when any feature drifts by one rule.

    Attributes:
        rule: "psi" and "ks" are the plain rules, uncorrected: with many features, or a season, they
            fire nearly every time, and then mean "always". "judged" corrects for the number of
            features and leaves trifles aside.
        limit: PSI, p-value, or smallest effect; None: that of the configuration.
    """

    config: "ModelConfig"
    rule: Rule = "judged"
    limit: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        said = "drift" if self.rule == "judged" else f"drift:{self.rule}"
        self.name = self.name or (said if self.limit is None else f"{said}:{self.limit:g}")

    def decide(self, state: State, /) -> Action:
        """Compare the newest batch with the champion's rows."""
        rows = int(state.edges[-1] - state.edges[-2])
        if rows < FEWEST_ROWS:
            return Action(retrain=False, why=f"not enough data: {rows} rows, {FEWEST_ROWS} are needed")
        columns, limits = measured(state, self.config), self._limits(rows)
        if self.rule == "judged":
            fired = [feature.name for feature in judged(columns, limits).drifted]
        else:
            fired = [column.name for column in columns if _fires(column, self.rule, limits)]
        return Action(retrain=bool(fired), why=f"{len(fired)} of {len(columns)} features: {', '.join(fired[:3])}")

    def _limits(self, rows: int) -> "Detection":
        given: dict[str, Any] = {} if self.limit is None else {_LIMITS[self.rule]: self.limit}
        return self.config.detection.model_copy(update={"min_rows": min(rows, FEWEST_ROWS), **given})


def measured(state: State, config: "ModelConfig") -> "Sequence[ColumnStatistics]":
    """All that can be said of each feature: the newest batch against what the champion learned from."""
    from flows.detection.univariate.compare import compare

    rows = state.table()
    first = min(window.start for window in state.champion.windows)
    reference = rows.slice(first, state.champion.stop - first)
    features = config.features
    return compare(
        reference, rows.slice(int(state.edges[-2])), numeric=features.numeric, categorical=features.categorical
    )


def judged(columns: "Sequence[ColumnStatistics]", limits: "Detection") -> "DriftReport":
    """Judge all of them together, by the corrected verdicts."""
    from flows.detection.judging.verdict import judge

    return judge(columns, limits, plain=False)


def _fires(column: "ColumnStatistics", rule: Rule, limits: "Detection") -> bool:
    if rule == "psi":
        return column.psi is not None and column.psi > limits.psi
    p = column.ks_p if column.kind == "numeric" else column.chi2_p
    return p is not None and p < limits.ks_p
