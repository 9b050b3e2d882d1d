"""Conditions over features, as SQL writes them: which rows a slice holds."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.config.aftercare import Validation
from flows.config.data import Features

if TYPE_CHECKING:
    import polars as pl


_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def slice_rows(frame: "pl.DataFrame", where: str) -> "pl.Series":
    """
    Say of each row whether it fulfils a condition; where a missing value leaves it open, it does not.

    Args:
        frame: A column per feature.
        where: An expression of SQL that is true or false, e.g. `age > 60 and job = 'retired'`.

    Raises:
        ValueError: If it is none over these columns.
    """
    import polars as pl
    from polars.exceptions import PolarsError

    try:
        found = frame.select(pl.sql_expr(where).alias("_in")).to_series()
    except PolarsError as error:
        raise ValueError(str(error).strip().splitlines()[0]) from error
    if found.dtype != pl.Boolean:
        raise ValueError(f"it gives {found.dtype}, not true or false, of each row")
    if len(found) != frame.height:
        raise ValueError("it gives one value for all rows")
    return found.fill_null(False)


def validation_mistakes(section: Validation, features: Features) -> list[str]:
    """Say what is wrong with slices and tests, before any row is read."""
    names = [one.name for one in section.slices]
    mistakes = [f"two slices are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    mistakes += [
        f"test {test!r} does not look like module:function" for test in section.tests if not _FUNCTION.fullmatch(test)
    ]
    kinds = dict.fromkeys(features.numbers, "numeric") | dict.fromkeys(features.categorical, "categorical")
    return mistakes + _condition_mistakes({one.name: one.where for one in section.slices}, kinds)


def _condition_mistakes(slices: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    if not slices:
        return []
    import polars as pl

    columns = {name: [0.0, 1.0] if kind == "numeric" else ["a", "b"] for name, kind in kinds.items()}
    frame, mistakes = pl.DataFrame(columns), []
    for name, where in slices.items():
        try:
            slice_rows(frame, where)
        except ValueError as error:
            mistakes.append(f"slice {name!r}: `{where}` is no condition over the features: {error}")
    return mistakes
