"""How far back a retraining looks: everything, or the newest stretch."""

from dataclasses import dataclass

import numpy as np

from flows.backtest.engine import Known
from flows.backtest.policies.protocol import Blend, Window

FEWEST = 50


@dataclass(frozen=True, slots=True)
class Sliding:
    """
    The newest *seconds* of what is known; None: all of it.

    Example:
        >>> Sliding(None).seconds is None
        True
    """

    seconds: float | None

    def __call__(self, known: Known) -> Blend:
        """Choose without trying anything."""
        stop = len(known.times)
        start = 0 if self.seconds is None else int(np.searchsorted(known.times, known.times[-1] - self.seconds))
        return Blend.of(Window(start=max(0, min(start, stop - FEWEST)), stop=stop))
