"""What kind of column a type makes, and which two types can be compared."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether two types go together: an error if not, a note if a person should know how."""

    error: str = ""
    note: str = ""


def kind_of(reference: pl.DataType | None, current: pl.DataType | None) -> Kind:
    """Numbers and times on either side make a numeric column, all else a categorical one."""
    return "numeric" if any(_numeric(side) for side in (reference, current) if side is not None) else "categorical"


def together(reference: pl.DataType, current: pl.DataType, kind: Kind) -> Fit:
    """Say whether columns of these types can be compared."""
    nested = [side for side in (reference, current) if side.is_nested() or side == pl.Binary]
    if nested:
        return Fit(error=f"columns of type {nested[0]} cannot be compared")
    if kind == "categorical":
        return Fit()
    if _times(reference) and _times(current):
        return _zones(reference, current)
    if (_times(reference) or _times(current)) and pl.Null not in (reference, current):
        return Fit(error=f"types differ: {reference} in the reference, {current} in the window")
    return Fit(note=_changed(reference, current))


def _numeric(side: pl.DataType) -> bool:
    return side.is_numeric() or side.is_temporal()


def _times(side: pl.DataType) -> bool:
    return side.is_temporal()


def _changed(reference: pl.DataType, current: pl.DataType) -> str:
    texts = [side.is_numeric() for side in (reference, current)]
    if texts[0] == texts[1] or pl.Null in (reference, current):
        return ""
    return f"types differ: {reference} in the reference, {current} in the window; what is no number is not compared"


def _zones(reference: pl.DataType, current: pl.DataType) -> Fit:
    if not isinstance(reference, pl.Datetime) or not isinstance(current, pl.Datetime):
        same = type(reference) is type(current)
        days = {type(reference), type(current)} == {pl.Date, pl.Datetime}
        differ = f"types differ: {reference} in the reference, {current} in the window"
        return Fit() if same else Fit(note=differ) if days else Fit(error=differ)
    ours, theirs = reference.time_zone, current.time_zone
    if ours == theirs:
        return Fit()
    told = f"time zones differ: {ours or 'none'} in the reference, {theirs or 'none'} in the window"
    return Fit(note=f"{told}; compared as instants") if ours and theirs else Fit(error=told)
