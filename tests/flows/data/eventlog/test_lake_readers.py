"""
What other programs read of the tables.

Each runs in an interpreter of its own, named by UNDERSTUDY_READERS_PYTHON: a virtual
environment with pyarrow, duckdb, deltalake or pyspark.
"""

import json
import os
import subprocess

import pytest
from log_making import ids, table

from flows.data.eventlog.compact import compact

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
PYTHON = os.environ.get("UNDERSTUDY_READERS_PYTHON")

POLARS = """
import polars as pl
def read(name):
    frame = pl.scan_parquet(f"{root}/{name}/", hive_partitioning=True).filter(pl.col("model") == "churn").collect()
    return frame["id"].to_list(), len(set(frame["date"].to_list()))
"""
PYARROW = """
import pyarrow.dataset as ds
def read(name):
    found = ds.dataset(f"{root}/{name}", partitioning="hive").to_table(filter=ds.field("model") == "churn")
    return found["id"].to_pylist(), len(set(found["date"].to_pylist()))
"""
DUCKDB = """
import duckdb
def read(name):
    files = f"read_parquet('{root}/{name}/*/*/*.parquet', hive_partitioning=true)"
    rows = duckdb.sql(f"SELECT id, date FROM {files} WHERE model='churn'").fetchall()
    return [row[0] for row in rows], len({row[1] for row in rows})
"""
DELTA = """
import pyarrow as pa
from deltalake import DeltaTable, Field, QueryBuilder, Schema, convert_to_deltalake
def read(name):
    folders = Schema([Field("date", "string"), Field("model", "string")])
    convert_to_deltalake(f"{root}/{name}", partition_by=folders, partition_strategy="hive")
    query = QueryBuilder().register("t", DeltaTable(f"{root}/{name}"))
    rows = pa.table(query.execute("SELECT id, date FROM t WHERE model='churn'").read_all())
    return rows["id"].to_pylist(), len(set(rows["date"].to_pylist()))
"""
SPARK = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
def read(name):
    rows = spark.read.parquet(f"{root}/{name}").where("model = 'churn'").select("id", "date").collect()
    return [row.id for row in rows], len({row.date for row in rows})
"""
PRINT = """
import json
print(json.dumps({name: read(name) for name in ("predictions", "outcomes", "shadows")}))
"""


@pytest.mark.skipif(PYTHON is None, reason="UNDERSTUDY_READERS_PYTHON names no interpreter")
@pytest.mark.parametrize(
    ("package", "code"),
    [("polars", POLARS), ("pyarrow", PYARROW), ("duckdb", DUCKDB), ("deltalake", DELTA), ("pyspark", SPARK)],
)
def test_readers_of_parquet_see_the_rows_and_the_folders_as_columns(events, lake, written, package, code):
    if subprocess.run([PYTHON, "-c", f"import {package}"], capture_output=True).returncode:
        pytest.skip(f"{package} is not installed there")
    compact(events, lake, batch_bytes=8000)
    done = subprocess.run(
        [PYTHON, "-c", f"root = {str(lake.root)!r}\n{code}\n{PRINT}"], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])

    for name, (seen, dates) in found.items():
        mine = table(lake.root, name).filter(model="churn")
        assert sorted(seen) == sorted(mine["id"])
        assert dates == len(set(mine["date"]))
    assert sum(len(seen) for seen, _ in found.values()) < sum(map(len, ids(lake.root).values()))
