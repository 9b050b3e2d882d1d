"""Tables that give one column at a time, so that a long one is never held as a whole."""

from pathlib import Path
from typing import Protocol

import polars as pl
import polars.selectors as cs

Table = pl.DataFrame | pl.LazyFrame | Path | str


class Columns(Protocol):
    """What is compared: names and types beforehand, values on demand."""

    schema: dict[str, pl.DataType]

    def take(self, name: str) -> pl.Series:
        """Read one column."""
        ...

    def rows(self) -> int:
        """Count the rows."""
        ...


class Held:
    """Columns of a table in memory."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self.schema: dict[str, pl.DataType] = dict(frame.schema)

    def take(self, name: str) -> pl.Series:
        """Give one column."""
        return self._frame[name]

    def rows(self) -> int:
        """Height of the table."""
        return self._frame.height


class Lazy:
    """Columns of a query, each collected when it is asked for."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame
        self.schema: dict[str, pl.DataType] = dict(frame.collect_schema())

    def take(self, name: str) -> pl.Series:
        """Collect one column."""
        return self._frame.select(cs.by_name(name)).collect().to_series()

    def rows(self) -> int:
        """Count the rows; Parquet says it in its footer."""
        return int(self._frame.select(pl.len()).collect().item())


def columns(table: Table) -> Columns:
    """
    Open a table.

    Args:
        table: A frame, a query, or the path of a Parquet file.
    """
    if isinstance(table, pl.DataFrame):
        return Held(table)
    return Lazy(table if isinstance(table, pl.LazyFrame) else pl.scan_parquet(table))
