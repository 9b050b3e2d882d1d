"""Fits are made once, whichever policy and process asks first."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.backtest.policies.protocol import Blend, Window
from flows.backtest.recipe import Recipe
from flows.backtest.table import Table

Floats = NDArray[np.float64]
_HEAD, _SIZE = 8, 4  # bytes of the seconds, a float64, and of each score, a float32 as XGBoost makes it


@dataclass(frozen=True, slots=True)
class Workshop:
    """
    Scores of fits, kept in a folder that processes share.

    What is kept of a fit are its scores of all later rows, and the seconds that it took. Only what is
    asked for is read: a thousand fits need neither memory nor open files.
    """

    table: Table
    recipe: Recipe
    folder: Path
    clock: Callable[[], float] = time.process_time

    def scores(self, blend: Blend, start: int, stop: int) -> Floats:
        """Scores of rows *start* to *stop*, shape (stop - start,); none may have been learned from."""
        parts = [self._read(window, start - window.stop, stop - start) for window in blend.windows]
        return np.asarray(sum(share * part for share, part in zip(blend.shares, parts, strict=True)), dtype=np.float64)

    def seconds(self, window: Window) -> float:
        """Seconds of processor time that the fit took when it was made."""
        return float(np.fromfile(self._made(window), dtype=np.float64, count=1)[0])

    def _read(self, window: Window, skipped: int, count: int) -> Floats:
        if skipped < 0:
            raise ValueError(f"rows before {window.stop} were learned from")
        found = np.fromfile(self._made(window), dtype=np.float32, count=count, offset=_HEAD + _SIZE * skipped)
        return found.astype(np.float64)

    def _made(self, window: Window) -> Path:
        """The file of a fit, which is made if nobody has made it."""
        file = self.folder / f"{window.start}-{window.stop}-{window.half_life}"
        if not file.is_file():
            begun = self.clock()
            scores = self.recipe.scores(self.table, window)
            draft = file.with_name(f".{os.getpid()}-{file.name}")
            draft.write_bytes(np.float64(self.clock() - begun).tobytes() + scores.astype(np.float32).tobytes())
            draft.replace(file)
        return file
