from datetime import UTC, datetime

import polars as pl
import pytest
from data_making import make_config
from hypothesis import given
from hypothesis import strategies as st

from flows.data.sources import Source, columns_needed, grows, source_of
from flows.data.sources.bounds import within
from flows.errors import DataError

CONFIG = make_config(data={"time": "ts", "source": "t.parquet"})
TABLE = pl.DataFrame(
    {
        "ts": [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 11)],
        "age": [float(day) for day in range(10)],
        "plan": ["basic"] * 10,
        "left": [0, 1] * 5,
        "unused": ["x"] * 10,
    }
)
NEEDED = ["age", "plan", "left", "ts"]


def epoch(day):
    return datetime(2026, 1, day, tzinfo=UTC).timestamp()


def test_a_configuration_names_each_column_that_is_needed_once():
    assert columns_needed(CONFIG) == NEEDED


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_only_the_columns_and_the_span_that_are_asked_for_are_read(tmp_path, name):
    path = tmp_path / name
    TABLE.write_csv(path) if name.endswith("csv") else TABLE.write_parquet(path)
    source = source_of(CONFIG, str(path))

    rows = source.read(NEEDED, epoch(3), epoch(5))

    assert isinstance(source, Source)
    assert rows.columns == NEEDED
    assert rows["age"].to_list() == [2.0, 3.0, 4.0]


def test_the_version_of_a_file_is_a_hash_of_its_bytes(tmp_path):
    path = tmp_path / "t.parquet"
    TABLE.write_parquet(path)
    before, again = (source_of(CONFIG, str(path)).version() for _ in range(2))
    TABLE.head(9).write_parquet(path)

    assert before == again != source_of(CONFIG, str(path)).version()
    assert before.startswith("sha256:")


def test_a_folder_that_grows_has_a_new_version_and_keeps_what_was_opened(tmp_path):
    TABLE.head(5).write_parquet(tmp_path / "a.parquet")
    early = source_of(CONFIG, str(tmp_path))
    seen = early.version()
    TABLE.tail(5).write_parquet(tmp_path / "b.parquet")

    assert early.version() == seen != source_of(CONFIG, str(tmp_path)).version()
    assert early.read(NEEDED, None, None).height == 5
    assert source_of(CONFIG, str(tmp_path)).read(NEEDED, None, None).height == 10


def test_files_of_a_folder_may_gain_columns_and_wider_types(tmp_path):
    TABLE.head(5).drop("unused").with_columns(pl.col("age").cast(pl.Int64)).write_parquet(tmp_path / "a.parquet")
    TABLE.tail(5).write_parquet(tmp_path / "b.parquet")

    assert source_of(CONFIG, str(tmp_path)).read(NEEDED, None, None)["age"].to_list() == TABLE["age"].to_list()


def test_a_pattern_of_csv_files_is_one_table(tmp_path):
    for part in (0, 1):
        TABLE.slice(part * 5, 5).write_csv(tmp_path / f"part-{part}.csv")

    assert (
        source_of(CONFIG, f"{tmp_path}/part-*.csv").read(NEEDED, None, None)["age"].to_list() == TABLE["age"].to_list()
    )


def test_a_delta_table_is_pinned_to_the_version_that_was_newest(tmp_path):
    path = str(tmp_path / "sales")
    TABLE.head(4).write_delta(path)
    source = source_of(CONFIG, path)
    TABLE.tail(6).write_delta(path, mode="append")

    assert (source.version(), source_of(CONFIG, path).version()) == ("0", "1")
    assert source.read(NEEDED, None, None).height == 4


def test_time_travel_returns_the_exact_table_of_every_old_version(tmp_path):
    path = str(tmp_path / "sales")
    as_they_were = [TABLE.head(4), TABLE.head(7), TABLE.tail(3), TABLE]
    for table in as_they_were:
        table.write_delta(path, mode="overwrite")

    for version, table in enumerate(as_they_were):
        source = source_of(CONFIG, f"{path}@{version}")
        assert source.version() == str(version)
        assert source.read(NEEDED, None, None).equals(table.select(NEEDED))
    assert source_of(CONFIG, f"{path}@0").read(NEEDED, epoch(2), epoch(3))["age"].to_list() == [1.0, 2.0]


def test_all_but_a_single_file_is_read_again(tmp_path):
    TABLE.write_delta(str(tmp_path / "delta"))
    TABLE.write_parquet(tmp_path / "t.parquet")

    assert grows(str(tmp_path / "delta"))
    assert grows(str(tmp_path))
    assert grows(f"{tmp_path}/*.parquet")
    assert grows("postgresql://db/sales")
    assert grows("python:shop.store:features")
    assert grows(f"{tmp_path}/delta@0")
    assert not grows(str(tmp_path / "t.parquet"))
    assert not grows(None)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("t.parquet", b"PAR1 not really", "no valid parquet"),
        ("t.csv", b"", "no valid csv"),
        ("nothing.parquet", None, "no such file"),
        ("empty", None, "without"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name(tmp_path, name, content, why):
    (tmp_path / "empty").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=why) as refused:
        source_of(CONFIG, f"{tmp_path}/{name}").read(NEEDED, None, None)
    assert name in str(refused.value)


def test_a_broken_file_of_a_folder_is_named(tmp_path):
    TABLE.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 half")

    with pytest.raises(DataError, match=r"b\.parquet"):
        source_of(CONFIG, str(tmp_path)).read(NEEDED, None, None)


def test_a_delta_table_without_its_files_is_refused(tmp_path):
    path = tmp_path / "sales"
    TABLE.write_delta(str(path))
    for file in path.glob("*.parquet"):
        file.unlink()

    with pytest.raises(DataError, match="sales@0"):
        source_of(CONFIG, str(path)).read(NEEDED, None, None)


def test_a_delta_table_whose_log_is_broken_is_refused(tmp_path):
    path = tmp_path / "sales"
    TABLE.write_delta(str(path))
    (path / "_delta_log" / "00000000000000000000.json").write_text("{broken")

    with pytest.raises(DataError, match="sales"):
        source_of(CONFIG, str(path))


SECONDS = st.floats(min_value=-1e10, max_value=4e10)
KINDS = st.sampled_from([pl.Float64(), pl.Datetime("us"), pl.Datetime("us", "UTC"), pl.Datetime("us", "Europe/Berlin")])


@given(moments=st.lists(SECONDS, max_size=8), since=st.none() | SECONDS, until=st.none() | SECONDS, kind=KINDS)
def test_a_span_holds_the_same_rows_whatever_type_the_times_have(moments, since, until, kind):
    whole = [float(round(one)) for one in moments]
    since, until = (None if one is None else float(round(one)) for one in (since, until))
    rows = pl.DataFrame(
        {"ts": pl.Series(whole, dtype=pl.Float64), "at": whole}, schema={"ts": pl.Float64, "at": pl.Float64}
    )
    if isinstance(kind, pl.Datetime):
        utc = pl.from_epoch((pl.col("ts")).cast(pl.Int64) * 1_000_000, time_unit="us")
        rows = rows.with_columns(utc.dt.replace_time_zone("UTC").dt.convert_time_zone(kind.time_zone or "UTC"))
        rows = rows if kind.time_zone else rows.with_columns(pl.col("ts").dt.replace_time_zone(None))
    condition = within("ts", rows.schema["ts"], since, until)

    found = rows if condition is None else rows.filter(condition)

    low, high = since if since is not None else -1e18, until if until is not None else 1e18
    assert found["at"].to_list() == [one for one in whole if low <= one <= high]
