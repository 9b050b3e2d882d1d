"""A budget of retrainings, spent where labels say that the model has begun to lean to one side."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Action, Blend, State, Window
from flows.backtest.windows import Trial, choose_window, ladder, mixed, step_of

Floats = NDArray[np.float64]

SHARE = 0.25
EARLIEST, LATEST = 0.75, 1.25  # in intervals of an even schedule
UNUSUAL, USUAL = 0.7, 0.5  # rank of the lean among those seen, before and after the date of an even schedule
SAVED = 1.5  # retrainings in hand, from which on nothing is put off
MOST_SAVED = 4.0
HISTORY = 52  # batches
TRIALS = 8  # retrainings
FEWEST_ROWS = 10
FEWEST_LEANS = 4


@dataclass(frozen=True, slots=True)
class Deployed:
    """A model that was put in force: its candidates, and the first row that it scored."""

    windows: tuple[Window, ...]
    first: int


@dataclass(slots=True)
class Value:
    """
    Retrain near the dates of an even schedule: early if the model leans unusually, late if it does not.

    The lean is the mean residual of the newest labelled batch, in standard deviations of the residuals.
    A model grows stale about linearly with its age, which makes an even schedule hard to beat: so the
    dates move by no more than a quarter of the interval. Retrainings never exceed the share of the
    batches so far, at any time.

    What is put in force is an average of models of doubling windows. Its shares are found by
    `choose_window` from how the members of earlier models did on the batches that they served: this
    costs one fit for each member, and none for the choice.

    Attributes:
        share: Most retrainings per batch, above 0 and at most 1.
    """

    share: float = SHARE
    name: str = "adaptive"
    _hand: float = 0.0
    _leans: list[float] = field(default_factory=list)
    _deployed: list[Deployed] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share {self.share} is not above 0 and at most 1")

    def decide(self, state: State, /) -> Action:
        """Retrain if the budget allows it, labels are new, and the time or the lean asks for it."""
        self._hand = min(MOST_SAVED, self._hand + self.share)
        lean = newest_lean(state)
        rank = _rank(self._leans, lean)
        if lean is not None:
            self._leans = [*self._leans, lean][-HISTORY:]
        go, why = self._judged(state, rank)
        if not go:
            return Action(retrain=False, why=why)
        self._hand -= 1
        return Action(retrain=True, why=why, blend=self._blend(state))

    def _judged(self, state: State, rank: float) -> tuple[bool, str]:
        intervals = state.since * self.share
        said = f"{intervals:.3g} intervals old, leans more than in {rank:.0%} of the looks"
        if state.known <= state.champion.stop:
            return False, "no label has arrived since the last retraining"
        if self._hand < 1 - 1e-9:
            return False, f"{said}; {self._hand:.3g} retrainings in hand"
        if intervals >= LATEST or self._hand >= SAVED:
            return True, f"{said}; due"
        if intervals < EARLIEST:
            return False, f"{said}; too early"
        return rank >= (UNUSUAL if intervals < 1 else USUAL), said

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
    Mean residual of the newest batch, in standard deviations of the residuals; None without labels.

    Only rows that the model in force has scored count.
    """
    batch = int(state.edges[-2])
    in_force = int(state.edges[state.retrained[-1] + 1]) if state.retrained else state.first
    residuals = state.labels[state.first :] - state.scores[: state.known - state.first]
    rows = residuals[max(batch, in_force) - state.first :]
    if len(rows) < FEWEST_ROWS:
        rows = residuals[max(0, in_force - state.first) :][-(state.seen - batch) :]
    if len(rows) < FEWEST_ROWS:
        return None
    spread = float(rows.std())
    return abs(float(rows.mean())) / spread if spread > 0 else 0.0


def trials_of(state: State, deployed: Sequence[Deployed]) -> list[Trial]:
    """What the members of each model did on the rows that it served, the newest first."""
    ends = [*(one.first for one in deployed), state.known][1:]
    spans = [(one, one.first, min(end, state.known)) for one, end in zip(deployed, ends, strict=False)]
    return [_trial(state, one, start, stop) for one, start, stop in reversed(spans) if stop > start]


def _trial(state: State, one: Deployed, start: int, stop: int) -> Trial:
    behind = one.windows[0].stop
    kept = {window: state.trial(Blend.of(window))[start - behind : stop - behind] for window in set(one.windows)}
    return Trial(labels=state.labels[start:stop], scores=np.column_stack([kept[window] for window in one.windows]))


def _rank(earlier: Sequence[float], lean: float | None) -> float:
    """Share of the *earlier* leans that *lean* exceeds; a half where there is none, 1 where few are known."""
    if lean is None:
        return 0.5
    return float(np.mean(np.asarray(earlier) < lean)) if len(earlier) >= FEWEST_LEANS else 1.0
