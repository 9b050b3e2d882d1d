"""Values of a target of several classes into their numbers."""

import polars as pl

from flows.config.model import ModelConfig

_SHOWN = 5


def class_numbers(config: ModelConfig, column: pl.Series) -> pl.Series:
    """
    The place in `data.classes` of each value, as Float64; null where there is none.

    A class may be written as the column has it: text, a number (1 and 1.0 are the class "1"), or true and false.
    """
    names = list(config.data.classes)
    numbers = pl.Series(range(len(names)), dtype=pl.Float64)
    said = _texts(column)
    return said.replace_strict(pl.Series(names, dtype=pl.String), numbers, default=None, return_dtype=pl.Float64)


def class_mistakes(config: ModelConfig, column: pl.Series) -> list[str]:
    """What is wrong with a target: values that are no class."""
    said, numbers = _texts(column), class_numbers(config, column)
    foreign = said.filter(said.is_not_null() & numbers.is_null())
    if foreign.is_empty():
        return []
    seen = foreign.unique().sort()
    shown = ", ".join(map(repr, seen.head(_SHOWN).to_list())) + (", ..." if seen.len() > _SHOWN else "")
    known = ", ".join(map(repr, config.data.classes))
    return [f"target {config.target!r} holds {shown} in {foreign.len()} rows, data.classes has {known}"]


def _texts(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if (column.drop_nulls() % 1 == 0).all():
            column = column.cast(pl.Int64)
    return column.cast(pl.String)
