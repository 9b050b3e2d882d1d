import sqlite3
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from data_making import make_config
from hypothesis import given
from hypothesis import strategies as st
from postgres_making import NOT_FOUND, fresh_database, started_server
from sqlalchemy import create_engine, text

from flows.data import prepare
from flows.data.sources import columns_needed, from_anywhere, name_of, source_of
from flows.data.sources.address import Address
from flows.errors import DataError, FlowsError, Unreachable

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [(START + timedelta(hours=n), f"k{n}", n * 0.5, ("basic", "größer", None)[n % 3], n % 2) for n in range(30)]
COLUMNS = ["age", "plan", "left", "ts", "who"]


@pytest.fixture(scope="module")
def server():
    with started_server() as found:
        if found is None:
            pytest.skip(NOT_FOUND)
        yield found


@pytest.fixture(scope="module")
def postgres(server):
    with fresh_database(server) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA shop"))
            connection.execute(
                text(
                    'CREATE TABLE shop."Sales" (ts timestamptz, local timestamp, day date, seconds float8, who uuid,'
                    " age numeric(10,2), plan text, left_ int, pause interval, big bigint)"
                )
            )
            connection.execute(
                text(
                    'INSERT INTO shop."Sales" VALUES (:ts, :local, :day, :seconds, gen_random_uuid(), :age, :plan,'
                    " :left, '1 day', 9007199254740993)"
                ),
                [
                    {"ts": ts, "local": ts.replace(tzinfo=None), "day": ts.date(), "seconds": ts.timestamp()}
                    | {"age": age, "plan": plan, "left": left}
                    for ts, _, age, plan, left in reversed(ROWS)
                ],
            )
            connection.execute(text("CREATE ROLE nobody_here LOGIN"))
        engine.dispose()
        yield url.replace("+psycopg", "")


@pytest.fixture
def sqlite(tmp_path):
    file = tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE sales (ts TIMESTAMP, seconds REAL, who TEXT, age REAL, plan TEXT, left BOOLEAN)"
        )
        connection.executemany(
            "INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?)",
            [
                (f"{ts:%Y-%m-%d %H:%M:%S}", ts.timestamp(), who, age, plan, left)
                for ts, who, age, plan, left in ROWS[::-1]
            ],
        )
    connection.close()
    return f"sqlite:///{file}"


def config(url, *, target="left", time="ts", **data):
    return make_config(target=target, data={"source": url, "time": time, "key": "who"} | data)


def test_sqlite_gives_times_and_truth_values_back_and_rows_in_the_order_of_time(sqlite):
    rows = source_of(config(sqlite, table="sales")).read(COLUMNS, None, None)

    assert rows.schema["ts"] == pl.Datetime("us")
    assert rows.schema["left"] == pl.Boolean
    assert rows["age"].to_list() == [age for _, _, age, _, _ in ROWS]
    assert rows["plan"].to_list() == [plan for _, _, _, plan, _ in ROWS]


def test_a_table_of_a_database_takes_the_shape_of_every_other_table(sqlite):
    asked = config(sqlite, table="sales")

    frame = prepare(asked, source_of(asked).read(columns_needed(asked), None, None))

    assert frame["_time"].to_list() == [ts.timestamp() for ts, *_ in ROWS]
    assert frame["_label"].to_list() == [float(left) for *_, left in ROWS]


def test_a_query_is_a_table_too(sqlite):
    asked = config(sqlite, query="SELECT *, age * 2 AS doubled FROM sales WHERE plan = 'basic' ;")

    assert source_of(asked).read(["ts", "doubled"], None, None)["doubled"].to_list() == [
        n * 1.0 for n in range(0, 30, 3)
    ]


def test_numbers_bound_the_times_that_sqlite_reads(sqlite):
    source = source_of(config(sqlite, table="sales", time="seconds"))

    rows = source.read(["seconds", "age"], ROWS[3][0].timestamp(), ROWS[5][0].timestamp())

    assert rows["age"].to_list() == [1.5, 2.0, 2.5]


def test_a_late_word_among_numbers_is_seen_and_nothing_is_lost(tmp_path):
    file = tmp_path / "mixed.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (age)")
        connection.executemany("INSERT INTO t VALUES (?)", [*((n,) for n in range(3000)), ("many",)])
    connection.close()

    rows = source_of(config(f"sqlite:///{file}", table="t")).read(["age"], None, None)

    assert rows["age"].to_list()[-2:] == ["2999", "many"]


@pytest.mark.parametrize("time", ["ts", "local", "seconds"])
def test_postgres_reads_only_the_span_whatever_type_the_times_have(postgres, time):
    source = source_of(config(postgres, table="shop.Sales", time=time))

    rows = source.read([time, "age"], ROWS[3][0].timestamp(), ROWS[5][0].timestamp())

    assert rows["age"].to_list() == [1.5, 2.0, 2.5]


def test_decimals_identifiers_and_large_numbers_come_in_types_that_can_be_used(postgres):
    rows = source_of(config(postgres, table="shop.Sales")).read(["ts", "age", "who", "big", "day"], None, None)

    assert rows.schema["age"] == pl.Float64
    assert rows["who"].str.len_chars().unique().to_list() == [36]
    assert rows["big"][0] == 9007199254740993
    assert rows["day"][0] == START.date()


def test_columns_that_nobody_needs_may_have_types_that_nobody_can_read(postgres):
    asked = config(postgres, table="shop.Sales", target="left_")

    assert prepare(asked, source_of(asked).read(columns_needed(asked), None, None)).height == 30


@pytest.mark.parametrize(
    ("data", "columns", "why"),
    [
        ({"table": "shop.nothing"}, ["age"], "does not exist"),
        ({"table": "shop.Sales"}, ["age", "absent", "gone"], "no column absent, gone"),
        ({"query": "SELEC age"}, ["age"], "syntax error"),
        ({"query": "SELECT 1/0 AS age"}, ["age"], "division by zero"),
        ({"table": "shop.Sales"}, ["age", "pause"], "interval"),
    ],
)
def test_what_postgres_refuses_is_said(postgres, data, columns, why):
    with pytest.raises(DataError, match=why) as refused:
        source_of(config(postgres, **data)).read(columns, None, None)
    assert refused.value.mend


def test_a_table_that_may_not_be_read_says_so(postgres):
    foreign = postgres.replace("postgres@", "nobody_here@")

    with pytest.raises(DataError, match="permission denied"):
        source_of(config(foreign, table="shop.Sales")).read(["age"], None, None)


@pytest.mark.parametrize(
    ("data", "columns", "why"),
    [
        ({"table": "nothing"}, ["age"], "no such table"),
        ({"table": "sales"}, ["age", "absent"], "no column absent"),
        ({"query": "SELECT FROM"}, ["age"], "syntax error"),
    ],
)
def test_what_sqlite_refuses_is_said(sqlite, data, columns, why):
    with pytest.raises(DataError, match=why):
        source_of(config(sqlite, **data)).read(columns, None, None)


@pytest.mark.parametrize(("content", "why"), [(None, "no file"), (b"not a database" * 100, "not a database")])
def test_a_file_that_is_no_database_is_refused_and_none_is_made(tmp_path, content, why):
    file = tmp_path / "x.sqlite"
    if content:
        file.write_bytes(content)

    with pytest.raises(FlowsError, match=why):
        source_of(config(f"sqlite:///{file}", table="t")).read(["age"], None, None)
    assert file.exists() is (content is not None)


def test_a_server_that_does_not_answer_is_unreachable_and_its_password_is_not_shown():
    address = "postgresql://ann:s3cr%20et@127.0.0.1:1/sales?password=0ther"

    with pytest.raises(Unreachable, match=r"ann@127\.0\.0\.1:1/sales") as refused:
        source_of(config(address, table="t")).read(["age"], None, None)
    assert refused.value.exit_code == 3
    assert not any(secret in str(refused.value) for secret in ("s3cr", "0ther"))


WORDS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=6, max_size=12)


@given(password=WORDS)
def test_no_password_is_ever_shown_however_it_is_written(password):
    said = f"postgresql://ann:{password}@db.invalid:1/sales"
    try:
        address = Address.of(said)
    except DataError as refused:
        assert password not in str(refused)
    else:
        shown = address.shown + address.without_secrets(f"cannot use {said} or {address.uri}")
        assert f":{password}@" not in shown


def test_the_same_rows_in_another_order_are_read_the_same(sqlite, tmp_path):
    turned = tmp_path / "turned.sqlite"
    with sqlite3.connect(turned) as connection:
        connection.execute(f"ATTACH '{sqlite.removeprefix('sqlite:///')}' AS old")
        connection.execute(
            "CREATE TABLE sales (ts TIMESTAMP, seconds REAL, who TEXT, age REAL, plan TEXT, left BOOLEAN)"
        )
        connection.execute("INSERT INTO sales SELECT * FROM old.sales ORDER BY age")
    connection.close()
    one, other = (source_of(config(url, table="sales")) for url in (sqlite, f"sqlite:///{turned}"))

    assert one.read(COLUMNS, None, None).equals(other.read(COLUMNS, None, None))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("postgresql://ann:s3cret@db:5432/sales?sslmode=require", "postgresql://ann@db:5432/sales"),
        ("sqlite:///shop.sqlite", "sqlite:///shop.sqlite"),
        ("t.csv", "t.csv"),
        (None, "log of the router"),
    ],
)
def test_a_source_is_named_without_its_secrets(source, name):
    assert name_of(source) == name


def test_a_relative_file_is_found_from_every_folder_and_an_address_stays_what_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert from_anywhere("t.csv") == f"{tmp_path}/t.csv"
    assert from_anywhere("sales@12") == f"{tmp_path}/sales@12"
    assert from_anywhere("sqlite:///shop.sqlite") == f"sqlite:///{tmp_path}/shop.sqlite"
    assert from_anywhere("postgresql://ann:s3cret@db/sales") == "postgresql://ann:s3cret@db/sales"
    assert from_anywhere("python:shop.store:features") == "python:shop.store:features"
