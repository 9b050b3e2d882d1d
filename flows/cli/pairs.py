"""Two tables side by side: which columns can be compared, and a handful of them at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl
from polars import selectors
from polars.exceptions import PolarsError

from flows.data.files import collected, columns_of, open_table
from flows.detection.univariate.compare import compare
from flows.detection.univariate.statistics import ColumnStatistics
from flows.detection.univariate.types import Kind, kind_of, together
from flows.errors import DataError

_VALUES = 1_000_000  # of one side that are held at once: 8 MB of numbers
TIME = "a time, which differs from table to table by its nature"
Done = Callable[[int, int], None]
Stamp = tuple[int, int, int]


@dataclass(slots=True)
class Side:
    """
    A table that gives its columns by their literal names.

    Attributes:
        path: As it was given.
        count: Rows.
        stamp: Of a single file as it was when it was opened.
    """

    path: str
    frame: pl.LazyFrame = field(repr=False)
    schema: dict[str, pl.DataType] = field(repr=False)
    count: int
    stamp: Stamp | None = None

    def take(self, name: str) -> pl.Series:
        """Read one column."""
        return self.some([name])[name]

    def rows(self) -> int:
        """Count the rows."""
        return self.count

    def some(self, names: Sequence[str]) -> pl.DataFrame:
        """Read the columns of these names that there are; a name is never a pattern."""
        return self.frame.select(selectors.by_name([name for name in names if name in self.schema])).collect()

    def refuse_change(self) -> None:
        """
        Make sure that all was read from the same file.

        Raises:
            DataError: If another file has taken its place meanwhile.
        """
        if self.stamp != _stamp(self.path):
            raise DataError(
                f"The table {self.path} was not compared.", "It changed while it was read.", "Run the command again."
            )


@dataclass(frozen=True, slots=True)
class Sorted:
    """
    Names of columns by what can be done with them.

    Attributes:
        left_out: With the reason.
    """

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


def opened(path: str) -> Side:
    """
    Open a table and count its rows.

    Args:
        path: As for `flows.data.files.scan_table`.

    Raises:
        DataError: If it cannot be read.
    """
    stamp = _stamp(path)
    frame = open_table(path)
    schema = dict(columns_of(frame, path))
    count = int(collected(frame.select(pl.len()), path).item())
    return Side(path, frame, schema, count, stamp)


def kinds(was: Side, now: Side, *, ignore: Sequence[str], categorical: Sequence[str]) -> Sorted:
    """Sort the columns of both sides; what neither moves nor stays in a way that can be told is left out and named."""
    found: dict[Kind, list[str]] = {"numeric": [], "categorical": []}
    left_out: dict[str, str] = {}
    for name in {**was.schema, **now.schema}:
        types = [side.schema[name] for side in (was, now) if name in side.schema]
        why = "" if name in ignore else _why_not(types)
        if why:
            left_out[name] = why
        elif name not in ignore:
            kind: Kind = "categorical" if name in categorical else kind_of(types[0], types[-1])
            found[kind].append(name)
    return Sorted(tuple(found["numeric"]), tuple(found["categorical"]), left_out)


def measured(was: Side, now: Side, chosen: Sorted, threads: int, done: Done) -> list[ColumnStatistics]:
    """
    Measure columns, a handful at a time; where a handful cannot be read, its columns one by one.

    Args:
        was, now: Reference and newer table.
        chosen: Columns.
        threads: Columns at once.
        done: Told how many of how many columns are measured.

    Raises:
        DataError: If a file was replaced meanwhile.
    """
    found: list[ColumnStatistics] = []
    total = len(chosen.numeric) + len(chosen.categorical)
    step = max(threads, _VALUES // max(was.count, now.count, 1), 1)
    for numeric, names in _handfuls(chosen, step):
        some = partial(compare, numeric=names if numeric else (), categorical=() if numeric else names, threads=threads)
        try:
            found += some(was.some(names), now.some(names))
        except (PolarsError, OSError):
            found += some(was.frame, now.frame)
        done(len(found), total)
    was.refuse_change()
    now.refuse_change()
    return found


def _handfuls(chosen: Sorted, step: int) -> Iterator[tuple[bool, Sequence[str]]]:
    for numeric, names in ((True, chosen.numeric), (False, chosen.categorical)):
        for first in range(0, len(names), step):
            yield numeric, names[first : first + step]


def _why_not(types: Sequence[pl.DataType]) -> str:
    """Say why columns of such types are left out; empty if they are not."""
    nested = [kind for kind in types if kind.is_nested() or kind == pl.Binary]
    if len(nested) == len(types):
        return f"columns of type {nested[0]} cannot be compared"
    if all(kind.is_temporal() or kind == pl.Null for kind in types) and any(kind.is_temporal() for kind in types):
        fit = together(types[0], types[-1], "numeric")
        return (fit.error or fit.note).partition(";")[0] or TIME
    return ""


def _stamp(path: str) -> Stamp | None:
    try:
        seen = Path(path).stat()
    except (OSError, ValueError):
        return None
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino) if Path(path).is_file() else None
