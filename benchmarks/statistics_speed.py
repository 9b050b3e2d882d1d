"""
Comparisons per second, rows to comparisons, and streaming updates, side by side with other engines.

The peers live in an environment of their own, which this script makes from peers.txt in a cache
folder; without it (no network, another Python) it says so and measures ours alone.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import timeit
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

from flows.comparison.frames import compare_frame
from flows.stats.moments import CoMoments, Moments
from flows.stats.unpaired.batch import Comparisons, compare_many

HERE = Path(__file__).parent
PEERS = {"gbstats": 200, "spotify-confidence": 20, "tea-tasting": 200}
OURS = 200_000
ROWS, METRICS, KEYS = 1_000_000, 20, 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write every measurement there")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "understudy-peers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = None if given.no_peers else peers_python(given.cache)
        measured = measure(given.rounds, python, Path(folder))
    report(measured)
    if given.json:
        given.json.write_text(json.dumps(measured, indent=1))


def peers_python(cache: Path) -> Path | None:
    """Interpreter of the environment with the pinned peers, made when it is not there."""
    wanted = (HERE / "peers.txt").read_bytes()
    home = cache / hashlib.sha256(wanted + sys.version.encode()).hexdigest()[:16]
    python, ready = home / "bin" / "python", home / "ready"
    if ready.exists():
        return python
    print(f"making the peers' environment in {home}; a few minutes", flush=True)
    steps = [
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(HERE / "peers.txt")],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            print(f"peers are skipped: `{' '.join(step)}` failed:\n{done.stderr[-2000:]}", flush=True)
            return None
    ready.touch()
    return python


class Peers:
    """The other engines in one process; close it after use."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), str(HERE / "peer_statistics.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)

    def ask(self, **what: object) -> dict[str, object]:
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the peers' process has died; run benchmarks/peer_statistics.py by hand to see why")
        return json.loads(line)


def measure(rounds: int, python: Path | None, folder: Path) -> dict[str, dict[str, list[float]]]:
    """Seconds per comparison, and seconds per table, in every round; each round goes through all."""
    ours, theirs = samples(OURS)
    frame = table()
    names = [f"m{i}" for i in range(METRICS)]
    many: dict[str, list[float]] = {"understudy": []}
    rows: dict[str, list[float]] = {"understudy, each row a key": [], "understudy, by key": []}
    peers = Peers(python) if python else None
    if peers:
        frame.write_parquet(folder / "table.parquet")
        peers.ask(do="load", path=str(folder / "table.parquet"), metrics=names)
        many |= {name: [] for name in PEERS}
        rows |= {name: [] for name in PEERS}
    compare_frame(frame, variant="variant", metrics=names, key=None)  # warm
    for turn in range(rounds):
        found, seconds = timed(lambda: compare_many(ours, theirs))
        many["understudy"].append(seconds / OURS)
        for name, key in (("understudy, each row a key", None), ("understudy, by key", "key")):
            rows[name].append(timed(lambda k=key: compare_frame(frame, variant="variant", metrics=names, key=k))[1])
        for name, count in PEERS.items() if peers else ():
            arms = [list(zip(*(part[:count].tolist() for part in arm), strict=True)) for arm in (ours, theirs)]
            answer = peers.ask(do="many", system=name, arms=arms)
            many[name].append(answer["seconds"] / count)
            rows[name].append(peers.ask(do="raw", system=name)["seconds"])
            if turn == 0:
                agreement(name, answer["found"], found)
    if peers:
        peers.close()
    return {"many": many, "rows": rows, "streaming": streaming(rounds)}


def timed(call: object) -> tuple[Comparisons, float]:
    start = timeit.default_timer()
    found = call()
    return found, timeit.default_timer() - start


def samples(count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    arms = []
    for _ in range(2):
        n = rng.integers(100, 100_000, count)
        arms.append((n, rng.normal(1, 0.02, count), n * rng.uniform(0.5, 2, count)))
    return arms


def table() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    key = rng.integers(0, KEYS, ROWS)
    metrics = {f"m{i}": rng.gamma(2, size=ROWS) for i in range(METRICS)}
    return pl.DataFrame({"variant": np.where(key % 2 == 0, "champion", "challenger"), "key": key, **metrics})


def agreement(name: str, found: list[list[float]], ours: Comparisons) -> None:
    """How far the peer's numbers are from ours: p, interval, relative interval."""
    theirs, k = np.array(found), len(found)
    wide = ours.high[:k] - ours.low[:k]
    wide_lift = ours.lift_high[:k] - ours.lift_low[:k]
    p = float(np.max(np.abs(theirs[:, 0] - ours.p_value[:k])))
    plain = float(np.max(np.abs(theirs[:, 1] - ours.low[:k]) / wide))
    lift = float(np.max(np.abs(theirs[:, 3] - ours.lift_low[:k]) / wide_lift))
    print(
        f"{name}: p differs by at most {p:.1e}, interval by {plain:.1e}, relative interval by {lift:.1e} of its width"
    )


def streaming(rounds: int) -> dict[str, list[float]]:
    moments, both = Moments.of([1.0, 2.5]), CoMoments.of([1.0, 2.5], [2.0, 3.5])
    calls = {"Moments.push": lambda: moments.push(0.5), "CoMoments.push": lambda: both.push(0.5, 1.5)}
    found = {name: timeit.repeat(call, number=20_000, repeat=rounds) for name, call in calls.items()}
    sizes = {"Moments": moments, "CoMoments": both}
    state = {f"{name}, bytes": [float(sys.getsizeof(m) + sum(map(sys.getsizeof, m)))] for name, m in sizes.items()}
    return {name: [s / 20_000 for s in seconds] for name, seconds in found.items()} | state


def report(measured: dict[str, dict[str, list[float]]]) -> None:
    print("\n| full comparisons | per second | ours is faster by |\n|---|---|---|")
    for name, seconds in measured["many"].items():
        print(f"| {name} | {1 / statistics.median(seconds):,.0f} | {spread(seconds, measured['many']['understudy'])} |")
    print(f"\n| {ROWS:,} rows x {METRICS} metrics | ms | least to most | ours (rows) is faster by |\n|---|---|---|---|")
    base = measured["rows"]["understudy, each row a key"]
    for name, seconds in measured["rows"].items():
        ms = [s * 1000 for s in seconds]
        print(f"| {name} | {statistics.median(ms):,.0f} | {min(ms):,.0f} to {max(ms):,.0f} | {spread(seconds, base)} |")
    print("\n| streaming | |\n|---|---|")
    for name, numbers in measured["streaming"].items():
        value = statistics.median(numbers)
        print(f"| {name} | {value:,.0f} |" if "bytes" in name else f"| {name} | {value * 1e6:.2f} us |")


def spread(theirs: list[float], ours: list[float]) -> str:
    """Ratio within the same round: median (least to most)."""
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    return f"{statistics.median(ratios):,.1f} ({min(ratios):,.1f} to {max(ratios):,.1f})"


if __name__ == "__main__":
    main()
