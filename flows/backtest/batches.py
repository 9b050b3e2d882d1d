"""Where the batches of a replay begin and end."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.backtest.errors import BacktestRefused
from flows.config.durations import parse

FEWEST = 4  # batches after the warm-up; below, nothing can be compared
FEWEST_ROWS = 100  # to learn from


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How a table is divided.

    Attributes:
        batch: "1w", or "500" rows.
        warmup: Batches from which the first model learns.
    """

    batch: str = "1w"
    warmup: int = 8

    def edges(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """
        First rows of the batches after the warm-up, and the number of rows: shape (batches + 1,).

        Stretches of time without a row are no batch.

        Raises:
            BacktestRefused: If the size makes no sense, or too little is left.

        Example:
            >>> Plan(batch="10", warmup=12).edges(np.arange(165.0)).tolist()
            [120, 130, 140, 150, 160, 165]
        """
        every = _every(self.batch, times)
        edges = every[self.warmup :]
        mistakes = []
        if edges.size <= FEWEST:
            mistakes.append(
                f"{len(times)} rows make {every.size - 1} batches of {self.batch}, {self.warmup} of them warm-up"
            )
        elif edges[0] < FEWEST_ROWS:
            mistakes.append(f"the warm-up has {edges[0]} rows, and {FEWEST_ROWS} are needed")
        if mistakes:
            raise BacktestRefused(
                "Nothing was replayed.",
                f"{'; '.join(mistakes).capitalize()}.",
                f"Choose --batch and --warmup so that {FEWEST} batches or more follow on {FEWEST_ROWS} rows or more.",
            )
        return edges


def _every(batch: str, times: NDArray[np.float64]) -> NDArray[np.int64]:
    counted = re.fullmatch(r"(\d+)\s*(?:rows?)?", batch.strip())
    if counted and int(counted[1]) > 0:
        return np.append(np.arange(0, len(times), int(counted[1])), len(times)).astype(np.int64)
    seconds = _seconds(batch)
    if not seconds:
        raise BacktestRefused(f"{batch!r} is no batch.", "It is neither rows nor time.", "Write 500, 6h, 1d or 1w.")
    place = np.floor((times - times[0]) / seconds)
    return np.append(np.flatnonzero(np.diff(place, prepend=-1)), len(times)).astype(np.int64)


def _seconds(batch: str) -> float:
    try:
        return float(parse(batch).total_seconds())
    except ValueError:
        return 0.0
