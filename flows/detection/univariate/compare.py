"""Every column of two tables, measured; no column is ever an exception."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import polars as pl

from flows.detection.univariate.bins import Binning
from flows.detection.univariate.categorical import categorical_statistics
from flows.detection.univariate.numeric import numeric_statistics
from flows.detection.univariate.profile import CategoryProfile, NumericProfile, ReferenceProfile
from flows.detection.univariate.samples import Levels, Numbers
from flows.detection.univariate.statistics import ABSENT, ColumnStatistics
from flows.detection.univariate.tables import Columns, Table, columns
from flows.detection.univariate.types import Fit, Kind, kind_of, together

NEW = "the reference has no such column"
NOWHERE = "neither side has this column"
Measured = tuple[ColumnStatistics, ...]


def compare(
    reference: Table | ReferenceProfile,
    current: Table,
    *,
    numeric: Iterable[str] | None = None,
    categorical: Iterable[str] | None = None,
    binning: Binning = "quantile",
    threads: int = 1,
) -> Measured:
    """
    Measure columns of a reference and of a window.

    A column that cannot be measured says why in its `error`, and the others are measured all the same.

    Args:
        reference: A frame; a query or the path of a Parquet file, of which one column per thread is held at a time;
            or a stored profile, which is good to about 1/1000 and knows its columns and their kinds.
        current: A frame, a query or a path; the sides may differ.
        numeric: Names of numeric columns. With *categorical* not given either: all columns of either side, each as
            its type says: numbers and times are numeric, all else is categorical.
        categorical: Names of categorical columns.
        binning: Of PSI and Jensen-Shannon of numbers, by the reference: "quantile" for deciles, "width" for ten
            equally wide bins.
        threads: Columns measured at once. Results do not depend on it.

    Returns:
        The numeric columns, then the categorical ones, in the order given; or all columns in the reference's order,
        then those that only the window has.
    """
    now = columns(current)
    if isinstance(reference, ReferenceProfile):
        return _with_profile(reference, now, (numeric, categorical), binning, threads)
    was = columns(reference)
    chosen = _chosen(was, now, numeric, categorical)
    return in_turn([partial(_column, was, now, name, kind, binning) for name, kind in chosen], threads)


def in_turn(work: Sequence[Callable[[], ColumnStatistics]], threads: int) -> Measured:
    """Run all, *threads* at once, and keep their order."""
    if threads <= 1 or len(work) <= 1:
        return tuple(one() for one in work)
    with ThreadPoolExecutor(threads) as pool:
        return tuple(pool.map(lambda one: one(), work))


def failed(name: str, kind: Kind, why: str, reference: pl.Series | None = None) -> ColumnStatistics:
    """Say why a column was not measured."""
    missing = 0 if reference is None else reference.null_count()
    n = 0 if reference is None else reference.len() - missing
    return ColumnStatistics(name=name, kind=kind, n=0, reference_n=n, reference_missing=missing, error=why)


def _chosen(
    was: Columns, now: Columns, numeric: Iterable[str] | None, categorical: Iterable[str] | None
) -> list[tuple[str, Kind]]:
    if numeric is not None or categorical is not None:
        return [*((name, "numeric") for name in numeric or ()), *((name, "categorical") for name in categorical or ())]
    return [(name, kind_of(was.schema.get(name), now.schema.get(name))) for name in {**was.schema, **now.schema}]


def _column(was: Columns, now: Columns, name: str, kind: Kind, binning: Binning) -> ColumnStatistics:
    ours, theirs = was.schema.get(name), now.schema.get(name)
    if ours is None:
        return failed(name, kind, NEW if theirs is not None else NOWHERE)
    fit = together(ours, theirs, kind) if theirs is not None else Fit(error=ABSENT)
    try:
        if fit.error:
            return failed(name, kind, fit.error, was.take(name))
        found = _measured(name, kind, (was, now), binning)
    except Exception as error:  # noqa: BLE001 - whatever one column does, the others are still measured
        return failed(name, kind, _unreadable(error))
    return msgspec.structs.replace(found, note=fit.note) if fit.note else found


def _measured(name: str, kind: Kind, sides: tuple[Columns, Columns], binning: Binning) -> ColumnStatistics:
    """Read and sort one side after the other, so that only one is held as it was read."""
    if kind == "numeric":
        was, now = (Numbers.of(side.take(name)) for side in sides)
        return numeric_statistics(name, was, now, binning)
    ours, theirs = (Levels.of(side.take(name)) for side in sides)
    return categorical_statistics(name, ours, theirs)


def _with_profile(
    reference: ReferenceProfile,
    now: Columns,
    chosen: tuple[Iterable[str] | None, Iterable[str] | None],
    binning: Binning,
    threads: int,
) -> Measured:
    kept: dict[str, NumericProfile | CategoryProfile] = {**reference.numeric, **reference.categorical}
    names = list(kept) if chosen == (None, None) else [name for some in chosen for name in some or ()]
    return in_turn([partial(_kept_column, kept.get(name), now, name, binning) for name in names], threads)


def _kept_column(
    was: NumericProfile | CategoryProfile | None, now: Columns, name: str, binning: Binning
) -> ColumnStatistics:
    there = now.schema.get(name)
    if was is None:
        return failed(name, kind_of(None, there), NEW if there is not None else NOWHERE)
    kind: Kind = "numeric" if isinstance(was, NumericProfile) else "categorical"
    absent = ColumnStatistics(name=name, kind=kind, n=0, reference_n=was.n, reference_missing=was.missing, error=ABSENT)
    if there is None:
        return absent
    try:
        return kept_measured(name, was, now.take(name), binning)
    except Exception as error:  # noqa: BLE001 - whatever one column does, the others are still measured
        return msgspec.structs.replace(absent, error=_unreadable(error))


def kept_measured(
    name: str, was: NumericProfile | CategoryProfile, current: pl.Series, binning: Binning = "quantile"
) -> ColumnStatistics:
    """Measure one column against what a profile kept of it."""
    if isinstance(was, NumericProfile):
        return numeric_statistics(name, was.sample(), Numbers.of(current), binning)
    return categorical_statistics(name, was.sample(), Levels.of(current))


def _unreadable(error: Exception) -> str:
    return f"it cannot be read or measured: {type(error).__name__}: {error}"
