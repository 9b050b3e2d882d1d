"""What a policy is told, and what it may answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from registry.records.version import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    Rows that a model learns from: *start* up to, not including, *stop*.

    Attributes:
        half_life: Seconds after which a row counts half; None: all rows count alike.
    """

    start: int
    stop: int
    half_life: float | None = None

    @property
    def rows(self) -> int:
        """How many."""
        return self.stop - self.start

    def __str__(self) -> str:
        fading = f", half after {self.half_life / 86_400:.3g} d" if self.half_life else ""
        return f"{self.rows} rows{fading}"


@dataclass(frozen=True, slots=True)
class Blend:
    """
    A model: one window, or several whose predictions are averaged.

    Attributes:
        windows: What each member learns from.
        shares: Weight of each member; they add up to 1.
    """

    windows: tuple[Window, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, *windows: Window) -> "Blend":
        """Average the members evenly."""
        return cls(windows, (1 / len(windows),) * len(windows))

    @property
    def stop(self) -> int:
        """The first row that no member has learned from or later."""
        return max(window.stop for window in self.windows)

    def __str__(self) -> str:
        return " + ".join(str(window) for window in self.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """
    What is done after a batch.

    Attributes:
        retrain: Whether a new model is in force from the next batch on.
        blend: What it learns from; None: as the replay's window says.
        why: In words, also where nothing is done.
    """

    retrain: bool
    why: str
    blend: Blend | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """
    All that is known after a batch, and nothing later.

    Rows are numbered from 0, in the order of time.

    Attributes:
        task: Binary or regression.
        metric: By which the replay judges.
        number: Of the batch that was just scored, from 0.
        batches: How many the replay has; a plan over all of them may use it.
        edges: Shape (number + 2,): first rows of the batches so far, and the first row not seen yet.
        first: First row that was scored; rows before are the warm-up.
        seen: Rows whose features are known; known: rows whose label has arrived. Both count from row 0.
        now: Epoch seconds of the newest row.
        times: Shape (seen,), epoch seconds, ascending.
        labels: Shape (known,).
        scores: Shape (seen - first,): what was served, row by row from *first*. P(1) or the value.
        retrained: Batches after which there was a retraining so far.
        champion: What the model in force has learned from.
        window: What the replay's own choice of a window would be now.
        table: Features of the rows seen, as a frame.
        trial: Fit a model that is not put in force, and have its scores of the rows from `blend.stop`
            up to *seen*. It counts as a fit, not as a retraining.
    """

    task: Task
    metric: str
    number: int
    batches: int
    edges: NDArray[np.int64]
    first: int
    seen: int
    known: int
    now: float
    times: Floats
    labels: Floats
    scores: Floats
    retrained: tuple[int, ...]
    champion: Blend
    window: Callable[[], Blend]
    table: Callable[[], pl.DataFrame]
    trial: Callable[[Blend], Floats]

    @property
    def since(self) -> int:
        """Batches since the last retraining, or the beginning."""
        return self.number - (self.retrained[-1] if self.retrained else -1)

    @property
    def losses(self) -> Floats:
        """
        Shape (known - first,): per row served whose label has arrived.

        Squared error of the probability (binary), absolute error (regression).
        """
        labels, scores = self._known_pairs()
        error = labels - scores
        return error**2 if self.task == "binary" else np.abs(error)

    @property
    def errors(self) -> Floats:
        """Shape (known - first,): 1 where the class was wrong (binary), else the absolute error."""
        labels, scores = self._known_pairs()
        return np.abs(labels - (scores >= 0.5)) if self.task == "binary" else np.abs(labels - scores)

    def _known_pairs(self) -> tuple[Floats, Floats]:
        return self.labels[self.first :], self.scores[: max(0, self.known - self.first)]


class Policy(Protocol):
    """Decides after each batch. It may keep notes in itself; each replay makes a new one."""

    @property
    def name(self) -> str:
        """As in tables."""
        ...

    def decide(self, state: State, /) -> Action:
        """Retrain now, or not."""
        ...
