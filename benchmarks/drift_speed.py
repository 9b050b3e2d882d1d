"""
Univariate drift of two tables: wall and CPU seconds and memory, side by side with Evidently, NannyML and scipy.

Every measurement is a process of its own that reads Parquet files made beforehand. Peers live in environments of their
own under --peers (evidently/, nannyml/); one that is not there is skipped, with a line that says so. Pandas must be
below 3 for Evidently:

    python -m venv PEERS/evidently && PEERS/evidently/bin/pip install evidently==0.7.23 'pandas<3' pyarrow
    python -m venv PEERS/nannyml && PEERS/nannyml/bin/pip install nannyml==0.13.1 statsmodels pyarrow
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEVELS = (3, 5, 10, 20, 50, 80, 100, 120, 150, 200)
OURS = {
    "understudy, from memory": ("memory", 1),
    "understudy, from memory, 4 threads": ("memory", 4),
    "understudy, from Parquet": ("parquet", 1),
    "understudy, from Parquet, 4 threads": ("parquet", 4),
    "understudy, stored profile": ("profile", 1),
}
PEERS = {"scipy, KS of the numbers alone": "scipy", "NannyML, default": "nannyml", "Evidently, default": "evidently"}
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000, help="of the reference, and of the window")
    parser.add_argument("--columns", type=int, default=50, help="a fifth of them categorical")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments")
    parser.add_argument("--only", nargs="*", help="words that a system's name must have one of")
    parser.add_argument("--long", action="store_true", help="also 3M rows x 20 columns, and whether time is linear")
    parser.add_argument("--json", type=Path, help="write every measurement there")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, Path(folder))
        long = linear(Path(folder)) if given.long else []
    report(found, given)
    for line in long:
        print(line)
    if given.json:
        given.json.write_text(json.dumps({"systems": found, "long": long}, indent=1))


def measure(given: argparse.Namespace, folder: Path) -> dict[str, list[Figures]]:
    """All systems in turn, round after round."""
    tables = [folder / "reference.parquet", folder / "current.parquet"]
    for seed, path in enumerate(tables):
        make(path, given.rows, given.columns, seed)
    commands = {
        name: command
        for name, command in commands_of(given, tables).items()
        if not given.only or any(word.lower() in name.lower() for word in given.only)
    }
    found: dict[str, list[Figures]] = {name: [] for name in commands}
    for _ in range(given.rounds):
        for name, command in commands.items():
            found[name].append(run(name, command))
    return found


def commands_of(given: argparse.Namespace, tables: list[Path]) -> dict[str, list[str]]:
    categorical = given.columns // 5
    numeric = [f"x{i}" for i in range(given.columns - categorical)]
    names = [json.dumps(numeric), json.dumps([f"c{i}" for i in range(categorical)])]
    paths = [str(path) for path in tables]
    ours = {
        name: [sys.executable, __file__, "--child", mode, str(threads), *paths, str(given.columns)]
        for name, (mode, threads) in OURS.items()
    }
    theirs = {
        name: [str(python), str(HERE / "peer_drift.py"), system, *paths, *names]
        for name, system in PEERS.items()
        if (python := interpreter(system, given.peers)) is not None
    }
    return ours | theirs


def interpreter(system: str, peers: Path | None) -> Path | None:
    """Where the peer lives; scipy is a dependency of our own."""
    python = Path(sys.executable) if system == "scipy" else (peers or Path("nowhere")) / system / "bin" / "python"
    if not python.exists():
        print(f"{system} is skipped: there is no {python}", flush=True)
        return None
    return python


def run(name: str, command: list[str]) -> Figures:
    threads = "4" if "4 threads" in name else "1"
    few = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": threads}
    home = {"PYTHONPATH": str(HERE.parent)} if "--child" in command else {}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | few | home)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {figures['wall']:.2f} s, {figures['cpu']:.2f} s CPU", file=sys.stderr, flush=True)
    return figures


def make(path: Path, rows: int, columns: int, seed: int) -> None:
    """Numbers of four shapes and levels of ten counts, without any drift."""
    import numpy as np
    import polars as pl

    dice = np.random.default_rng(seed)
    categorical = columns // 5
    shapes = (
        lambda: dice.normal(size=rows),
        lambda: dice.lognormal(size=rows),
        lambda: dice.normal(50, 10, rows).round(2),
        lambda: dice.standard_t(5, rows),
    )
    frame = {f"x{i}": pl.Series(shapes[i % 4]()) for i in range(columns - categorical)}
    for i in range(categorical):
        names = np.array([f"level {j}" for j in range(LEVELS[i % 10])])
        frame[f"c{i}"] = pl.Series(names[dice.integers(0, names.size, rows)])
    pl.DataFrame(frame).write_parquet(path)


def child(mode: str, threads: str, reference: str, current: str, columns: str) -> None:
    """One measurement of ours."""
    import polars as pl

    from flows.detection.univariate.compare import compare
    from flows.detection.univariate.profile import ReferenceProfile, profile_table

    sides: list[object] = [reference, current]
    size = 0
    if mode != "parquet":
        sides = [pl.read_parquet(side, memory_map=False).rechunk() for side in (reference, current)]
    if mode == "profile":
        categorical = int(columns) // 5
        numeric = [f"x{i}" for i in range(int(columns) - categorical)]
        raw = profile_table(sides[0], numeric, [f"c{i}" for i in range(categorical)]).to_json()
        size = len(raw)
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    found = compare(ReferenceProfile.from_json(raw) if mode == "profile" else sides[0], sides[1], threads=int(threads))
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert len(found) == int(columns)
    assert not any(column.error for column in found)
    print(json.dumps(took | {"rss": peak(), "extra": peak() - before, "profile": size}))


def peak() -> float:
    """Most memory so far, in MB; of this program, where `getrusage` would count its parent before the start."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def linear(folder: Path) -> list[str]:
    """Seconds per column and million rows at 1M x 10, 1M x 20 and 3M x 20, from Parquet on 4 threads."""
    lines, per = [], []
    for rows, columns in ((1_000_000, 10), (1_000_000, 20), (3_000_000, 20)):
        paths = [folder / f"{side}-{rows}-{columns}.parquet" for side in "rc"]
        for seed, path in enumerate(paths):
            make(path, rows, columns, seed)
        command = [sys.executable, __file__, "--child", "parquet", "4", *map(str, paths), str(columns)]
        figures = run(f"{rows:,} x {columns}, 4 threads", command)
        per.append(figures["wall"] / columns / (rows / 1e6))
        lines.append(
            f"{rows:,} x {columns}: {figures['wall']:.2f} s, {figures['cpu']:.2f} s CPU, {figures['rss']:.0f} MB; "
            f"{per[-1] * 1000:.1f} ms per column and million rows"
        )
        for path in paths:
            path.unlink()
    return [*lines, f"3,000,000 x 1,000, extrapolated from the last: {per[-1] * 3 * 1000 / 60:.1f} minutes"]


def report(found: dict[str, list[Figures]], given: argparse.Namespace) -> None:
    base = found.get("understudy, from memory")
    print(
        f"\n{given.rows:,} rows x {given.columns} columns on each side, {given.rounds} rounds, {os.cpu_count()} cores, "
    )
    print(f"load {os.getloadavg()[0]:.1f}. Median (least to most).\n")
    print("| | wall s | CPU s | RSS MB | beyond the tables MB | CPU beside ours |\n|---|---|---|---|---|---|")
    for name, figures in found.items():
        seconds = [f"{middle(figures, key, 2)}" for key in ("wall", "cpu")]
        memory = [f"{statistics.median(one[key] for one in figures):,.0f}" for key in ("rss", "extra")]
        print(f"| {name} | {' | '.join([*seconds, *memory])} | {ratio(figures, base) if base else ''} |")
    sizes = {one["profile"] for figures in found.values() for one in figures if one.get("profile")}
    print("".join(f"\nThe stored profile has {size / 1000:.0f} kB.\n" for size in sizes))


def middle(figures: list[Figures], key: str, digits: int) -> str:
    values = [one[key] for one in figures]
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratio(figures: list[Figures], base: list[Figures]) -> str:
    """Within the same round."""
    ratios = [theirs["cpu"] / ours["cpu"] for theirs, ours in zip(figures, base, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
