"""
Load on the router beside its peers, in one run.

The peers serve the same XGBoost model: BentoML's own @bentoml.api route, and a bare Starlette as the floor.
Rounds alternate between the systems, so that whatever else the machine does hits all of them: compare ratios
within a run, not seconds between runs. Every system has one worker process and one thread per model.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from systems import HERE, SHADOW, Systems

EXAMPLES = """
Examples:
  python benchmarks/router_load.py
  python benchmarks/router_load.py --rounds 1 --seconds 1 --connections 8
  python benchmarks/router_load.py --rounds 9 --seconds 5 --connections 1 16 64 --json figures.json
"""
FLOOR, PEER = "bare Starlette", "BentoML's route"


class Case(NamedTuple):
    """Which system is measured; for the router also the challenger's parts per million, and who watches."""

    system: str
    share: int = 0
    shadows: tuple[str, ...] = ()


CASES = {
    FLOOR: Case("starlette"),
    PEER: Case("bentoml"),
    "router, champion only": Case("router"),
    "router, 90/10 split": Case("router", 100_000),
    "router, split and shadow": Case("router", 100_000, (SHADOW,)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of every case at every level (5)")
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement (2)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32], help="levels of concurrency (1 8 32)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _terminated)
    with tempfile.TemporaryDirectory(prefix="router-load-") as folder, Systems(Path(folder)) as systems:
        figures = run(systems, args)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "measurements": figures}, indent=1) + "\n")
    print(f"\n{machine()}; {args.rounds} rounds of {args.seconds:g} s; medians, and ratios from least to most\n")
    console = Console()
    console.width = max(console.width, 160)  # a table that is folded is hard to read
    console.print(table(figures))


def run(systems: Systems, args: argparse.Namespace) -> list[dict[str, Any]]:
    jobs = [(number, level, name) for number in range(args.rounds) for level in args.connections for name in CASES]
    figures = []
    for number, level, name in track(jobs, "measuring", console=Console(stderr=True)):
        found = measure(systems, CASES[name], level, args.seconds)
        figures.append({"system": name, "round": number, "connections": level, **found})
        if found["failed"]:
            print(f"{name}: {found['failed']} of {found['requests']} requests failed", file=sys.stderr)
    return figures


def measure(systems: Systems, case: Case, connections: int, seconds: float) -> dict[str, float]:
    if case.system == "router":
        systems.publish(case.share, case.shadows)
    port, path, bodies = systems.targets[case.system]
    words = ["--port", str(port), "--path", path, "--bodies", str(bodies)]
    words += ["--connections", str(connections), "--seconds", str(seconds)]
    done = subprocess.run([sys.executable, str(HERE / "load_client.py"), *words], stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    if case.system == "router":
        found["settle_s"] = systems.settle()
    return found


def machine() -> str:
    names = ("xgboost", "bentoml", "starlette", "uvicorn")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    load = os.getloadavg()[0]  # of the last minute, the run's own included
    return f"{os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}, {versions}"


def table(figures: list[dict[str, Any]]) -> Table:
    """As Markdown, to be kept."""
    shown = Table("connections", "system", box=box.MARKDOWN)
    for column in ("requests/s", "p50 ms", "p99 ms", "worst ms", f"to {PEER}", f"to {FLOOR}", "failed"):
        shown.add_column(column, justify="right")
    for connections in dict.fromkeys(one["connections"] for one in figures):
        level = [one for one in figures if one["connections"] == connections]
        for name in CASES:
            shown.add_row(str(connections), name, *cells([one for one in level if one["system"] == name], level))
    return shown


def cells(its: list[dict[str, Any]], level: list[dict[str, Any]]) -> list[str]:
    middle = {key: statistics.median(one[key] for one in its) for key in ("per_second", "p50_ms", "p99_ms")}
    return [
        f"{middle['per_second']:,.0f}",
        f"{middle['p50_ms']:.2f}",
        f"{middle['p99_ms']:.2f}",
        f"{max(one['max_ms'] for one in its):.0f}",
        ratio(its, level, PEER),
        ratio(its, level, FLOOR),
        str(sum(one["failed"] for one in its)),
    ]


def ratio(its: list[dict[str, Any]], level: list[dict[str, Any]], name: str) -> str:
    """To the system *name*, round by round."""
    base = {one["round"]: one["per_second"] for one in level if one["system"] == name}
    ratios = [one["per_second"] / base[one["round"]] for one in its]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)  # by way of every `with`, so that no process is left behind


if __name__ == "__main__":
    main()
