"""Which rows a retraining learns from: a ladder of windows, and an average of their models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.backtest.engine import Known
from flows.backtest.policies.protocol import Blend, Window
from flows.training.windows import Choice, Trial, choose_window

__all__ = ["RUNGS", "Choice", "Ladder", "Trial", "choose_window", "ladder", "mixed"]

Floats = NDArray[np.float64]

RUNGS = (4, 8, 16, 32)
FEWEST = 50  # rows that a window has at least


def ladder(times: Floats, step: float, rungs: Sequence[int] = RUNGS) -> tuple[Window, ...]:
    """
    Make windows of doubling lengths, and one of all rows.

    Args:
        times: Shape (known,), epoch seconds, ascending, of the rows that may be learned from.
        step: Seconds of one batch.
        rungs: Lengths in batches.

    Returns:
        One window per rung, the shortest first, and all rows last; a rung that is longer than the
        history is all rows, too.

    Example:
        >>> [window.rows for window in ladder(np.arange(1000.0), 20.0)]
        [80, 160, 320, 640, 1000]
    """
    stop = len(times)
    oldest = times[-1] - np.asarray(rungs) * step
    starts = np.minimum(np.searchsorted(times, oldest, side="right"), max(0, stop - FEWEST))
    return (*(Window(start=int(start), stop=stop) for start in starts), Window(start=0, stop=stop))


def mixed(windows: Sequence[Window], shares: Sequence[float]) -> Blend:
    """
    Average the models of *windows*; what is the same window becomes one member.

    Example:
        >>> mixed([Window(start=0, stop=9), Window(start=0, stop=9)], [0.5, 0.5]).shares
        (1.0,)
    """
    sums: dict[Window, float] = {}
    for window, share in zip(windows, shares, strict=True):
        sums[window] = sums.get(window, 0.0) + share
    return Blend(tuple(sums), tuple(sums.values()))


def step_of(times: Floats, edges: NDArray[np.int64]) -> float:
    """Take the usual length of a batch in seconds, from the *edges* of those seen."""
    seen = times[np.minimum(edges, len(times) - 1)]
    return float(np.median(np.diff(seen))) if len(seen) > 1 else float(times[-1] - times[0]) / max(1, *RUNGS)


@dataclass(frozen=True, slots=True)
class Ladder:
    """
    An even average over the ladder: a memory for any policy, without a trial.

    Attributes:
        step: Seconds of one batch; None: as the batches seen so far.
    """

    step: float | None = None

    def __call__(self, known: Known) -> Blend:
        """Choose without trying anything."""
        windows = ladder(known.times, self.step or step_of(known.times, known.edges))
        return mixed(windows, (1 / len(windows),) * len(windows))
