"""Commands that take a whole table take it from whatever the configuration names."""

import sqlite3

import polars as pl
import pytest

from flows.config.load import parse_config
from flows.data.tables import raw_table
from flows.errors import DataError


def config(**data):
    said = {"model": "m", "task": "regression", "target": "y", "features": {"numeric": ["a"]}}
    return parse_config(said | {"data": {"time": "at"} | data}, "test")


def test_rows_come_from_a_database_as_they_are(tmp_path):
    with sqlite3.connect(tmp_path / "sales.db") as database:
        database.execute("CREATE TABLE sales (at REAL, a REAL, y REAL, other TEXT)")
        database.executemany("INSERT INTO sales VALUES (?, ?, ?, 'x')", [(float(n), n / 2, n * 2) for n in range(5)])
    database.close()

    read = raw_table(config(source=f"sqlite:///{tmp_path}/sales.db", table="sales"))

    assert read.select("at", "a", "y").rows() == [(float(n), n / 2, n * 2) for n in range(5)]


def test_a_file_that_is_given_goes_before_the_configured_source(tmp_path):
    pl.DataFrame({"at": [1.0], "a": [2.0], "y": [3.0]}).write_parquet(tmp_path / "given.parquet")

    assert raw_table(config(source="elsewhere.csv"), tmp_path / "given.parquet").height == 1


def test_without_any_source_it_says_what_to_set():
    with pytest.raises(DataError, match=r"Set data\.source"):
        raw_table(config())
