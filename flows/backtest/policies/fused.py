"""The decision that the live monitor makes, on everything that was known at that time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.features import FEWEST_ROWS, judged, measured
from flows.backtest.policies.protocol import Action, State

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from flows.detection.fusion.decision import RetrainDecision

BEFORE = 4  # batches that the newest is compared with
NEWEST = 2_000  # labelled rows on which it is measured what a refit would win back
_DAY = 86_400.0


@dataclass(slots=True)
class Fused:
    """
    Retrain by the fused decision, not sooner than `detection.cooldown` after the last time.

    Attributes:
        confidence: Retrain from this calibrated probability on that it is worth it; None: when a
            rule of the configuration says so.
    """

    config: "ModelConfig"
    confidence: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or ("rules" if self.confidence is None else f"fused:{100 * self.confidence:g}")

    def decide(self, state: State, /) -> Action:
        """Gather the evidence, and ask."""
        rest = self.config.detection.cooldown.total_seconds() - _since(state)
        if rest > 0:
            return Action(retrain=False, why=f"cooling down for {rest / _DAY:.1f} more days")
        found = decision(state, self.config)
        wanted = found.triggered if self.confidence is None else found.confidence >= self.confidence
        cause = found.causes[0] if found.causes else "no cause named"
        return Action(retrain=wanted, why=f"{found.severity}, confidence {found.confidence:.2f}: {cause}")


def decision(state: State, config: "ModelConfig") -> "RetrainDecision":
    """Make the decision of one look from what a replay knows."""
    from flows.detection.fusion.decision import decide
    from flows.detection.fusion.mapping import evidence_of
    from flows.detection.fusion.recoverable import recoverable

    rows = int(state.edges[-1] - state.edges[-2])
    limits = config.detection.model_copy(update={"min_rows": min(rows, FEWEST_ROWS)})
    report = judged(measured(state, config), limits)
    metrics = {**error_metrics(state), **report.metrics(), **_age(state)}
    first = max(_in_force_since(state), state.known - NEWEST)
    won = recoverable(
        state.table().slice(first, max(0, state.known - first)),
        state.scores[first - state.first : max(0, state.known - state.first)],
        state.labels[first:],
        task=state.task,
    )
    signal = won.signal()
    evidence = evidence_of(metrics, report).plus(*([signal] if signal else []), metrics=won.metrics())
    return decide(config, evidence)


def error_metrics(state: State) -> dict[str, float | None]:
    """The newest batch of labelled rows against the four before it; None where there are too few."""
    size = max(FEWEST_ROWS, int(state.edges[-1] - state.edges[-2]))
    losses = state.losses
    now, before = losses[-size:], losses[:-size][-BEFORE * size :]
    found: dict[str, float | None] = {"labelled": float(losses.size), "error": None, "error_increase": None}
    if now.size >= FEWEST_ROWS:
        found["error"] = float(now.mean())
    if min(now.size, before.size) >= FEWEST_ROWS and before.mean() > 0:
        found["error_increase"] = float(now.mean()) / float(before.mean()) - 1
        found["error_p"] = _rise(now, before)
    return found


def _rise(now: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """One-sided p-value of the Welch test."""
    from flows.stats.unpaired.means import welch

    rise = welch(*((part.size, float(part.mean()), float(part.var() * part.size)) for part in (before, now)))
    return rise.p_value / 2 if rise.estimate > 0 else 1 - rise.p_value / 2


def _age(state: State) -> dict[str, float | None]:
    newest = float(state.times[state.champion.stop - 1])
    return {"age_days": (state.now - newest) / _DAY, "new_rows": float(state.known - state.champion.stop)}


def _since(state: State) -> float:
    """Seconds since the last retraining; endless before the first."""
    if not state.retrained:
        return float("inf")
    return state.now - float(state.times[state.edges[state.retrained[-1] + 1] - 1])


def _in_force_since(state: State) -> int:
    """First row that the champion served."""
    return int(state.edges[state.retrained[-1] + 1]) if state.retrained else state.first
