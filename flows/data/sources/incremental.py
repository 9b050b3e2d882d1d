"""Read what is new, and keep what was read."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from flows.data.keeping import keep
from flows.data.prepare import seconds
from flows.data.sources.source import Source

_ABOUT = "understudy"


class Incremental:
    """
    A source to which rows are only added: those that were read before are not asked for again.

    Args:
        source: That is read.
        file: Parquet file in which rows are kept; one of other columns, or of another source, is not used.
        time: Column of the times.
        overlap: Seconds before the newest row from which on rows are read again: their labels may have come.
    """

    def __init__(self, source: Source, file: Path, *, time: str, overlap: float) -> None:
        self._source, self._file, self._time, self._overlap = source, file, time, overlap

    def describe(self) -> str:
        """Name the source."""
        return self._source.describe()

    def version(self) -> str:
        """Name the state of the source."""
        return self._source.version()

    def read(self, columns: Sequence[str], since: float | None, until: float | None) -> pl.DataFrame:
        """
        Read what is newer than what is kept, and return both.

        Raises:
            DataError: If the source cannot be read.
            StoreUnavailable: If the rows cannot be kept.
        """
        kept = self._kept(columns, since)
        if kept is None or kept.is_empty():
            rows = self._source.read(columns, since, until)
        else:
            rows = self._continued(kept, columns, until)
        self._keep(rows, since)
        return rows

    def _continued(self, kept: pl.DataFrame, columns: Sequence[str], until: float | None) -> pl.DataFrame:
        times = seconds(kept[self._time])
        start = float(times.max()) - self._overlap  # type: ignore[arg-type]
        new = self._source.read(columns, start, until).select(columns)
        late = new.filter(seconds(new[self._time]) >= start)
        return pl.concat([kept.filter(times < start), late], how="vertical_relaxed")

    def _kept(self, columns: Sequence[str], since: float | None) -> pl.DataFrame | None:
        """Rows that were read before, from *since* on; None if some of these were not."""
        try:
            about = json.loads(pl.read_parquet_metadata(self._file)[_ABOUT])
            covered = about["since"] is None or (since is not None and about["since"] <= since)
            if about["source"] != self.describe() or not covered:
                return None
            rows = pl.read_parquet(self._file).select(columns)
            return rows if since is None else rows.filter(seconds(rows[self._time]) >= since)
        except (OSError, PolarsError, KeyError, ValueError):
            return None

    def _keep(self, rows: pl.DataFrame, since: float | None) -> None:
        about = json.dumps({"source": self.describe(), "since": since})
        keep(rows, self._file, what=f"The rows of {self.describe()} were not kept.", metadata={_ABOUT: about})
