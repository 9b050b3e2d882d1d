"""Policies that watch the features alone: the newest batch against what the model in force learned from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from flows.backtest.policies.protocol import Action, Blend, State

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from flows.detection.columns import FeatureDrift

FEWEST_ROWS = 100
Plain = Literal["psi", "ks", "judged"]


@dataclass(slots=True)
class FeatureDrifts:
    """
    Retrain when any feature drifts by one rule.

    Attributes:
        rule: "psi" and "ks" are the plain rules, uncorrected: with many features and a season they
            fire nearly every time, and then mean "always". "judged" corrects for the number of
            features and leaves trifles aside.
        limit: PSI, p-value, or KS distance and Cramer's V.
    """

    config: "ModelConfig"
    rule: Plain = "judged"
    limit: float | None = None
    name: str = ""
    _learned: Blend | None = None
    _profile: Any = None

    def __post_init__(self) -> None:
        said = "drift" if self.rule == "judged" else f"drift:{self.rule}"
        self.name = self.name or (said if self.limit is None else f"{said}:{self.limit:g}")

    def decide(self, state: State, /) -> Action:
        """Compare the newest batch with the champion's rows."""
        from flows.detection.drift import drift

        rows = state.table()
        window = rows.slice(int(state.edges[-2]))
        config = self._limits(window.height)
        report = drift(self._reference(rows, state.champion, config), window, config)
        if not report.enough:
            return Action(retrain=False, why=report.said)
        fired = [feature.name for feature in report.features if _FIRES[self.rule](feature, self._limit(config))]
        return Action(
            retrain=bool(fired), why=f"{len(fired)} of {len(report.features)} features: {', '.join(fired[:3])}"
        )

    def _reference(self, rows: pl.DataFrame, champion: Blend, config: "ModelConfig") -> Any:
        from flows.detection.profile import profile

        if self._learned != champion:
            first = min(window.start for window in champion.windows)
            self._learned, self._profile = champion, profile(rows.slice(first, champion.stop - first), config)
        return self._profile

    def _limits(self, rows: int) -> "ModelConfig":
        limits: dict[str, float] = {"min_rows": min(rows, FEWEST_ROWS)}
        if self.rule == "judged" and self.limit is not None:
            limits["min_effect"] = self.limit
        return self.config.model_copy(update={"detection": self.config.detection.model_copy(update=limits)})

    def _limit(self, config: "ModelConfig") -> float:
        if self.limit is not None:
            return self.limit
        return config.detection.psi if self.rule == "psi" else config.detection.ks_p


_FIRES: Mapping[Plain, "Callable[[FeatureDrift, float], bool]"] = {
    "psi": lambda feature, limit: feature.psi > limit,
    "ks": lambda feature, limit: feature.enough and feature.p_value < limit,
    "judged": lambda feature, _limit: feature.drifted,
}
