"""Two tables side by side, a handful of columns at a time."""

import polars as pl
import pytest

from flows.cli.pairs import Sorted, measured, opened
from flows.errors import DataError


def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path):
    file = tmp_path / "a.parquet"
    pl.DataFrame({"a": range(2000), "b": range(2000)}).write_parquet(file)
    was, now = opened(str(file)), opened(str(file))

    def replace(_done: int, _total: int) -> None:
        pl.DataFrame({"a": range(3000), "b": range(3000)}).write_parquet(file)

    with pytest.raises(DataError, match="changed while it was read"):
        measured(was, now, Sorted(numeric=("a", "b")), 1, replace)


def test_all_columns_are_told_of_as_they_are_done(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.cli.pairs._VALUES", 2000)
    file = tmp_path / "a.parquet"
    pl.DataFrame({"a": range(2000), "b": range(2000), "c": ["x"] * 2000}).write_parquet(file)
    side, told = opened(str(file)), []

    found = measured(side, side, Sorted(("a", "b"), ("c",)), 1, lambda done, total: told.append((done, total)))

    assert [one.name for one in found] == ["a", "b", "c"]
    assert told == [(1, 3), (2, 3), (3, 3)]
