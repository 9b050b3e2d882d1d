"""Policies that watch the error of the model in force, as far as labels have arrived."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Action, State

FEWEST = 50  # labelled rows on either side
BEFORE = 4  # batches that the newest is compared with
SCALE_ROWS = 200  # first losses that tell how large a loss of a regression usually is


@dataclass(slots=True)
class ErrorRise:
    """Retrain when the mean error of the newest labelled batch is so much above that of the four before it."""

    percent: float = 15.0
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or f"error:{self.percent:g}"

    def decide(self, state: State, /) -> Action:
        """Compare two windows of rows that have labels."""
        size = max(FEWEST, int(state.edges[-1] - state.edges[-2]))
        errors = state.errors
        now, before = errors[-size:], errors[:-size][-BEFORE * size :]
        if min(now.size, before.size) < FEWEST:
            return Action(retrain=False, why=f"not enough data: {errors.size} labelled rows")
        rise = 100 * (float(now.mean()) / max(float(before.mean()), 1e-12) - 1)
        return Action(retrain=rise > self.percent, why=f"error {rise:+.1f} % against +{self.percent:g} %")


@dataclass(slots=True)
class Adwin:
    """
    Retrain when river's ADWIN sees the error change, and the error has not fallen.

    Errors of a regression are brought between 0 and 1 by e / (e + median of the first errors).
    """

    delta: float = 0.002
    name: str = ""
    _detector: Any = None
    _read: int = 0
    _scale: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.name = self.name or ("adwin" if self.delta == 0.002 else f"adwin:{self.delta:g}")

    def decide(self, state: State, /) -> Action:
        """Feed the errors that arrived since the last look."""
        errors = self._scaled(state)
        new = errors[self._read :]
        self._read = errors.size
        changed = sum(self._rose(error) for error in new.tolist())
        if not changed:
            return Action(retrain=False, why=f"no change in {new.size} new errors")
        self._detector = None
        return Action(retrain=True, why="ADWIN: the error rose")

    def _rose(self, error: float) -> bool:
        if self._detector is None:
            from river.drift import ADWIN

            self._detector = ADWIN(delta=self.delta)  # type: ignore[no-untyped-call]  # ships no types
        before = float(self._detector.estimation)
        self._detector.update(error)
        return bool(self._detector.drift_detected) and float(self._detector.estimation) > before

    def _scaled(self, state: State) -> NDArray[np.float64]:
        errors = state.errors
        if state.task == "binary":
            return errors
        if errors.size < SCALE_ROWS:
            return errors[:0]
        self._scale = self._scale or float(np.median(errors[:SCALE_ROWS])) or 1.0
        return errors / (errors + self._scale)
