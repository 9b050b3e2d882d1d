"""Rows gathered by slot, an hour or a day: what every curve is fitted to."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.detection.season.bins import Cuts
from flows.detection.season.calendar import DAY, Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slots:
    """
    Which rows belong to which slot.

    Attributes:
        order: Rows in the order of time, shape (n,); starts: where each slot begins in it.
        moments: Seconds since 1970 of the middle of each slot; rows: in it; day: it is in.
    """

    order: Ints
    starts: Ints
    moments: Ints
    rows: Floats
    day: Ints

    @classmethod
    def of(cls, moments: Ints, length: int) -> "Slots":
        """Gather rows, given their seconds since 1970, shape (n,), by slots of *length* seconds."""
        order = np.argsort(moments, kind="stable")
        number = moments[order] // length
        names, starts, rows = np.unique(number, return_index=True, return_counts=True)
        middle = names * length + length // 2
        return cls(order, starts, middle, rows.astype(np.float64), middle // DAY)

    def sums(self, values: Floats) -> Floats:
        """Sums of row values, shape (n, s), by slot."""
        return np.add.reduceat(values[self.order], self.starts, axis=0)

    def shares(self, column: pl.Series, cuts: Cuts) -> tuple[Floats, Floats]:
        """
        Shares of one column.

        Returns:
            Of each slot, shape (slots, shares); and how many values are there, shape (slots,).
        """
        marks, there = cuts.of(column)
        present = self.sums(there[:, None])[:, 0]
        return self.sums(marks) / np.maximum(present, 1.0)[:, None], present
