"""A column in bins: shares up to each cut of numbers, shares of the levels of categories, and of what is missing."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.detection.season.profile import Curve

Floats = NDArray[np.float64]
BINS = 20
MOST_LEVELS = 30
RAREST = 0.01  # share of a level that has a bin of its own


@dataclass(frozen=True, slots=True)
class Cuts:
    """How one column is put into bins: upper edges of numbers, or levels."""

    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    numeric: bool = True

    @property
    def shares(self) -> int:
        """Shares that are followed; the last bin's follows from the others'."""
        return len(self.edges) if self.numeric else len(self.levels)

    def of(self, column: pl.Series) -> tuple[Floats, Floats]:
        """
        Put a column into the bins.

        Returns:
            Indicators, shape (n, shares): whether a value is at most a cut, or is a level; 0 where it
            is missing. And whether it is there, shape (n,).
        """
        return self._numbers(column) if self.numeric else self._levels(column)

    def _numbers(self, column: pl.Series) -> tuple[Floats, Floats]:
        values = plain(column)
        there = np.isfinite(values)
        marks = (values[:, None] <= np.asarray(self.edges)) & there[:, None]
        return marks.astype(np.float64), there.astype(np.float64)

    def _levels(self, column: pl.Series) -> tuple[Floats, Floats]:
        texts = column.cast(pl.String, strict=False)
        marks = [(texts == level).fill_null(value=False).to_numpy() for level in self.levels]
        there = texts.is_not_null().to_numpy().astype(np.float64)
        return np.array(marks, dtype=np.float64).reshape(len(marks), column.len()).T, there


def cuts_of(column: pl.Series, *, numeric: bool) -> Cuts:
    """Quantiles of numbers that are no two the same, or the levels of at least 1 % of the rows."""
    if not numeric:
        counts = column.cast(pl.String, strict=False).drop_nulls().alias("level").value_counts(sort=True)
        frequent = counts.filter(pl.col("count") >= RAREST * pl.col("count").sum()).head(MOST_LEVELS)
        kept = frequent["level"].to_list()
        return Cuts(levels=tuple(kept[:-1] if len(kept) == counts.height else kept), numeric=False)
    values = plain(column)
    finite = np.sort(values[np.isfinite(values)])
    if finite.size == 0:
        return Cuts()
    edges = np.unique(finite[(np.arange(1, BINS) * finite.size // BINS)])
    return Cuts(edges=tuple(float(edge) for edge in edges if edge < finite[-1]))


def cuts_in(curve: Curve) -> Cuts:
    """Those of a stored curve."""
    return Cuts(edges=curve.cuts, levels=curve.levels, numeric=curve.kind == "numeric")


def plain(column: pl.Series) -> Floats:
    """As floats; NaN where a value is no number."""
    cast = column.cast(pl.Float64, strict=False)
    return cast.fill_null(float("nan")).to_numpy()
