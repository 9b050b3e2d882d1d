"""Which columns can be looked at together, and their rows as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from registry.records.base import Record

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEW = 8
"""Different numbers up to which a numeric column is taken as levels: its ranks would be mostly ties."""
COMMON = 0.01
"""Share of the rows from which a level is looked at by itself."""
ABSENT = 0.5
"""Share of missing values from which a column is left out."""
MISSING = -1
_RARER = 0.1  # of its share in the reference: below, a level is lost
_SHOWN = 3
_GROUPS = 7
_OWN = 0.5  # levels per row from which a column is taken for an identifier


class JointColumn(Record, frozen=True, kw_only=True):
    """
    One column of the reference.

    Attributes:
        numeric: Whether its values are numbers, be they looked at as levels or not.
        present: Share of rows with a value.
        levels: Those looked at one by one, most frequent first; None of a number.
        shares: Of the rows with a value, each level's, and last that of all other levels.
        grouped: Whether its levels are groups of rare ones.
    """

    name: str
    numeric: bool
    present: float
    levels: tuple[str, ...] | None = None
    shares: tuple[float, ...] = ()
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """
    Rows as numbers.

    Attributes:
        numbers: By column, shape (n,); NaN where there is no usable value.
        codes: By column, shape (n,): place among its levels, their count for any other, -1 for none.
    """

    rows: int
    numbers: dict[str, Floats]
    codes: dict[str, Ints]


def chosen(frame: pl.DataFrame, most_levels: int) -> tuple[list[JointColumn], dict[str, str]]:
    """
    Choose the columns of a reference that can be looked at together.

    Args:
        frame: The reference.
        most_levels: Per category; fewer if most columns are categories, so that there are
            about two scores per column.

    Returns:
        The columns, and why each other one was left out.
    """
    judged = {name: _column(frame[name], most_levels) for name in frame.columns}
    columns = [one for one in judged.values() if isinstance(one, JointColumn)]
    spare = 2 * len(columns) - sum(one.levels is None for one in columns)
    each = max(2, spare // max(1, sum(one.levels is not None for one in columns)))
    return [_cut(one, each) for one in columns], {name: why for name, why in judged.items() if isinstance(why, str)}


def encoded(frame: pl.DataFrame, columns: Sequence[JointColumn]) -> Encoded:
    """Encode the rows of a table that has all *columns*."""
    numbers = {one.name: _numbers(frame[one.name]) for one in columns if one.levels is None}
    codes = {one.name: _codes(frame[one.name], one) for one in columns if one.levels is not None}
    return Encoded(frame.height, numbers, codes)


def unlike(now: Encoded, columns: Sequence[JointColumn]) -> dict[str, str]:
    """Say which columns of a window can no longer be looked at, and why."""
    said = {one.name: _unlike(now, one) for one in columns}
    return {name: why for name, why in said.items() if why}


def few(names: Sequence[str]) -> str:
    """Name some."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _column(column: pl.Series, most_levels: int) -> JointColumn | str:
    numeric = column.dtype.is_numeric()
    if not numeric and not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum | pl.Boolean):
        return f"{column.dtype} is neither numbers nor levels"
    if not numeric:
        return _category(column, numeric=False, most_levels=most_levels)
    values = _numbers(column)
    seen = values[np.isfinite(values)]
    if seen.size < (1 - ABSENT) * values.size or not seen.size:
        return f"{1 - seen.size / max(1, values.size):.0%} of its values are missing in the reference"
    if np.unique(seen[:5000]).size <= FEW and np.unique(seen).size <= FEW:
        return _category(column, numeric=True, most_levels=most_levels)
    return JointColumn(name=column.name, numeric=True, present=seen.size / values.size)


def _category(column: pl.Series, *, numeric: bool, most_levels: int) -> JointColumn | str:
    known = _words(column, numeric=numeric).drop_nulls()
    if len(known) < (1 - ABSENT) * len(column) or not len(known):
        return f"{1 - len(known) / max(1, len(column)):.0%} of its values are missing in the reference"
    shares = _shares(known)
    if len(shares) == 1:
        return "it is constant in the reference"
    if len(shares) > _OWN * len(known):
        return "nearly every row has a level of its own"
    grouped = max(shares.values()) < COMMON
    if grouped:
        shares = _shares(_grouped(known))
    kept = [level for level, share in shares.items() if COMMON <= share <= 1 - COMMON][:most_levels]
    if not kept:
        return "no level but one is frequent enough"
    each = [shares[level] for level in kept]
    return JointColumn(
        name=column.name,
        numeric=numeric,
        grouped=grouped,
        present=len(known) / len(column),
        levels=tuple(kept),
        shares=(*each, max(0.0, 1 - sum(each))),
    )


def _shares(known: pl.Series) -> dict[str, float]:
    """Share of the rows of every level, the most frequent first."""
    counts = known.alias("level").value_counts(name="rows").sort(["rows", "level"], descending=[True, False])
    return dict(zip(counts["level"].to_list(), (counts["rows"] / len(known)).to_list(), strict=True))


def _grouped(words: pl.Series) -> pl.Series:
    """Many rare levels as a few groups of them, by their checksum: the same groups on every machine."""
    levels = words.drop_nulls().unique().to_list()
    groups = [f"group {crc32(level.encode()) % _GROUPS}" for level in levels]
    return words.replace_strict(levels, groups, default=None, return_dtype=pl.String())


def _cut(column: JointColumn, most: int) -> JointColumn:
    """Keep the *most* frequent levels."""
    if column.levels is None or len(column.levels) <= most:
        return column
    shares = (*column.shares[:most], max(0.0, 1 - sum(column.shares[:most])))
    return msgspec.structs.replace(column, levels=column.levels[:most], shares=shares)


def _unlike(now: Encoded, column: JointColumn) -> str:
    if column.levels is None:
        values = now.numbers[column.name]
        seen = values[np.isfinite(values)]
        constant = seen.size > 0 and float(seen.min()) == float(seen.max())
        gone = 1 - seen.size / now.rows
    else:
        codes = now.codes[column.name]
        constant = False
        gone = float(np.mean(codes == MISSING))
    if gone > ABSENT:
        return f"{gone:.0%} of its values are missing in the window"
    if constant:
        return "it is constant in the window"
    return _lost_levels(now.codes[column.name], column) if column.levels is not None else ""


def _lost_levels(codes: Ints, column: JointColumn) -> str:
    """Say so if a level has vanished, or nearly: no weights can bring it back."""
    levels, known = column.levels or (), codes[codes != MISSING]
    counts = np.bincount(known, minlength=len(levels) + 1)
    wanted = np.asarray(column.shares) * known.size
    lost = [repr(level) for level, seen, was in zip(levels, counts, wanted, strict=False) if seen < _RARER * was]
    return f"it has all but lost {few(lost)}" if lost else ""


def _numbers(column: pl.Series) -> Floats:
    """As float64; NaN where there is no finite number."""
    try:
        values = np.array(column.cast(pl.Float64(), strict=False).to_numpy(), dtype=np.float64)
    except PolarsError:
        return np.full(len(column), np.nan)
    values[~np.isfinite(values)] = np.nan
    return values


def _words(column: pl.Series, *, numeric: bool) -> pl.Series:
    """As text; numbers all in the same way, whatever their type."""
    try:
        if numeric:
            return pl.Series(column.name, _numbers(column)).fill_nan(None).cast(pl.String())
        return column.cast(pl.String())
    except PolarsError:
        return pl.Series(column.name, [None], dtype=pl.String()).new_from_index(0, len(column))


def _codes(column: pl.Series, like: JointColumn) -> Ints:
    levels = like.levels or ()
    words = _words(column, numeric=like.numeric)
    words = _grouped(words) if like.grouped else words
    place = words.replace_strict(list(levels), list(range(len(levels))), default=len(levels), return_dtype=pl.Int64())
    return np.asarray(pl.select(pl.when(words.is_null()).then(MISSING).otherwise(place)).to_series().to_numpy())
