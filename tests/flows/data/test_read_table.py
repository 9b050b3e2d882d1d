import os
from pathlib import Path

import polars as pl
import pytest

from flows.data import read_table
from flows.errors import DataError

TABLE = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.PQ"])
def test_csv_and_parquet_give_the_same_table(tmp_path, name):
    path = tmp_path / name
    TABLE.write_csv(path) if name.endswith("csv") else TABLE.write_parquet(path)

    assert read_table(str(path)).equals(TABLE)


def test_names_of_columns_in_a_csv_may_hold_quotes_commas_and_any_letter(tmp_path):
    table = TABLE.rename({"a": 'my "a", [1]<2>', "b": "größe 温度"})
    table.write_csv(tmp_path / "t.csv")

    assert read_table(tmp_path / "t.csv").equals(table)


def test_iso_times_in_a_csv_are_times(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ts\n2026-01-01T00:00:00\n2026-01-01T01:00:00\n")

    assert read_table(path)["ts"].dtype.is_temporal()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("t.csv", None, "no such file"),
        ("t.csv", b"", "no valid csv"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.parquet", b"PAR1 not really", "no valid parquet"),
        ("t.xlsx", b"", "'.xlsx' is unknown"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name(tmp_path, name, content, why):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=why) as refused:
        read_table(path)
    assert str(path) in str(refused.value)


def test_a_folder_is_no_table(tmp_path):
    folder = tmp_path / "t.csv"
    folder.mkdir()

    with pytest.raises(DataError):
        read_table(folder)


def test_a_folder_and_a_pattern_of_parquet_files_are_one_table(tmp_path):
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
        TABLE.write_parquet(tmp_path / f"day={day}" / "part.parquet")

    assert read_table(tmp_path).height == 4
    assert read_table(f"{tmp_path}/day=*/part.parquet").height == 4
    assert read_table(f"{tmp_path}/day=2/*.parquet").select("a", "b").equals(TABLE)


def test_a_delta_table_is_read_as_it_was_at_each_version(tmp_path):
    table = str(tmp_path / "sales")
    TABLE.write_delta(table)
    TABLE.with_columns(pl.col("a") + 10).write_delta(table, mode="append")
    TABLE.with_columns(pl.col("a") + 20).write_delta(table, mode="overwrite")

    assert read_table(table)["a"].to_list() == [21, 22]
    assert read_table(f"{table}@0").equals(TABLE)
    assert sorted(read_table(f"{table}@1")["a"].to_list()) == [1, 2, 11, 12]


@pytest.mark.parametrize(
    ("asked", "why"),
    [("sales@9", "9"), ("plain.csv@1", "no Delta table"), ("nothing-*.parquet", "No file matches"), (".", "folder")],
)
def test_what_is_no_such_table_is_refused_with_its_name(tmp_path, asked, why):
    TABLE.write_delta(str(tmp_path / "sales"))
    TABLE.write_csv(tmp_path / "plain.csv")
    for parquet in (tmp_path / "sales").glob("*.parquet"):
        if asked == ".":
            parquet.unlink()

    with pytest.raises(DataError, match=why) as refused:
        read_table(f"{tmp_path}/{asked}")
    assert asked in str(refused.value)


@pytest.mark.skipif("UNDERSTUDY_DATA" not in os.environ, reason="UNDERSTUDY_DATA names no folder of real tables")
def test_the_real_tables_are_read():
    folder = Path(os.environ["UNDERSTUDY_DATA"])

    assert read_table(folder / "elec2.parquet").height == 45_312
    assert read_table(folder / "bike_hourly.parquet").height == 17_379
    assert read_table(folder / "bank_additional.parquet").height == 41_188
