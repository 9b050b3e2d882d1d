"""Full size; pytest -m long tests/flows/detection/univariate, about a minute."""

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from scipy import stats

from flows.detection.univariate.compare import compare
from flows.detection.univariate.profile import profile_table

ROWS = 500_000
NUMERIC, CATEGORICAL = [f"x{i}" for i in range(40)], [f"c{i}" for i in range(10)]
SCRIPT = """
import sys
from pathlib import Path
from flows.detection.univariate.compare import compare
found = compare(sys.argv[1], sys.argv[2], threads=int(sys.argv[3]))
assert len(found) == 50 and not any(column.error for column in found)
print(next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    paths = []
    for seed in range(2):
        dice = np.random.default_rng(seed)
        frame = {name: dice.normal(size=ROWS) for name in NUMERIC}
        frame |= {name: dice.integers(0, 20 * (i + 1), ROWS).astype(str) for i, name in enumerate(CATEGORICAL)}
        paths.append(tmp_path_factory.mktemp("tables") / f"{seed}.parquet")
        pl.DataFrame(frame).write_parquet(paths[-1])
    return paths


@pytest.mark.parametrize("threads", ["1", "4"])
def test_two_files_of_half_a_million_rows_are_compared_in_400_megabytes(tables, threads):
    command = [sys.executable, "-c", SCRIPT, *map(str, tables), threads]
    env = os.environ | {"POLARS_MAX_THREADS": threads, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)

    assert int(done.stdout) < 400 * 1024


def test_half_a_million_rows_are_measured_as_by_scipy(tables):
    ours, theirs = (pl.read_parquet(path, columns=["x0", "x1", "c9"]) for path in tables)
    theirs = theirs.head(-777).with_columns(pl.col("x1") + 0.01)
    for column in compare(ours, theirs)[:2]:
        was, now = ours[column.name].to_numpy(), theirs[column.name].to_numpy()
        whole = stats.ks_2samp(was, now, method="asymp")
        assert (column.ks, column.ks_p) == pytest.approx((whole.statistic, whole.pvalue), abs=1e-12)
        assert column.wasserstein == pytest.approx(stats.wasserstein_distance(was, now), abs=1e-12)


def test_the_profile_of_half_a_million_rows_and_fifty_columns_is_less_than_300_kilobytes(tables):
    assert len(profile_table(tables[0], NUMERIC, CATEGORICAL).to_json()) < 300_000
