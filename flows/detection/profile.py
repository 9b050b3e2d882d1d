"""Names that moved to `flows.detection.univariate`."""

import polars as pl

from flows.detection.univariate.profile import (
    MOST_LEVELS,
    RESOLUTION,
    CategoryProfile,
    NumericProfile,
    ReferenceProfile,
    category_profile,
    numeric_profile,
    profile,
)
from flows.detection.univariate.samples import finite_values, moments, numbers
from flows.detection.univariate.samples import level_counts as counted_levels

__all__ = [
    "MOST_LEVELS",
    "RESOLUTION",
    "CategoryProfile",
    "NumericProfile",
    "ReferenceProfile",
    "category_profile",
    "finite_values",
    "level_counts",
    "moments",
    "numbers",
    "numeric_profile",
    "profile",
]


def level_counts(column: pl.Series) -> dict[str, int]:
    """Rows of every level, the most frequent first."""
    counts = counted_levels(column)
    return dict(zip(counts["level"].to_list(), map(int, counts["rows"].to_list()), strict=True))
