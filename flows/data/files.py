"""Read a table: CSV, Parquet (a file, a folder or a pattern), or a version of a Delta table."""

import re
from collections.abc import Callable, Sequence
from glob import iglob
from pathlib import Path

import polars as pl
from polars.exceptions import ComputeError, PolarsError

from flows.errors import DataError


def _scan_csv(path: str, *, rows: int | None = 10_000) -> pl.LazyFrame:
    """Types are told by the first rows, or by all of them."""
    return pl.scan_csv(path, infer_schema_length=rows, try_parse_dates=True, with_column_names=_unquoted)


def _unquoted(names: list[str]) -> list[str]:
    """In quotes a quote is written twice; polars knows that of values only."""
    return [name.replace('""', '"') for name in names]


_TEXT = ".csv"
_SCANNERS: dict[str, Callable[[str], pl.LazyFrame]] = {
    _TEXT: _scan_csv,
    ".parquet": pl.scan_parquet,
    ".pq": pl.scan_parquet,
}
_VERSIONED = re.compile(r"(?P<path>.+)@(?P<version>\d{1,18})")
DELTA_LOG = "_delta_log"


def read_table(path: str | Path) -> pl.DataFrame:
    """
    Read a whole table.

    Args:
        path: As for `scan_table`.

    Raises:
        DataError: If it is absent, corrupt, empty or of another kind.
    """
    frame = collected(open_table(path), path)
    if frame.is_empty():
        raise _refused(path, "It has no rows.", "Give a table with rows.")
    return frame


def open_table(path: str | Path) -> pl.LazyFrame:
    """
    Open a table so that columns can be taken one after the other at little cost.

    Text is read at once, as each column would otherwise need all of it; a column that begins
    with numbers and has words further down is a column of words.

    Raises:
        DataError: As `scan_table`, and for text that cannot be read.
    """
    frame = scan_table(path)
    if Path(path).suffix.lower() != _TEXT:
        return frame
    try:
        return frame.collect().lazy()
    except ComputeError:
        return collected(_scan_csv(str(path), rows=None), path).lazy()
    except Exception as error:
        raise _unreadable(path, error) from error


def scan_table(path: str | Path) -> pl.LazyFrame:
    """
    Open a table without reading its rows.

    Args:
        path: A CSV or Parquet file; a folder of Parquet files, or a pattern such as
            `events/2026-*.parquet`; the folder of a Delta table, as it is now or, with
            `@12` behind it, as its version 12 was.

    Raises:
        DataError: If it is absent, or of another kind.
    """
    said = str(path)
    if not said.strip():
        raise DataError("No table was read.", "Its path is empty.", "Give the path of a table.")
    if any(sign in said for sign in "*?[") and not Path(said).exists():
        return _pattern(said)
    table, version = versioned(said)
    file = Path(table)
    if (file / DELTA_LOG).is_dir():
        return _delta(table, version, said)
    if version is not None:
        raise _refused(said, f"{table} is no Delta table, so it has no version {version}.", f"Leave out @{version}.")
    if file.is_dir():
        return _folder(file)
    return _file(file)


def read_all(files: Sequence[Path], said: str) -> pl.LazyFrame:
    """
    Open several files as one table; one that lacks a column of another has nulls there.

    Args:
        files: All CSV, or all Parquet; folders such as `day=3` on the way are columns.
        said: How they were named, for refusals.

    Raises:
        DataError: If there are none, or one is corrupt.
    """
    if not files:
        raise _refused(said, "It is a folder or pattern without files.", "Check it, and where it starts.")
    parts = [_part(file, said) for file in files]
    return parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal_relaxed")


def _part(file: Path, said: str) -> pl.LazyFrame:
    if file.suffix.lower() == _TEXT:
        return open_table(file)
    try:
        frame = pl.scan_parquet(file, hive_partitioning=any("=" in part for part in file.parent.parts))
        frame.collect_schema()
    except Exception as error:
        raise _unreadable(said if str(file) == said else f"{said} ({file.name})", error) from error
    return frame


def collected(frame: pl.LazyFrame, path: str | Path) -> pl.DataFrame:
    """
    Read what was opened.

    Raises:
        DataError: If the file is corrupt, or may not be read.
    """
    try:
        return frame.collect()
    except Exception as error:
        raise _unreadable(path, error) from error


def columns_of(frame: pl.LazyFrame, path: str | Path) -> pl.Schema:
    """
    Look up names and types.

    Raises:
        DataError: If the file is corrupt, or may not be read.
    """
    try:
        return frame.collect_schema()
    except Exception as error:
        raise _unreadable(path, error) from error


def _file(file: Path) -> pl.LazyFrame:
    scanner = _SCANNERS.get(file.suffix.lower())
    if scanner is None:
        known = ", ".join(_SCANNERS)
        raise _refused(file, f"Its ending {file.suffix!r} is unknown.", f"Use {known}, or the folder of a Delta table.")
    if not file.is_file():
        raise _refused(file, "There is no such file.", "Give the path of a table.")
    return _opened(scanner, str(file), file)


def _folder(folder: Path) -> pl.LazyFrame:
    found = next(folder.rglob("*.parquet"), None)
    if found is None:
        raise _refused(
            folder, "It is a folder without Parquet files.", "Give the path of a file, or of a Delta table's folder."
        )
    return _opened(pl.scan_parquet, f"{folder}/**/*.parquet", folder)


def _pattern(pattern: str) -> pl.LazyFrame:
    if "://" not in pattern and next(iglob(pattern, recursive=True), None) is None:  # noqa: PTH207  absolute ones, too
        raise _refused(pattern, "No file matches.", "Check the pattern, and where it starts.")
    scanner = _SCANNERS.get(Path(pattern).suffix.lower(), pl.scan_parquet)
    frame = _opened(scanner, pattern, pattern)
    try:
        frame.collect_schema()
    except (PolarsError, OSError) as error:
        raise _refused(
            pattern, f"The first file that matches is no table: {_first_line(error)}.", "Check the pattern."
        ) from error
    return frame


def _delta(table: str, version: int | None, said: str) -> pl.LazyFrame:
    try:
        frame = pl.scan_delta(table, version=version)
        frame.collect_schema()  # here, where a version that is not there can be told from a broken table
    except Exception as error:
        raise _refused(said, f"{_first_line(error)}.", "Give a version that the Delta table has.") from error
    return frame


def _opened(scanner: Callable[[str], pl.LazyFrame], path: str, said: str | Path) -> pl.LazyFrame:
    try:
        return scanner(path)
    except (PolarsError, OSError) as error:
        raise _unreadable(said, error) from error


def versioned(said: str) -> tuple[str, int | None]:
    """Divide `folder@12` into the folder and 12."""
    found = None if Path(said).exists() else _VERSIONED.fullmatch(said)
    return (found["path"], int(found["version"])) if found else (said, None)


def _unreadable(path: str | Path, error: Exception) -> DataError:
    if isinstance(error, PermissionError):
        return _refused(path, f"{error.strerror or error}.", "Allow it to be read.")
    kind = Path(path).suffix[1:] or "table"
    return _refused(path, f"It is no valid {kind}: {_first_line(error)}.", _mend(str(error)))


def _refused(path: str | Path, why: str, mend: str) -> DataError:
    return DataError(f"The table {path} was not read.", why, mend)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


def _mend(said: str) -> str:
    if "utf-8" in said.lower():
        return "Save it as UTF-8, e.g. `iconv -f latin1 -t utf-8`."
    if "empty" in said.lower():
        return "Give a table with a line of column names, and rows."
    if "fields" in said:
        return "Give every line as many values as there are columns, separated by commas."
    return "Write the file again."
