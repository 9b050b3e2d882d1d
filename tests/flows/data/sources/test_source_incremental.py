import polars as pl
import pytest
from data_making import make_config
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.config.load import parse_config
from flows.data.sources.incremental import Incremental
from flows.errors import ConfigError

COLUMNS = ["ts", "value"]


class Growing:
    """A table in memory that counts the rows it was asked for."""

    def __init__(self, name="growing"):
        self.name, self.rows, self.read_rows = name, pl.DataFrame(schema={"ts": pl.Float64, "value": pl.Int64}), 0

    def add(self, times, value=0):
        more = pl.DataFrame({"ts": times, "value": [value] * len(times)}, schema=self.rows.schema)
        self.rows = pl.concat([self.rows, more])

    def describe(self):
        return self.name

    def version(self):
        return ""

    def read(self, columns, since, until):
        low, high = since if since is not None else -1e18, until if until is not None else 1e18
        found = self.rows.filter(pl.col("ts").is_between(low, high)).select(columns)
        self.read_rows += found.height
        return found


def opened(table, folder, overlap=10.0):
    return Incremental(table, folder / "kept.parquet", time="ts", overlap=overlap)


def test_only_rows_that_are_new_are_asked_for_again(tmp_path):
    table = Growing()
    table.add([float(n) for n in range(1000)])
    opened(table, tmp_path).read(COLUMNS, None, None)
    table.add([float(n) for n in range(1000, 1100)])
    table.read_rows = 0

    rows = opened(table, tmp_path).read(COLUMNS, None, None)

    assert rows.sort("ts").equals(table.rows)
    assert table.read_rows == 111


def test_what_changes_within_the_overlap_is_seen(tmp_path):
    table = Growing()
    table.add([float(n) for n in range(100)])
    opened(table, tmp_path).read(COLUMNS, None, None)
    table.rows = table.rows.with_columns(pl.when(pl.col("ts") >= 89).then(1).otherwise("value").alias("value"))

    assert opened(table, tmp_path).read(COLUMNS, None, None)["value"].sum() == 11


def test_a_window_that_moves_on_lets_old_rows_go(tmp_path):
    table = Growing()
    table.add([float(n) for n in range(100)])
    opened(table, tmp_path).read(COLUMNS, 20.0, None)
    table.add([100.0])

    assert opened(table, tmp_path).read(COLUMNS, 50.0, None)["ts"].min() == 50.0


@pytest.mark.parametrize("change", ["columns", "source", "longer window", "broken file"])
def test_what_does_not_fit_any_more_is_read_whole(tmp_path, change):
    table = Growing()
    table.add([float(n) for n in range(100)])
    opened(table, tmp_path).read(["ts"] if change == "columns" else COLUMNS, 50.0, None)
    if change == "broken file":
        (tmp_path / "kept.parquet").write_bytes(b"PAR1")
    table.name = "another" if change == "source" else table.name

    rows = opened(table, tmp_path).read(COLUMNS, 0.0 if change == "longer window" else 50.0, None)

    assert rows.height == (100 if change == "longer window" else 50)
    assert rows.columns == COLUMNS


@settings(max_examples=40)
@given(batches=st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=6))
def test_reading_bit_by_bit_gives_what_reading_at_once_gives(tmp_path_factory, batches):
    folder, table, now = tmp_path_factory.mktemp("bits"), Growing(), 0.0
    for steps in batches:
        times = []
        for step in steps:
            now += step
            times.append(now)
        table.add(times)
        rows = opened(table, folder, overlap=0.0).read(COLUMNS, None, None)
        assert rows.sort("ts").equals(table.rows)


def test_a_table_without_times_has_no_newer_rows():
    with pytest.raises((ConfigError, ValidationError), match=r"data\.time is missing"):
        parse_config(make_config().model_dump(mode="json") | {"data": {"incremental": True}}, "test")
