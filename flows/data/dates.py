"""Dates of a table as epoch seconds, read as the router reads them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from registry.scoring.dates import EARLIEST, LATEST, moment_of, phases

_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"


def moments(column: pl.Series) -> pl.Series:
    """
    Epoch seconds of ISO 8601 text, dates, timestamps or numbers; in UTC without a zone.

    Returns:
        Float64; null where a value is missing or no date.

    Raises:
        PolarsError: If the column holds something else, such as a duration.
    """
    if column.dtype == pl.String:
        return _of_text(column)
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        value = column.cast(pl.Float64)
        return value.set(~(value.is_finite() & (value >= EARLIEST) & (value < LATEST)).fill_null(value=False), None)
    return _seconds(column.cast(pl.Datetime("us")))


def with_parts(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Put what a model sees of the dates *names* of a prepared table in their place."""
    if not names:
        return frame
    called = [f"{name} ({part})" for name in names for part in ("hour", "weekday", "day of year")]
    parts = pl.DataFrame(phases(frame.select(names)), schema=dict.fromkeys(called, pl.Float64)).fill_nan(None)
    return frame.drop(names).hstack(parts)


def dates_mistakes(names: Sequence[str], frame: pl.DataFrame) -> list[str]:
    """Say which of the columns *names* hold something that is no date."""
    found = [_mistake(frame[name]) for name in names if name in frame]
    return [one for one in found if one is not None]


def _mistake(column: pl.Series) -> str | None:
    expected = "expected ISO 8601 dates or epoch seconds"
    try:
        if column.dtype == pl.Boolean:
            return f"{column.name!r} holds {column.dtype}, {expected}"
        wrong = column.filter(column.is_not_null() & moments(column).is_null())
    except PolarsError:
        return f"{column.name!r} holds {column.dtype}, {expected}"
    wrong = wrong.fill_nan(None).drop_nulls() if column.dtype.is_float() else wrong
    return f"{column.name!r} holds {wrong[0]!r}, {expected}" if wrong.len() else None


def _of_text(column: pl.Series) -> pl.Series:
    """Most at once, in the notation of the first; the rest, in other notations, one by one."""
    fine = column.str.contains(_ISO).fill_null(value=False)
    found = column.set(~fine, None).str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    seconds = _seconds(found)
    left = column.filter(fine & seconds.is_null()).unique()
    if left.is_empty():
        return seconds
    known = {text: _moment(text) for text in left.to_list()}
    rest = column.replace_strict(known, default=None, return_dtype=pl.Float64)
    return seconds.fill_null(rest)


def _seconds(column: pl.Series) -> pl.Series:
    """Divided by numpy, as polars multiplies by 1e-6, which is not the router's last bit."""
    ticks = column.dt.epoch("us").to_numpy().astype(np.float64)
    return pl.Series(column.name, ticks / 1e6).fill_nan(None)


def _moment(text: str) -> float | None:
    try:
        return moment_of(text)
    except ValueError:
        return None
