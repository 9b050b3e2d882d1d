"""
What a retraining on the same machine does to the answers: p99 at a fixed rate without one, beside one, and beside one
that takes no care.

A real router answers 200 requests a second, open loop. Rounds alternate: alone; beside a training of 100,000 rows of
30 features as the flow runs it (low priority for cores and disk, one thread, no spinning); and beside the same training
without any of that, on all cores, as the libraries run by default.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig import served
from rig.pace import Pacing, summary
from rig.processes import Processes
from rig.routers import CHAMPION, NAMES, Router, scorer

EXAMPLES = """
Examples:
  python benchmarks/serving_while_training.py                       # 5 rounds, about six minutes
  python benchmarks/serving_while_training.py --rounds 2 --seconds 5
"""
ALONE, OURS, CARELESS = "alone", "retraining", "careless training"
BAR = 1.5
WARM_S = 12.0  # tables are made and libraries loaded before the load begins


def main() -> int:
    args = parsed()
    if args.train:
        train(careless=args.train == CARELESS, rows=args.rows)
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="serving-while-training-") as name,
        Processes(Path(name), {}) as processes,
        Router(processes, Path(name) / "state", workers=args.workers) as router,
    ):
        router.register(CHAMPION, scorer(0))
        router.install()
        router.start("control")
        bodies = [
            {"key": f"k{n}", "features": dict(zip(NAMES, row, strict=True))} for n, row in enumerate(served.asked())
        ]
        file = served.write_bodies(Path(name) / "bodies.ndjson", bodies)
        measured(router, file, args.rate, 3.0)
        rounds = [one_round(processes, router, file, args) for _ in range(args.rounds)]
    return told(rounds, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12, help="of load per round and kind (12)")
    parser.add_argument("--rate", type=float, default=200, help="requests per second (200)")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--train", choices=(OURS, CARELESS), help=argparse.SUPPRESS)
    return parser.parse_args()


def one_round(processes: Processes, router: Router, file: Path, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Each kind once."""
    found = {ALONE: measured(router, file, args.rate, args.seconds)}
    for kind in (OURS, CARELESS):
        words = [sys.executable, __file__, "--train", kind, "--rows", str(args.rows)]
        processes.start("training", words, role="helper", **environment(careless=kind == CARELESS))
        time.sleep(WARM_S)
        before = processes.cpu_s("training")
        found[kind] = measured(router, file, args.rate, args.seconds)
        found[kind]["training_cpu_s"] = processes.cpu_s("training") - before
        processes.stop("training")
    return found


def environment(*, careless: bool) -> dict[str, str]:
    """What the libraries read when they are loaded."""
    from flows.training.politeness import THREADS

    spinning = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": str(os.cpu_count())}
    return spinning if careless else THREADS


def train(*, careless: bool, rows: int) -> None:
    """Train until somebody ends it."""
    from rig.tables import config, table

    from flows.training.candidate import train_candidate
    from flows.training.politeness import be_polite

    if not careless:
        be_polite()
    threads = (os.cpu_count() or 1) if careless else 1
    frame, given = table(rows), config(threads=threads, trials=1000)
    train_candidate(given, frame, champion=None, champion_scorer=None, seed=0, as_of=datetime.now(UTC))


def measured(router: Router, file: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Latencies under load."""
    return summary(Pacing(router.url, file, rate=rate, seconds=seconds).answers())


def ratios(rounds: Sequence[dict[str, dict[str, Any]]], kind: str, what: str) -> list[float]:
    """Of each round, to the same round alone."""
    return [one[kind][what] / one[ALONE][what] for one in rounds]


def told(rounds: list[dict[str, dict[str, Any]]], args: argparse.Namespace) -> int:
    """Print the figures; 1 if a retraining costs more than the bar."""
    for kind in (ALONE, OURS, CARELESS):
        p50, p99 = ([one[kind][what] for one in rounds] for what in ("p50_ms", "p99_ms"))
        failed = sum(one[kind]["failed"] for one in rounds)
        cpu = statistics.median([one[kind].get("training_cpu_s", 0.0) for one in rounds]) / args.seconds
        print(
            f"{kind:18} p50 {statistics.median(p50):6.2f} ms  p99 {statistics.median(p99):6.2f} ms"
            f" ({min(p99):.2f} to {max(p99):.2f})  failed {failed}  training on {cpu:.1f} cores"
        )
    for kind in (OURS, CARELESS):
        found = sorted(ratios(rounds, kind, "p99_ms"))
        print(f"p99 {kind} / alone: median {statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})")
    if args.json:
        args.json.write_text(json.dumps(rounds, indent=1))
    kept = statistics.median(ratios(rounds, OURS, "p99_ms")) <= BAR
    print(f"bar {BAR}: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
