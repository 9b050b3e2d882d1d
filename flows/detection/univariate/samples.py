"""One column of one table, made ready: numbers sorted, levels counted, and all that is neither counted."""

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from flows.detection.univariate.ranks import Floats
from flows.detection.univariate.sorting import in_order

_SQUARABLE = 1e100
_SECOND = {"ms": 1e3, "us": 1e6, "ns": 1e9}
_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True)
class Numbers:
    """
    A numeric sample, or what a profile kept of one.

    Attributes:
        values: Sorted and finite; quantiles if n is larger.
        n: Finite values; missing: all others, infinite and foreign ones included.
        mean, sd: Of all finite values; 0 if there are none.
        infinite: Infinite values; foreign: values that are no numbers.
    """

    values: Floats
    n: int
    missing: int
    mean: float
    sd: float
    infinite: int = 0
    foreign: int = 0

    @classmethod
    def of(cls, column: pl.Series) -> "Numbers":
        """Take a column of any type."""
        cast = numbers(column)
        known = (cast.drop_nulls() if cast.null_count() else cast).to_numpy()
        nan = np.isnan(known)
        values = in_order(known[~nan] if nan.any() else known)
        finite = values[values.searchsorted(-math.inf, "right") : values.searchsorted(math.inf, "left")]
        mean, sd = moments(finite)
        return cls(
            values=finite,
            n=finite.size,
            missing=column.len() - finite.size,
            mean=mean,
            sd=sd,
            infinite=values.size - finite.size,
            foreign=cast.null_count() - column.null_count(),
        )


@dataclass(frozen=True, slots=True)
class Levels:
    """
    A categorical sample, or what a profile kept of one.

    Attributes:
        counts: Columns "level" (text) and "rows" (float), the most frequent level first.
        n: Values that are there; missing: rows without one.
        rest: Rows of levels that are not in counts.
    """

    counts: pl.DataFrame
    n: int
    missing: int
    rest: int = 0

    @classmethod
    def of(cls, column: pl.Series) -> "Levels":
        """Take a column of any type."""
        counts = level_counts(column)
        n = int(counts["rows"].sum())
        return cls(counts, n, column.len() - n)


def level_counts(column: pl.Series) -> pl.DataFrame:
    """
    Rows of every level, the most frequent first; columns "level" and "rows".

    Whole numbers are called alike in every numeric type: 1 and 1.0 are one level. NaN is none.
    """
    plain = _texts(column) if column.dtype == pl.Object else column
    plain = plain.fill_nan(None) if plain.dtype.is_float() else plain
    try:
        counts = plain.alias("level").value_counts(name="rows").drop_nulls("level")
        named = counts.with_columns(_names(counts["level"]), pl.col("rows").cast(pl.Float64))
    except PolarsError:
        named = pl.DataFrame(schema={"level": pl.String, "rows": pl.Float64})
    if named["level"].n_unique() < named.height:
        named = named.group_by("level").agg(pl.col("rows").sum())
    return named.sort(["rows", "level"], descending=[True, False])


def numbers(column: pl.Series) -> pl.Series:
    """As Float64; null where a value is no number. Times become seconds since 1970, in UTC."""
    if column.dtype == pl.Float64:
        return column
    try:
        cast = _numeric(column).cast(pl.Float64, strict=False)
    except PolarsError:
        return pl.Series(column.name, [None], dtype=pl.Float64).new_from_index(0, column.len())
    return cast


def moments(values: Floats) -> tuple[float, float]:
    """
    Mean and standard deviation of sorted values; finite for all finite ones, 0 for a constant.

    Rounding gives a constant a mean beside itself and a deviation above 0; squares of the largest numbers overflow,
    and those of the smallest vanish.
    """
    if values.size == 0 or values[0] == values[-1]:
        return (float(values[0]), 0.0) if values.size else (0.0, 0.0)
    largest = float(np.abs(values[[0, -1]]).max())
    scale = 1.0 if 1 / _SQUARABLE < largest < _SQUARABLE else largest
    scaled = values if scale == 1.0 else values / scale
    mean = float(scaled.mean())
    apart = scaled - mean
    return mean * scale, min(math.sqrt(float(np.dot(apart, apart)) / values.size) * scale, sys.float_info.max)


def _numeric(column: pl.Series) -> pl.Series:
    kind: pl.DataType = column.dtype
    if isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if isinstance(kind, pl.Datetime | pl.Duration):
        return column.to_physical().cast(pl.Float64) / _SECOND[str(kind.time_unit)]
    if kind == pl.Date:
        return column.to_physical() * 86400.0
    if kind == pl.Time:
        return column.to_physical() / 1e9
    if kind == pl.Object:
        return pl.Series(column.name, [_number(value) for value in column], dtype=pl.Float64)
    return column


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _texts(column: pl.Series) -> pl.Series:
    return pl.Series(column.name, [None if value is None else str(value) for value in column], dtype=pl.String)


def _names(levels: pl.Series) -> pl.Series:
    """Levels as text."""
    if not levels.dtype.is_float():
        return levels.cast(pl.String)
    whole = (levels.round(0) == levels) & (levels.abs() < _WHOLE)
    return levels.set(~whole, None).cast(pl.Int64).cast(pl.String).zip_with(whole, levels.cast(pl.String))


def finite_values(column: pl.Series) -> Floats:
    """Values that are finite numbers, sorted."""
    return Numbers.of(column).values
