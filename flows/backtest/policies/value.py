"""A budget of retrainings, spent where labels say that the model has begun to lean to one side."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Action, Blend, State, Window
from flows.backtest.windows import Trial, choose_window, ladder, mixed, step_of

Floats = NDArray[np.float64]

SHARE = 0.25
EARLIEST, LATEST = 0.5, 1.5  # in intervals of an even schedule
STRONG, WEAK = 0.25, 0.15  # lean that brings a date forward; lean under which it is put off
MOST_SAVED = 4.0
TRIALS = 8  # retrainings
FEWEST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Deployed:
    """A model that was put in force: its candidates, and the first row that it scored."""

    windows: tuple[Window, ...]
    first: int


@dataclass(slots=True)
class Value:
    """
    Retrain near the dates of an even schedule: early if the model leans strongly, late if it hardly does.

    The lean says how far residuals of the newest labelled batch are off zero, on average or along the
    scores. The rise of the error is not looked at: it rises, too, where the task has become harder, and
    no retraining mends that. A model grows stale about linearly with its age, which makes an even
    schedule hard to beat: so a date moves by no more than half the interval. Retrainings never exceed
    the share of the batches so far, at any time; what a quiet time saves is spent when the model leans.

    What is put in force is an average of models of doubling windows. Its shares are found by
    `choose_window` from how the members of earlier models did on the batches that they served: this
    costs one fit for each member, and none for the choice.

    Attributes:
        share: Most retrainings per batch, above 0 and at most 1.
    """

    share: float = SHARE
    name: str = "adaptive"
    _hand: float = 0.0
    _deployed: list[Deployed] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share {self.share} is not above 0 and at most 1")

    def decide(self, state: State, /) -> Action:
        """Retrain if the budget allows it, labels are new, and the time or the lean asks for it."""
        self._hand = min(MOST_SAVED, self._hand + self.share)
        go, why = self._judged(state, newest_lean(state))
        if not go:
            return Action(retrain=False, why=why)
        self._hand -= 1
        return Action(retrain=True, why=why, blend=self._blend(state))

    def _judged(self, state: State, lean: float | None) -> tuple[bool, str]:
        intervals = state.since * self.share
        leans = "too few labels to see a lean" if lean is None else f"leans by {lean:.2f} sd"
        said = f"{intervals:.3g} intervals old, {leans}"
        if state.known <= state.champion.stop:
            return False, "no label has arrived since the last retraining"
        if self._hand < 1 - 1e-9:
            return False, f"{said}; {self._hand:.3g} retrainings in hand"
        if intervals >= LATEST:
            return True, f"{said}; overdue"
        if intervals < EARLIEST:
            return False, f"{said}; too early"
        return _asked_for(intervals, lean), said

    def _blend(self, state: State) -> Blend:
        windows = ladder(state.times[: state.known], step_of(state.times, state.edges))
        choice = choose_window(trials_of(state, self._deployed[-TRIALS:]), len(windows))
        self._deployed.append(Deployed(windows, state.seen))
        return mixed(windows, choice.shares)


def make(share: float = SHARE) -> Value:
    """
    Make the policy of a budget.

    Raises:
        ValueError: If *share* is not above 0 and at most 1.
    """
    return Value(share)


def newest_lean(state: State) -> float | None:
    """
    How far the model in force is off on the newest batch; None without labels.

    The larger of two effect sizes: the mean residual in standard deviations of the residuals, which
    shows a level that has moved; and minus the correlation of residuals and scores, which shows scores
    that are too bold, e.g. as a relation has turned over.
    """
    batch = int(state.edges[-2])
    in_force = int(state.edges[state.retrained[-1] + 1]) if state.retrained else state.first
    start = max(in_force, batch if state.known - batch >= FEWEST_ROWS else state.known - (state.seen - batch))
    if state.known - start < FEWEST_ROWS:
        return None
    return _lean(state.labels[start:], state.scores[start - state.first : state.known - state.first])


def _lean(labels: Floats, scores: Floats) -> float:
    residuals = labels - scores
    spread = float(residuals.std())
    if spread == 0:
        return 0.0
    slope = float(np.mean((residuals - residuals.mean()) * (scores - scores.mean())))
    along = -slope / (spread * float(scores.std())) if scores.std() > 0 else 0.0
    return max(abs(float(residuals.mean())) / spread, along)


def trials_of(state: State, deployed: Sequence[Deployed]) -> list[Trial]:
    """What the members of each model did on the rows that it served, the newest first."""
    ends = [*(one.first for one in deployed), state.known][1:]
    spans = [(one, one.first, min(end, state.known)) for one, end in zip(deployed, ends, strict=False)]
    return [_trial(state, one, start, stop) for one, start, stop in reversed(spans) if stop > start]


def _trial(state: State, one: Deployed, start: int, stop: int) -> Trial:
    behind = one.windows[0].stop
    kept = {window: state.trial(Blend.of(window))[start - behind : stop - behind] for window in set(one.windows)}
    return Trial(labels=state.labels[start:stop], scores=np.column_stack([kept[window] for window in one.windows]))


def _asked_for(intervals: float, lean: float | None) -> bool:
    """Before the date of an even schedule only a strong lean counts; from then on all but a weak one."""
    if lean is None:
        return intervals >= 1
    return lean >= (STRONG if intervals < 1 else WEAK)
