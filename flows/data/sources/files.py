"""Files: CSV and Parquet, alone, in a folder, or by a pattern."""

import hashlib
from collections.abc import Sequence
from glob import glob
from pathlib import Path

import polars as pl

from flows.data.files import collected, columns_of, open_table, read_all
from flows.data.sources.bounds import projected
from flows.errors import DataError
from registry.addresses import without_passwords

_BLOCK = 1 << 20


class Files:
    """
    A file, a folder of Parquet files, or all files that match a pattern.

    Which files there are is settled when it is made: one that comes later is in the next version.

    Args:
        path: As for `flows.data.files.scan_table`, but no Delta table.
        time: Column of the times, if there is one.
    """

    def __init__(self, path: str, time: str | None) -> None:
        self._path, self._time = path, time
        self._several = found(path)

    def describe(self) -> str:
        """Return the path as it was given, without a password."""
        return without_passwords(self._path)

    def version(self) -> str:
        """Hash the bytes of the file; of several, with their names."""
        if self._several is None:
            return f"sha256:{_hashed(Path(self._path), self._path)}"
        digest = hashlib.sha256()
        for file in self._several:
            digest.update(f"{_short(file, self._path)}\0{_hashed(file, self._path)}\n".encode())
        return f"sha256:{digest.hexdigest()}"

    def read(self, columns: Sequence[str], since: float | None, until: float | None) -> pl.DataFrame:
        """
        Read only these columns and, where the times are no text, only these rows.

        Raises:
            DataError: If a file is absent, corrupt, or may not be read.
        """
        frame = open_table(self._path) if self._several is None else read_all(self._several, self._path)
        columns_of(frame, self._path)
        return collected(projected(frame, list(columns), self._time, since, until), self._path)


def found(path: str) -> list[Path] | None:
    """List the files of a folder or pattern, sorted; None for a path of one file."""
    given = Path(path)
    if given.is_dir():
        return sorted(given.rglob("*.parquet"))
    if any(sign in path for sign in "*?[") and not given.exists():
        return sorted(Path(one) for one in glob(path, recursive=True))  # noqa: PTH207  absolute ones, too
    return None


def _short(file: Path, path: str) -> str:
    """Name a file of a folder so that the folder may move."""
    return str(file.relative_to(path)) if Path(path).is_dir() else file.name


def _hashed(file: Path, path: str) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(
            f"The table {path} was not read.",
            f"{file}: {error.strerror or error}.",
            "Give the path of a table that may be read.",
        ) from error
    return digest.hexdigest()
