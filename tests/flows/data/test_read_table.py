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


@pytest.mark.skipif("UNDERSTUDY_DATA" not in os.environ, reason="UNDERSTUDY_DATA names no folder of real tables")
def test_the_real_tables_are_read():
    folder = Path(os.environ["UNDERSTUDY_DATA"])

    assert read_table(folder / "elec2.parquet").height == 45_312
    assert read_table(folder / "bike_hourly.parquet").height == 17_379
    assert read_table(folder / "bank_additional.parquet").height == 41_188
