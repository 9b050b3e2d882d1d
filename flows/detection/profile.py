"""What the training rows looked like, in a few kilobytes and without a single row."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.model import ModelConfig
from registry.records.base import Record

RESOLUTION = 1001


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
    """A categorical column."""

    n: int
    missing: int
    counts: dict[str, int] = {}


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
    """Profile one numeric column; NaN and infinity count as missing."""
    values = finite_values(column)
    if values.size == 0:
        return NumericProfile(n=0, missing=column.len())
    # Order statistics, not interpolations: ties and gaps stay what they are.
    steps = np.linspace(0, 1, min(RESOLUTION, values.size))
    return NumericProfile(
        n=values.size,
        missing=column.len() - values.size,
        mean=float(values.mean()),
        sd=float(values.std()),
        quantiles=tuple(np.quantile(values, steps, method="inverted_cdf").tolist()),
    )


def category_profile(column: pl.Series) -> CategoryProfile:
    """Profile one categorical column."""
    known = column.cast(pl.String).drop_nulls()
    counts = known.value_counts(sort=True, name="_n")
    names = counts[counts.columns[0]].to_list()
    return CategoryProfile(
        n=known.len(), missing=column.len() - known.len(), counts=dict(zip(names, counts["_n"].to_list(), strict=True))
    )


def finite_values(column: pl.Series) -> NDArray[np.float64]:
    """Values that are numbers."""
    values = column.cast(pl.Float64).drop_nulls().to_numpy()
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)
