"""What shadow pairing saves, measured by the benchmark itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[4] / "benchmarks" / "shadow_pairing.py"


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_shadow_needs_at_most_a_tenth_of_the_labelled_requests_of_an_even_split(tmp_path):
    out = tmp_path / "figures.json"
    subprocess.run(
        [sys.executable, str(BENCHMARK), "--runs", "400", "--accuracy", "0.7", "0.75", "--json", str(out)],
        check=True,
        capture_output=True,
    )
    found = json.loads(out.read_text())

    assert all(one["ratio_tuned"] >= 10 for one in found)
    assert found[0]["ratio"] >= 10
    assert all(row["undecided"] <= 0.01 for one in found for row in one["methods"].values())
