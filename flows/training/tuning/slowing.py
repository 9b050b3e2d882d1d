"""The winner once more, learning slower and longer: trials that may be cut off early favour those that learn fast."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from flows.training.families.family import Fold, Setting
from flows.training.tuning.space import Space

RATE, COUNT = "learning_rate", "n_estimators"
SLOWER = 3.0
LEAST_SLOWER = 1.25
"""A rate that is nearer to its lower bound than this is slow enough."""
LEAST_TRIALS = 20
"""One more setting, slow to fit, costs as much as twenty trials or more: with fewer, it is not tried."""
MOST_ROUNDS = 1500
"""Of a setting that need not be compared with others while it runs; a trial has fewer."""


@runtime_checkable
class Slowing(Protocol):
    """A family whose settings may learn slower."""

    def slower(self, setting: Setting, fold: Fold) -> Setting | None:
        """Lower the learning rate, and find the number of rounds on *fold*; None if it is low already."""
        ...


def slowed(params: Mapping[str, Any], space: Space) -> dict[str, Any] | None:
    """
    Divide the learning rate by three, but stay within *space*, so that a later study can begin with it.

    Returns:
        The parameters of *space*; None if that hardly changes the rate.
    """
    rate = float(params[RATE])
    slow = max(rate / SLOWER, space.logarithmic[RATE][0])
    if slow * LEAST_SLOWER > rate:
        return None
    return {name: value for name, value in params.items() if name in space.names} | {RATE: slow}


def cut_short(setting: Setting, known: Sequence[Setting], enough: int) -> bool:
    """
    Whether the number of rounds is yet to be found.

    Args:
        setting: Of a study.
        known: Settings of earlier champions, which may have had more rounds than a trial.
        enough: More rounds than these say that a trial was not stopped by itself.
    """
    count = setting.params.get(COUNT)
    return count is None or (count > enough and any(_alike(setting, one) for one in known))


def _alike(setting: Setting, other: Setting) -> bool:
    params = {name: value for name, value in setting.params.items() if name != COUNT}
    return setting.family == other.family and params.items() <= other.params.items()
