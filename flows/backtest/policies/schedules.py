"""Policies that look at nothing but the calendar: what every other policy is compared with."""

from dataclasses import dataclass

from flows.backtest.policies.protocol import Action, State


@dataclass(slots=True)
class Never:
    """Keep the first model."""

    name: str = "never"

    def decide(self, _state: State, /) -> Action:
        """Do nothing."""
        return Action(retrain=False, why="never retrained")


@dataclass(slots=True)
class Every:
    """Retrain after each so many batches; 1: always."""

    batches: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or ("always" if self.batches == 1 else f"every:{self.batches}")

    def decide(self, state: State, /) -> Action:
        """Count batches."""
        due = (state.number + 1) % self.batches == 0
        return Action(retrain=due, why=f"batch {state.number + 1}, due every {self.batches}")


@dataclass(slots=True)
class Evenly:
    """
    A fixed number of retrainings, evenly spread over the whole replay.

    The schedule of equal budget that stands beside every policy. *phase*, from 0 to 1, moves the
    dates within one interval, so that no schedule is praised for lucky dates.
    """

    retrainings: int
    phase: float = 0.5
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or f"evenly:{self.retrainings}"

    def decide(self, state: State, /) -> Action:
        """Retrain where the plan passes a whole number."""
        due = state.number in dates(self.retrainings, state.batches, self.phase)
        return Action(retrain=due, why=f"{self.retrainings} dates, evenly spread")


def dates(retrainings: int, batches: int, phase: float = 0.5) -> list[int]:
    """
    Batches after which an even schedule retrains, out of the first `batches - 1`.

    Example:
        >>> dates(3, 13), dates(12, 13) == list(range(12)), dates(3, 13, 0.0), dates(3, 13, 0.99)
        ([2, 6, 10], True, [0, 4, 8], [3, 7, 11])
    """
    places = batches - 1
    count = min(retrainings, places)
    return [int((number + phase) * places / count) for number in range(count)]
