"""How raw features become what a model looks at: a spec as one flat table of slots that a kernel walks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.scoring.spec import CategoryColumn, DateColumn, NumericColumn, ScorerSpec

NUMBER, TABLE, SET = 0, 1, 2
Levels = dict[str, dict[str, int] | None]

SLOT = np.dtype(
    [
        ("feature", np.uint32),
        ("op", np.int32),
        ("fill", np.float64),
        ("shift", np.float64),
        ("scale", np.float64),
        ("factor", np.float64),
        ("offset", np.float64),
        ("otherwise", np.float64),
        ("missing", np.float64),
        ("tiny", np.float64),
        ("zero", np.float64),
        ("where", np.int64),
        ("levels", np.int64),
        ("cycle", np.int64),
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Look:
    """
    One way in which a model looks at an encoded column.

    Attributes:
        column: Number of the encoded column.
        missing: What it sees instead of NaN.
        tiny: Numbers of up to this size are seen as *zero*; -1: none are.
        zero: What it sees instead of a tiny number.
        members: For a test of membership: 1 for each code (0, 1, ...) that belongs; it sees 0
            for a member, 1 for any other code, and *missing* for NaN.
    """

    column: int
    missing: float = np.nan
    tiny: float = -1.0
    zero: float = 0.0
    members: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """
    Encodes rows for one model.

    Attributes:
        slots: Structured (SLOT), one for each look.
        tables: Numbers that slots look up; double precision.
    """

    slots: NDArray[Any]
    tables: NDArray[np.float64]


def plain_looks(spec: ScorerSpec) -> list[Look]:
    """Look at every encoded column as it is."""
    return [Look(column) for column in range(spec.width)]


def make_program(spec: ScorerSpec, looks: Sequence[Look], levels: Levels) -> Program:
    """Lay out what *looks* need of the columns of *spec*, for raw columns with *levels*."""
    numbers = {name: number for number, name in enumerate(levels)}
    origins = [(column, place) for column in spec.columns for place in range(column.width)]
    slots, tables = np.zeros(len(looks), dtype=SLOT), _Tables()
    for slot, look in zip(slots, looks, strict=True):
        column, place = origins[look.column]
        slot["feature"] = numbers[column.feature]
        if isinstance(column, NumericColumn):
            _number(slot, column, look, tables)
        else:
            _table(slot, _seen(_column(column, place, levels[column.feature] or {}), look), tables)
    return Program(slots, tables.joined)


class _Tables:
    """Tables one behind the other; equal ones are kept once."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._parts: list[NDArray[np.float64]] = []
        self._length = 0

    def place(self, numbers: NDArray[np.float64]) -> int:
        known = self._places.setdefault(numbers.tobytes(), self._length)
        if known == self._length:
            self._parts.append(numbers)
            self._length += len(numbers)
        return known

    @property
    def joined(self) -> NDArray[np.float64]:
        return np.concatenate([*self._parts, np.zeros(1)])


def raw_levels(spec: ScorerSpec) -> Levels:
    """
    Codes of levels by feature, in the order of the raw columns; None for a number.

    Several columns, or members, may know different levels of one feature.
    """
    kinds = {column.feature: isinstance(column, NumericColumn) for column in spec.all_columns}
    order = spec.inputs or tuple(kinds)
    found: Levels = {name: None if kinds[name] else {} for name in order}
    for column in spec.all_columns:
        codes = found[column.feature]
        if isinstance(column, CategoryColumn) and codes is not None:
            for level in column.table:
                codes.setdefault(level, len(codes))
    return found


def _number(slot: Any, column: NumericColumn, look: Look, tables: _Tables) -> None:
    slot["fill"] = np.nan if column.fill is None else column.fill
    slot["shift"], slot["scale"] = column.shift, column.scale
    slot["factor"], slot["offset"] = column.factor, column.offset
    slot["otherwise"] = np.nan if column.otherwise is None else column.otherwise
    slot["missing"], slot["tiny"], slot["zero"] = look.missing, look.tiny, look.zero
    slot["op"], slot["cycle"] = NUMBER, _cycle(column, tables)
    if look.members is not None:
        slot["op"], slot["levels"] = SET, len(look.members)
        slot["where"] = tables.place(np.array([*(0.0 if m else 1.0 for m in look.members), 1.0, look.missing]))


def _cycle(column: NumericColumn, tables: _Tables) -> int:
    """Where the period, start, step and lag of a date are; -1 for a plain number."""
    if not isinstance(column, DateColumn):
        return -1
    cycle = column.cycle
    lag = np.nan if cycle.lag is None else cycle.lag
    return tables.place(np.array([cycle.period, cycle.start, cycle.step, lag], dtype=np.float64))


def _column(column: CategoryColumn, place: int, codes: Mapping[str, int]) -> NDArray[np.float64]:
    """The numbers of one encoded column by code; then of the unknown, then of the missing."""
    known = [column.table.get(level, column.unknown)[place] for level in codes]
    return np.array([*known, column.unknown[place], column.missing[place]], dtype=np.float64)


def _seen(numbers: NDArray[np.float64], look: Look) -> NDArray[np.float64]:
    """The same, as *look* sees them."""
    gone = np.isnan(numbers)
    numbers = np.where(np.abs(numbers) <= look.tiny, look.zero, numbers)
    if look.members is not None:
        members, size = np.array([*look.members, 0], dtype=bool), len(look.members)
        codes = np.where(gone | (numbers <= -1) | (numbers >= size), size, numbers)
        numbers = np.where(members[codes.astype(np.int64)], 0.0, 1.0)
    return np.where(gone, look.missing, numbers)


def _table(slot: Any, numbers: NDArray[np.float64], tables: _Tables) -> None:
    slot["op"], slot["levels"], slot["where"] = TABLE, len(numbers) - 2, tables.place(numbers)
