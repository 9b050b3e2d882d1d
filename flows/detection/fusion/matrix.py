"""Feature columns as one matrix of numbers, for small models of the detection itself."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

_LEVELS = 12  # of a column, most frequent first; rarer ones are all zero


def matrix(features: pl.DataFrame) -> tuple[NDArray[np.float64], list[str]]:
    """
    Standardise the numbers, spread the levels.

    Numbers are cut at 5 robust standard deviations, so that no single value steers a model; what is missing is 0.

    Args:
        features: Columns of any type.

    Returns:
        Shape (rows, columns) without any NaN, and the feature behind each column of it.
    """
    columns: list[NDArray[np.float64]] = []
    owners: list[str] = []
    for name in features.columns:
        series = features[name]
        made = [_standard(series)] if series.dtype.is_numeric() else _levels(series)
        columns += made
        owners += [name] * len(made)
    if not columns:
        return np.zeros((features.height, 0)), []
    return np.column_stack(columns), owners


def _standard(series: pl.Series) -> NDArray[np.float64]:
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    values[~np.isfinite(values)] = np.nan
    known = values[~np.isnan(values)]
    if known.size == 0:
        return np.zeros(values.size)
    low, middle, high = np.quantile(known, [0.1587, 0.5, 0.8413])
    spread = (high - low) / 2 or float(known.std()) or 1.0
    standard: NDArray[np.float64] = np.clip((values - middle) / spread, -5, 5)
    return np.nan_to_num(standard, nan=0.0)


def _levels(series: pl.Series) -> list[NDArray[np.float64]]:
    text = series.cast(pl.String)
    counts = text.drop_nulls().value_counts(sort=True)
    # Equally frequent levels in the order of their names: the same rows always give the same matrix.
    chosen = counts.sort(["count", series.name], descending=[True, False])[series.name].head(_LEVELS).to_list()
    return [(text == level).fill_null(False).to_numpy().astype(np.float64) for level in chosen]
