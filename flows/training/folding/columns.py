"""Encoded columns while they pass through the steps of a pipeline: what each makes of its feature."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
import numpy as np

from flows.training.folding.errors import CannotFold
from registry.scoring.spec import CategoryColumn, NumericColumn

UNKNOWN = "\N{WHITE QUESTION MARK ORNAMENT}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number of its feature, so far."""

    column: NumericColumn

    @property
    def feature(self) -> str:
        """Whose number it is."""
        return self.column.feature

    @property
    def may_be_missing(self) -> bool:
        """Whether NaN can come out."""
        return self.column.fill is None and self.column.otherwise is None

    @property
    def constant(self) -> bool:
        """Whether it says only if its feature is missing."""
        return self.column.factor == 0


@dataclass(frozen=True, slots=True)
class Level:
    """
    What has become of each level of its feature, so far.

    Attributes:
        levels: Known levels; None until the first encoder says which.
        values: For each of them, then for an unknown level, then for a missing one.
        missing: What a missing level has become before there are levels.
    """

    feature: str
    levels: tuple[str, ...] | None = None
    values: tuple[Any, ...] = ()
    missing: Any = None

    @property
    def encoded(self) -> bool:
        """Whether all values are numbers."""
        return self.levels is not None and not any(isinstance(value, str) or value is None for value in self.values)


Column = Number | Level


def inputs(features: Sequence[str], categorical: frozenset[str]) -> list[Column]:
    """Begin with the features themselves."""
    return [Level(name) if name in categorical else Number(NumericColumn(feature=name)) for name in features]


def known(column: Level, levels: Sequence[str], missing: Any = None) -> Level:
    """Begin the values of a category: the levels themselves, an unknown one, and *missing*, unless it was filled."""
    names = tuple(levels)
    unknown = UNKNOWN
    while unknown in names:
        unknown += UNKNOWN
    return Level(column.feature, names, (*names, unknown, missing if column.missing is None else column.missing))


def subtracted(number: Number, shift: float, scale: float, part: str) -> Number:
    """(number - shift) / scale, in the order in which scikit-learn does it."""
    return _affine(number, part, shift=shift, scale=scale)


def multiplied(number: Number, factor: float, offset: float, part: str) -> Number:
    """Number * factor + offset, in the order in which scikit-learn does it."""
    return _affine(number, part, factor=factor, offset=offset)


def filled(number: Number, value: float) -> Number:
    """*value* instead of NaN."""
    column = number.column
    if not number.may_be_missing:
        return number
    if (column.shift, column.scale, column.factor, column.offset) == (0, 1, 1, 0):
        return Number(replace_column(column, fill=value))
    return Number(replace_column(column, otherwise=value))


def indicator(number: Number) -> Number:
    """1 where it is NaN, else 0."""
    return Number(NumericColumn(feature=number.feature, factor=0.0, otherwise=1.0 if number.may_be_missing else 0.0))


def replace_column(column: NumericColumn, **changes: float) -> NumericColumn:
    """Copy with changes."""
    return msgspec.structs.replace(column, **changes)


def to_spec(columns: Sequence[Column], part: str) -> tuple[NumericColumn | CategoryColumn, ...]:
    """
    End: what the model sees.

    Raises:
        CannotFold: If a category has reached the model without an encoder.
    """
    raw = sorted({column.feature for column in columns if isinstance(column, Level) and not column.encoded})
    if raw:
        raise CannotFold(part, f"it gets {', '.join(raw)} as text")
    found: list[NumericColumn | CategoryColumn] = []
    for _, group in groupby(enumerate(columns), key=_same_table):
        members = [column for _, column in group]
        first = members[0]
        if isinstance(first, Number):
            found.append(first.column)
        else:
            found.append(_category(first, [m for m in members if isinstance(m, Level)]))
    return tuple(found)


def _same_table(place: tuple[int, Column]) -> Any:
    number, column = place
    return number if isinstance(column, Number) else (column.feature, column.levels)


def _category(first: Level, members: Sequence[Level]) -> CategoryColumn:
    rows = [tuple(map(float, row)) for row in zip(*(member.values for member in members), strict=True)]
    *table, unknown, missing = rows
    levels = dict(zip(first.levels or (), table, strict=True))
    return CategoryColumn(feature=first.feature, table=levels, unknown=unknown, missing=missing)


def _affine(number: Number, part: str, **changes: float) -> Number:
    column = number.column
    if number.constant:
        values = np.array([column.offset, 0.0 if column.otherwise is None else column.otherwise])
        off, on = _applied(values, **changes)
        return Number(replace_column(column, offset=off, otherwise=on))
    if "shift" in changes and (column.shift, column.scale, column.factor, column.offset) != (0, 1, 1, 0):
        raise CannotFold(part, f"{column.feature} is scaled twice")
    if "factor" in changes and (column.factor, column.offset) != (1, 0):
        raise CannotFold(part, f"{column.feature} is scaled twice")
    changed = replace_column(column, **changes)
    if column.otherwise is not None:
        (changes["otherwise"],) = _applied(np.array([column.otherwise]), **changes)
        changed = replace_column(column, **changes)
    return Number(changed)


def _applied(values: Any, shift: float = 0.0, scale: float = 1.0, factor: float = 1.0, offset: float = 0.0) -> Any:
    return ((values - shift) / scale * factor + offset).tolist()
