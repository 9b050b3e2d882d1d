"""Rows that say the same twice, and rows that contradict each other."""

from dataclasses import dataclass

import polars as pl

IDENTITY = ("_key", "_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    Rows without repeats.

    Attributes:
        frame: In the order they came in.
        duplicates: Rows that were left out.
        conflicts: Rows whose key and time another row has with another label; they are kept.
    """

    frame: pl.DataFrame
    duplicates: int
    conflicts: int


def without_repeats(frame: pl.DataFrame, *, leave_out: bool) -> Told:
    """
    Leave out rows that repeat an earlier one in every column.

    Rows without a key are never repeats: nothing tells them from two events that happened to be alike.

    Args:
        frame: With `_key`, `_time` and `_label`.
        leave_out: Otherwise repeats are kept, and not counted.

    Example:
        >>> rows = pl.DataFrame({"_key": ["a", "a", "a"], "_time": [1.0, 1.0, 1.0], "_label": [0.0, 0.0, 1.0]})
        >>> told = without_repeats(rows, leave_out=True)
        >>> told.frame.height, told.duplicates, told.conflicts
        (2, 1, 2)
    """
    suspects = frame.lazy().select(pl.struct(IDENTITY).is_duplicated() & pl.col("_key").is_not_null()).collect()
    suspect = suspects.to_series()
    if not suspect.any():
        return Told(frame=frame, duplicates=0, conflicts=0)
    marked = frame.with_row_index("_row").filter(suspect)
    first = marked.unique(subset=frame.columns, keep="first", maintain_order=True)
    doubtful = first.filter(pl.col("_label").n_unique().over(IDENTITY) > 1)
    if not leave_out:
        return Told(frame=frame, duplicates=0, conflicts=doubtful.height)
    repeated = marked.join(first.select("_row"), on="_row", how="anti")["_row"]
    kept = frame.with_row_index("_row").filter(~pl.col("_row").is_in(repeated.implode())).drop("_row")
    return Told(frame=kept, duplicates=repeated.len(), conflicts=doubtful.height)
