"""
How long tables take to be read, beside the usual ways.

    python benchmarks/reading.py                # about two minutes; starts a Postgres of its own
    python benchmarks/reading.py --rows 1000000 # more rows
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from sqlalchemy import create_engine, text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from postgres_making import NOT_FOUND, started_server

from flows.config.data import Data
from flows.data.sources.files import Files
from flows.data.sources.sql import Sql

BAR = 3.0
NUMBERS = [f"n{index}" for index in range(28)]
WORDS = [f"w{index}" for index in range(4)]
COLUMNS = ["ts", "who", *NUMBERS, *WORDS]


def made(rows, seed=0):
    """100k x 34 by default: 28 numbers, 4 columns of words, a key and times."""
    dice = np.random.default_rng(seed)
    start = np.datetime64("2026-01-01", "us")
    return pl.DataFrame(
        {
            "ts": start + np.arange(rows) * np.timedelta64(30, "s"),
            "who": [f"customer-{n}" for n in range(rows)],
            **{name: dice.normal(size=rows) for name in NUMBERS},
            **{name: dice.choice(["red", "green", "blue", "violet"], rows) for name in WORDS},
        }
    )


def filled(url, dbapi, frame):
    connection = dbapi.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.adbc_ingest("t", Arrow(frame), mode="replace")
        connection.commit()


class Arrow:
    """A frame as a stream of Arrow, whatever else it can do."""

    def __init__(self, frame):
        self._frame = frame

    def __arrow_c_stream__(self, schema=None):
        return self._frame.rechunk().__arrow_c_stream__(schema)


def ways_of(url, engine):
    """Name and read: ours, and the usual ways through SQLAlchemy."""
    statement = f"SELECT {', '.join(COLUMNS)} FROM t"

    def polars_way():
        with engine.connect() as connection:
            return pl.read_database(statement, connection)

    def pandas_way():
        with engine.connect() as connection:
            return pd.read_sql(text(statement), connection)

    def rows_way():
        with engine.connect() as connection:
            return connection.execute(text(statement)).fetchall()

    source = Sql(Data(source=url, table="t", time="ts"), NUMBERS)
    return {
        "ours": lambda: source.read(COLUMNS, None, None),
        "SQLAlchemy, rows alone": rows_way,
        "SQLAlchemy to polars": polars_way,
        "SQLAlchemy to pandas": pandas_way,
    }


def timed(ways, rounds):
    """Read in turn, *rounds* times; seconds of wall and of this process's CPU."""
    taken = {name: [] for name in ways}
    for _ in range(rounds):
        for name, read in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            assert len(read())
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return taken


def shown(title, taken):
    """Medians, and the ratio to ours round by round; returns the smallest median ratio of wall."""
    print(f"\n{title}")
    print("| way | wall s | CPU s | wall / ours | CPU / ours |\n|---|---|---|---|---|")
    worst = float("inf")
    for name, times in taken.items():
        wall, cpu = (statistics.median(one[part] for one in times) for part in (0, 1))
        ratios = [
            sorted(one[part] / ours[part] for one, ours in zip(times, taken["ours"], strict=True)) for part in (0, 1)
        ]
        said = [f"{statistics.median(one):.1f} ({one[0]:.1f} to {one[-1]:.1f})" for one in ratios]
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {said[0]} | {said[1]} |")
        if name != "ours":
            worst = min(worst, statistics.median(ratios[0]))
    return worst


def databases(rows, rounds):
    """Postgres and SQLite; returns the ratio of Postgres."""
    import adbc_driver_postgresql.dbapi as postgres
    import adbc_driver_sqlite.dbapi as sqlite

    frame = made(rows)
    with tempfile.TemporaryDirectory() as folder:
        filled(f"{folder}/t.sqlite", sqlite, frame)
        url = f"sqlite:///{folder}/t.sqlite"
        shown(f"SQLite, {rows} x {len(COLUMNS)}", timed(ways_of(url, create_engine(url)), rounds))
    with started_server() as server:
        if server is None:
            sys.exit(NOT_FOUND)
        url = server.replace("+psycopg", "")
        filled(url, postgres, frame)
        engine = create_engine(server)
        worst = shown(f"Postgres, {rows} x {len(COLUMNS)}", timed(ways_of(url, engine), rounds))
        engine.dispose()
    return worst


def wide(rounds, rows=20_000, columns=1_000):
    """Parquet with many columns that no model needs, and a span of a tenth."""
    dice = np.random.default_rng(1)
    times = pl.DataFrame({"ts": np.arange(rows, dtype=float)})
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/wide.parquet"
        times.hstack([pl.Series(f"c{n}", dice.normal(size=rows)) for n in range(columns)]).write_parquet(path)
        source, needed = Files(path, "ts"), ["ts", *(f"c{n}" for n in range(30))]
        ways = {
            "ours": lambda: source.read(needed, rows * 0.9, None),
            "30 columns, all rows": lambda: source.read(needed, None, None),
            "everything": lambda: pl.read_parquet(path),
        }
        shown(f"Parquet, {rows} x {columns}, of which 30 columns and a tenth of the rows", timed(ways, rounds))


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=7)
    given = asked.parse_args()
    worst = databases(given.rows, given.rounds)
    wide(given.rounds)
    print(f"\nPostgres through SQLAlchemy takes at least {worst:.1f} times as long; the bar is {BAR:g}")
    return 0 if worst >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
