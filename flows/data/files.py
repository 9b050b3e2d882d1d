"""Read a table from a file."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from flows.errors import DataError

_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema_length=10_000, try_parse_dates=True),
    ".parquet": pl.read_parquet,
    ".pq": pl.read_parquet,
}


def read_table(path: str | Path) -> pl.DataFrame:
    """
    Read a CSV or Parquet file.

    Raises:
        DataError: If it is absent, corrupt, empty or of another kind.
    """
    file = Path(path)
    if file.is_dir():
        raise DataError(f"The table {file} was not read.", "It is a folder.", "Give the path of a file in it.")
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise DataError(f"The table {file} was not read.", f"Its ending {file.suffix!r} is unknown.", f"Use {known}.")
    if not file.is_file():
        raise DataError(f"The table {file} was not read.", "There is no such file.", "Give the path of a table.")
    try:
        frame = reader(file)
    except PermissionError as error:
        raise DataError(
            f"The table {file} was not read.", f"{error.strerror or error}.", "Allow it to be read."
        ) from error
    except (PolarsError, OSError) as error:
        raise DataError(
            f"The table {file} was not read.",
            f"It is no valid {file.suffix[1:]}: {str(error).splitlines()[0]}.",
            _mend(str(error)),
        ) from error
    if frame.is_empty():
        raise DataError(f"The table {file} was not read.", "It has no rows.", "Give a table with rows.")
    return frame


def _mend(said: str) -> str:
    if "utf-8" in said.lower():
        return "Save it as UTF-8, e.g. `iconv -f latin1 -t utf-8`."
    if "empty" in said.lower():
        return "Give a table with a line of column names, and rows."
    if "fields" in said:
        return "Give every line as many values as there are columns, separated by commas."
    return "Write the file again."
