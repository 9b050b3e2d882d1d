"""
Group sequential bounds: time and error, beside spotify-confidence.

The peer lives in a virtual environment of its own, whose Python is given:
    python -m venv peer && peer/bin/pip install spotify-confidence "setuptools<81"
    python benchmarks/group_sequential.py --peer peer/bin/python
"""

import argparse
import json
import math
import subprocess
import time
from collections.abc import Callable

import numpy as np

from flows.stats.sequential.group import walk
from flows.stats.sequential.group.bounds import walk_bounds
from flows.stats.sequential.group.spending import power_family

ALPHA = 0.05
RHO = 2.0
REPEATS = 5

# One bound per side at alpha / 2, power family with rho = 2: what both compute in the same way.
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
from spotify_confidence.analysis.frequentist.confidence_computers.z_test_computer import sequential_bounds
t, repeats, alpha = json.loads(sys.argv[1])
took = []
for _ in range(repeats):
    start = time.perf_counter()
    found = sequential_bounds(np.array(t), alpha, 2).bounds
    took.append(time.perf_counter() - start)
print(json.dumps([took, [float(x) for x in found]]))
"""


def ours(times: tuple[float, ...]) -> np.ndarray:
    return np.array(walk_bounds(times, times, math.log(ALPHA / 2), 1, power_family(RHO)).high)


def finer(times: tuple[float, ...]) -> np.ndarray:
    """The same recursion with twice the points on panels 40 % narrower."""
    kept = walk.POINTS, walk.PANEL, walk._NODES, walk._WEIGHTS
    walk.POINTS, walk.PANEL = 64, 6.0
    walk._NODES, walk._WEIGHTS = np.polynomial.legendre.leggauss(64)
    try:
        return ours(times)
    finally:
        walk.POINTS, walk.PANEL, walk._NODES, walk._WEIGHTS = kept


def clocked(work: Callable[[], np.ndarray]) -> list[float]:
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return took


def peer(python: str, times: tuple[float, ...]) -> tuple[list[float], np.ndarray]:
    question = json.dumps([times, 1 if len(times) > 30 else 3, ALPHA])
    ran = subprocess.run([python, "-c", PEER, question], capture_output=True, text=True, check=True)
    took, found = json.loads(ran.stdout.splitlines()[-1])
    return took, np.array(found)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peer", help="Python with spotify-confidence")
    python = arguments.parse_args().peer
    print("| looks | ms (median) | ms (worst) | largest error | peer ms | peer's largest error |")
    print("|---|---|---|---|---|---|")
    for looks in (5, 30, 100):
        times = tuple(float(t) for t in np.arange(1, looks + 1) / looks)
        exact, found = finer(times), ours(times)
        took = clocked(lambda times=times: ours(times))
        row = f"| {looks} | {np.median(took) * 1e3:.1f} | {max(took) * 1e3:.1f} | {np.abs(found - exact).max():.0e} |"
        if python:
            theirs, bounds = peer(python, times)
            row += f" {np.median(theirs) * 1e3:,.0f} | {np.abs(bounds - exact).max():.1e} |"
        print(row)


if __name__ == "__main__":
    main()
