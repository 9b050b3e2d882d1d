"""Rows of JSON features into numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.scoring.dates import turned
from registry.scoring.spec import CategoryColumn, DateColumn, NumericColumn, ScorerSpec


class Encoder:
    """The columns of a spec, grouped so that numbers are handled all at once."""

    def __init__(self, spec: ScorerSpec) -> None:
        self._numeric: list[tuple[str, int]] = []
        self._categories: list[tuple[CategoryColumn, slice]] = []
        self.width = 0
        columns: list[NumericColumn] = []
        for column in spec.columns:
            if isinstance(column, NumericColumn):
                columns.append(column)
                self._numeric.append((column.feature, self.width))
            else:
                self._categories.append((column, slice(self.width, self.width + column.width)))
            self.width += column.width
        self._cycles = [(place, c.cycle) for place, c in enumerate(columns) if isinstance(c, DateColumn)]
        self._names = [name for name, _ in self._numeric]
        self._places = [place for _, place in self._numeric]
        self._fill = np.array([np.nan if c.fill is None else c.fill for c in columns], dtype=np.float64)
        self._shift = np.array([c.shift for c in columns], dtype=np.float64)
        self._scale = np.array([c.scale for c in columns], dtype=np.float64)
        self._factor = np.array([c.factor for c in columns], dtype=np.float64)
        self._otherwise = np.array([np.nan if c.otherwise is None else c.otherwise for c in columns], dtype=np.float64)
        self._offset = np.array([c.offset for c in columns], dtype=np.float64)

    def matrix(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Encode to shape (n, width), in double precision."""
        matrix = np.empty((len(rows), self.width), dtype=np.float64)
        if rows and self._names:
            raw = np.array([[number_of(row, name) for name in self._names] for row in rows], dtype=np.float64)
            for number, cycle in self._cycles:
                raw[:, number] = turned(raw[:, number], cycle)
            raw = np.where(np.isnan(raw), self._fill, raw)
            numbers = (raw - self._shift) / self._scale * self._factor + self._offset
            matrix[:, self._places] = np.where(np.isnan(numbers), self._otherwise, numbers)
        for column, place in self._categories if rows else ():
            matrix[:, place] = [_lookup(column, row.get(column.feature)) for row in rows]
        return matrix


def fill_raw(
    rows: Sequence[Mapping[str, Any]], features: Sequence[str], levels: Sequence[Mapping[str, int] | None]
) -> NDArray[np.float64]:
    """
    Write down rows as a compiled scorer reads them, shape (n, len(features)).

    Raises:
        ValueError: If a numeric feature is not a number.
    """
    raw = np.empty((len(rows), len(features)), dtype=np.float64)
    for place, (name, codes) in enumerate(zip(features, levels, strict=True)):
        raw[:, place] = _numbers(rows, name) if codes is None else [_code(row.get(name), codes) for row in rows]
    return raw


def _numbers(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    """All at once; one by one if one of them is no number, so that the right one is named."""
    try:
        numbers = np.array([row.get(name) for row in rows], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    return numbers if numbers.shape == (len(rows),) else [number_of(row, name) for row in rows]


def number_of(row: Mapping[str, Any], name: str) -> float:
    """
    Read a numeric feature; absent and None are NaN.

    Raises:
        ValueError: If it is no number.
    """
    value = row.get(name)
    if value is None:
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"feature {name!r} is {value!r}, not a number") from error


def _lookup(column: CategoryColumn, value: Any) -> tuple[float, ...]:
    if value is None or value != value:  # NaN alone differs from itself
        return column.missing
    return column.table.get(level_of(value), column.unknown)


def level_of(value: Any) -> str:
    """Name the level of a JSON value: text as it is, true and false as JSON writes them, numbers as decimal text."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(value: Any, codes: Mapping[str, int]) -> float:
    if value is None or value != value:
        return np.nan
    return codes.get(level_of(value), len(codes))
