"""What the training rows looked like, in a few kilobytes and without a single row."""

import sys

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from flows.config.model import ModelConfig
from flows.detection.measures import Floats, order_statistics
from registry.records.base import Record

RESOLUTION = 1001
MOST_LEVELS = 1000
_SQUARABLE = 1e100


class NumericProfile(Record, frozen=True, kw_only=True):
    """
    A numeric column.

    Attributes:
        n: Values that are there; missing: values that are not.
        quantiles: Order statistics at equal steps, at most 1,001; the distribution
            function is known to 1/1000.
    """

    n: int
    missing: int
    mean: float = 0.0
    sd: float = 0.0
    quantiles: tuple[float, ...] = ()


class CategoryProfile(Record, frozen=True, kw_only=True):
    """
    A categorical column.

    Attributes:
        n: Values that are there; missing: values that are not.
        counts: Rows of each of the 1,000 most frequent levels.
        rest: Rows of all other levels.
    """

    n: int
    missing: int
    counts: dict[str, int] = {}
    rest: int = 0


class ReferenceProfile(Record, frozen=True, kw_only=True):
    """All columns, and the scores and labels if there were any."""

    rows: int
    numeric: dict[str, NumericProfile] = {}
    categorical: dict[str, CategoryProfile] = {}
    score: NumericProfile | None = None
    label: NumericProfile | None = None


def profile(frame: pl.DataFrame, config: ModelConfig) -> ReferenceProfile:
    """
    Profile the feature columns, and `_score` and `_label` where present.

    Args:
        frame: As `flows.data` prepares it.
        config: Names the features.
    """
    return ReferenceProfile(
        rows=frame.height,
        numeric={name: numeric_profile(frame[name]) for name in config.features.numeric if name in frame.columns},
        categorical={n: category_profile(frame[n]) for n in config.features.categorical if n in frame.columns},
        score=numeric_profile(frame["_score"]) if "_score" in frame.columns else None,
        label=numeric_profile(frame["_label"]) if "_label" in frame.columns else None,
    )


def numeric_profile(column: pl.Series) -> NumericProfile:
    """Profile one numeric column; NaN, infinity and what is no number count as missing."""
    values = finite_values(column)
    if values.size == 0:
        return NumericProfile(n=0, missing=column.len())
    mean, sd = moments(values)
    kept = values if values.size < RESOLUTION else order_statistics(values, RESOLUTION)
    return NumericProfile(
        n=values.size, missing=column.len() - values.size, mean=mean, sd=sd, quantiles=tuple(kept.tolist())
    )


def category_profile(column: pl.Series) -> CategoryProfile:
    """Profile one categorical column."""
    counts = level_counts(column)
    kept = dict(list(counts.items())[:MOST_LEVELS])
    n = sum(counts.values())
    return CategoryProfile(n=n, missing=column.len() - n, counts=kept, rest=n - sum(kept.values()))


def level_counts(column: pl.Series) -> dict[str, int]:
    """Rows of every level, the most frequent first."""
    known = _cast(column, pl.String()).drop_nulls().alias("level")
    counts = known.value_counts(name="rows").sort(["rows", "level"], descending=[True, False])
    return dict(zip(counts["level"].to_list(), counts["rows"].to_list(), strict=True))


def moments(values: Floats) -> tuple[float, float]:
    """
    Mean and standard deviation of sorted values; finite for all finite ones, 0 for a constant.

    Rounding gives a constant a mean beside itself and a deviation above 0; squares of the
    largest numbers overflow, and those of the smallest vanish.
    """
    if values.size == 0 or values[0] == values[-1]:
        return (float(values[0]), 0.0) if values.size else (0.0, 0.0)
    largest = float(np.abs(values[[0, -1]]).max())
    scale = 1.0 if 1 / _SQUARABLE < largest < _SQUARABLE else largest
    scaled = values / scale
    return float(scaled.mean()) * scale, min(float(scaled.std()) * scale, sys.float_info.max)


def finite_values(column: pl.Series) -> Floats:
    """Values that are finite numbers, sorted."""
    values = numbers(column).drop_nulls().to_numpy()
    return np.sort(np.asarray(values[np.isfinite(values)], dtype=np.float64))


def numbers(column: pl.Series) -> pl.Series:
    """As Float64; null where a value is no number."""
    return _cast(column, pl.Float64())


def _cast(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """A column of any type at all: one that cannot be cast holds nothing that could be compared."""
    try:
        cast = _plain(column).cast(kind, strict=False)
    except PolarsError:
        cast = column
    return cast if cast.dtype == kind else pl.Series(column.name, [None], dtype=kind).new_from_index(0, column.len())


def _plain(column: pl.Series) -> pl.Series:
    """Categories as what they are called."""
    return column.cast(pl.String) if isinstance(column.dtype, pl.Categorical | pl.Enum) else column
