"""How far back a retraining looks: everything, the newest stretch, or several of them at once."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from flows.backtest.engine import Chooser, Known
from flows.backtest.errors import BacktestRefused
from flows.backtest.policies.protocol import Blend, Window
from flows.backtest.windows import RUNGS, Ladder
from flows.config.durations import parse, text
from flows.config.model import ModelConfig

FEWEST = 50  # rows that a window has at least
AUTO, CONFIG, ALL = "auto", "config", "all"


@dataclass(frozen=True, slots=True)
class Sliding:
    """The newest *seconds* of what is known; None: all of it."""

    seconds: float | None

    def __call__(self, known: Known) -> Blend:
        """Choose without trying anything."""
        stop = len(known.times)
        start = 0 if self.seconds is None else int(np.searchsorted(known.times, known.times[-1] - self.seconds))
        return Blend.of(Window(start=max(0, min(start, stop - FEWEST)), stop=stop))


@dataclass(frozen=True, slots=True)
class Memory:
    """
    How far back retrainings look.

    Attributes:
        name: "auto": an average of models that look back 4, 8, 16 and 32 batches and to the beginning;
            "config": training.window; "all"; or a duration such as "8w".
    """

    name: str = AUTO

    @classmethod
    def of(cls, said: str) -> "Memory":
        """
        Read "auto", "config", "all" or "8w".

        Raises:
            BacktestRefused: If it is none of these.
        """
        if said not in (AUTO, CONFIG, ALL) and not _seconds(said):
            raise BacktestRefused(
                f"{said!r} is no window.", "It is no stretch of time.", "Write auto, config, all or 8w."
            )
        return cls(said)

    def chooser(self, config: ModelConfig) -> Chooser:
        """Make what chooses the rows of a retraining."""
        if self.name == AUTO:
            return Ladder()
        if self.name == CONFIG:
            window = config.training.window
            return Sliding(window.total_seconds() if window else None)
        return Sliding(None if self.name == ALL else _seconds(self.name))

    def said(self, config: ModelConfig) -> str:
        """In words."""
        if self.name == AUTO:
            lengths = ", ".join(map(str, RUNGS))
            return f"an average of models of the last {lengths} batches and of all rows"
        if self.name != CONFIG:
            return {ALL: "all rows"}.get(self.name, self.name)
        window: timedelta | None = config.training.window
        return f"{text(window) if window else 'all rows'} (training.window)"


def _seconds(said: str) -> float:
    try:
        return float(parse(said).total_seconds())
    except ValueError:
        return 0.0
