"""Fits are made once, whichever policy and process asks first."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Blend, Window
from flows.backtest.recipe import Recipe
from flows.backtest.table import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Workshop:
    """
    Scores of fits, kept in a folder that processes share.

    What is kept of a fit are its scores of all later rows, and the seconds that it took.
    """

    table: Table
    recipe: Recipe
    folder: Path
    clock: Callable[[], float] = time.process_time
    _held: dict[Window, Floats] = field(default_factory=dict)

    def scores(self, blend: Blend, start: int, stop: int) -> Floats:
        """Scores of rows *start* to *stop*, shape (stop - start,); none may have been learned from."""
        parts = [self._kept(window)[1 + start - window.stop : 1 + stop - window.stop] for window in blend.windows]
        return np.asarray(sum(share * part for share, part in zip(blend.shares, parts, strict=True)), dtype=np.float64)

    def seconds(self, window: Window) -> float:
        """Seconds of processor time that the fit took when it was made."""
        return float(self._kept(window)[0])

    def _kept(self, window: Window) -> Floats:
        if window not in self._held:
            file = self.folder / f"{window.start}-{window.stop}-{window.half_life}.npy"
            if not file.is_file():
                self._make(window, file)
            self._held[window] = np.load(file, mmap_mode="r")
        return self._held[window]

    def _make(self, window: Window, file: Path) -> None:
        begun = self.clock()
        scores = self.recipe.scores(self.table, window)
        draft = file.with_name(f".{os.getpid()}-{file.name}")
        with draft.open("wb") as opened:
            np.save(opened, np.concatenate([[self.clock() - begun], scores]))
        draft.replace(file)
