"""The policy that knows the future: what any choice of dates could have reached."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Action, State

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Planned:
    """Retrain after the batches named, whatever happens."""

    batches: tuple[int, ...]
    name: str = "oracle"

    def decide(self, state: State, /) -> Action:
        """Look at the list."""
        return Action(retrain=state.number in self.batches, why="chosen in hindsight")


def best_dates(losses: Floats, budget: int) -> tuple[int, ...]:
    """
    The dates that lose least of all choices of at most *budget* retrainings.

    Exact, by dynamic programming over (retrainings made, model in force); O(budget x batches^2).

    Args:
        losses: Shape (batches, batches): summed loss on batch j of the model made before batch i;
            row 0 is the first model. Only j >= i is read.
        budget: Retrainings at most; the first model is none.

    Returns:
        Batches after which to retrain, ascending.

    Example:
        >>> fresh = np.array([[1.0, 9, 9, 9], [0, 1, 2, 2], [0, 0, 1, 1], [0, 0, 0, 1]])
        >>> best_dates(fresh, 1), best_dates(fresh, 0), best_dates(fresh, 3)
        ((0,), (), (0, 1))
    """
    count = len(losses)
    ahead = np.concatenate([np.zeros((count, 1)), np.cumsum(np.triu(losses), axis=1)], axis=1)
    best = ahead[0].copy()  # loss up to batch j (exclusive), by the first model alone
    steps: list[NDArray[np.int64]] = []
    for _ in range(min(budget, count - 1)):
        best, begun = _one_more(best, ahead)
        steps.append(begun)
    return _walk_back(steps, count)


def _one_more(best: Floats, ahead: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Least loss up to each batch with one more model, and where that one begins; 0 where none is."""
    count = len(ahead)
    begin = np.arange(1, count)
    spent = best[begin][:, None] + ahead[begin] - ahead[begin, begin][:, None]
    spent[np.arange(count + 1)[None, :] <= begin[:, None]] = np.inf
    where = np.argmin(spent, axis=0)
    least = spent[where, np.arange(count + 1)]
    better = least < best
    return np.where(better, least, best), np.where(better, begin[where], 0)


def _walk_back(steps: list[NDArray[np.int64]], count: int) -> tuple[int, ...]:
    at, found = count, []
    for begun in reversed(steps):
        if begun[at]:
            at = int(begun[at])
            found.append(at - 1)
    return tuple(reversed(found))
