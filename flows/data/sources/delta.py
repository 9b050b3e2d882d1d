"""Delta tables: a version is pinned, even where none is given."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from flows.data.files import DELTA_LOG, collected, scan_table, versioned
from flows.data.sources.bounds import projected
from flows.errors import DataError


class Delta:
    """
    One version of a Delta table.

    Args:
        path: Its folder; `@12` behind it is version 12, otherwise the newest one at this moment.
        time: Column of the times, if there is one.

    Raises:
        DataError: If there is no such table, or its log is broken.
    """

    def __init__(self, path: str, time: str | None) -> None:
        self._table, given = versioned(path)
        self._time = time
        self._version = newest(self._table) if given is None else given

    def describe(self) -> str:
        """Return the folder, without a version."""
        return self._table

    def version(self) -> str:
        """Return the number of the version, e.g. "12"."""
        return str(self._version)

    def read(self, columns: Sequence[str], since: float | None, until: float | None) -> pl.DataFrame:
        """
        Read only these columns and, where the times are no text, only these rows.

        Raises:
            DataError: If there is no such version, or files of it are gone.
        """
        said = f"{self._table}@{self._version}"
        return collected(projected(scan_table(said), list(columns), self._time, since, until), said)


def newest(table: str) -> int:
    """
    Look up the newest version of a Delta table.

    Versions are named by number: by moment, a commit within the same millisecond may be missed.
    """
    from deltalake import DeltaTable

    try:
        return int(DeltaTable(table).version())
    except Exception as error:
        raise DataError(
            f"The table {table} was not read.",
            f"{str(error).splitlines()[0]}.",
            "Repair the Delta table, or restore it.",
        ) from error


def is_delta(path: str) -> bool:
    """Whether *path* names a Delta table."""
    return (Path(versioned(path)[0]) / DELTA_LOG).is_dir()
