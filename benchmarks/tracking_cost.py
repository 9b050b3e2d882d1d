"""
What tracking costs a retraining: noting in the outbox, against logging to MLflow in the flow itself.

One version with its model card, its report and 50 trials; and one look. Sending is shown too; it happens in another
process. The peer is what a flow would do otherwise: ask MLflow itself, here at an address where nobody listens, with
MLflow's own settings (it tries again for minutes).
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "flows" / "tracking")]

from rig import report  # noqa: E402

EXAMPLES = """
Examples:
  python benchmarks/tracking_cost.py                                # about a minute
  python benchmarks/tracking_cost.py --away 300                     # wait longer for MLflow to give up
  python benchmarks/tracking_cost.py --server http://127.0.0.1:5000
"""
TRIALS, MOST_MS = 50, 10.0
FILES = {"card.md": b"x" * 20_000, "decision.html": b"x" * 300_000}
AWAY = """
import time
from mlflow import MlflowClient
began = time.monotonic()
try:
    MlflowClient("{uri}").create_run("0")
finally:
    print(time.monotonic() - began, flush=True)
"""


def main() -> int:
    args = parsed()
    os.environ["UNDERSTUDY_HOME"] = tempfile.mkdtemp(prefix="understudy-tracking-")
    if args.server:
        os.environ["MLFLOW_TRACKING_URI"] = args.server
    from tracking_making import furnish

    where = furnish()
    noted = noting(where, args.rounds)
    rows = [(name, f"{middle(took):.1f}", f"{max(took):.1f}", f"{cpu:.1f}") for name, (took, cpu) in noted.items()]
    report.show(("in the flow, ms", "p50", "max", "CPU"), rows)
    report.show(("in the sender", "s"), [(name, f"{took:.2f}") for name, took in sending(where).items()])
    seconds = direct_away(args.away)
    said = f"more than {args.away:.0f} s" if seconds is None else f"{seconds:.1f} s"
    report.show(("peer: MLflow in the flow", ""), [("create_run, nobody listens", said)])
    worst = max(middle(took) for took, _ in noted.values())
    return report.judge([report.Bar(f"noting takes less than {MOST_MS:.0f} ms", f"{worst:.1f} ms", worst < MOST_MS)])


def noting(where, rounds: int) -> dict[str, tuple[list[float], float]]:
    """Milliseconds of each, and mean CPU milliseconds, by kind."""
    from datetime import timedelta

    from tracking_making import NOON, a_config, a_look, a_version, trials

    from flows.tracking.tracker import Tracker

    tracker = Tracker(where, a_config())
    tracker.note_look(a_look(NOON - timedelta(days=1), None))  # makes the file
    looks = [a_look(NOON + timedelta(hours=number), None) for number in range(rounds)]
    versions = [a_version(f"v1.{number}.0") for number in range(rounds)]
    return {
        "a look": each(looks, tracker.note_look),
        f"a version with {TRIALS} trials and 320 kB": each(
            versions, lambda version: tracker.note_candidate(version, trials(TRIALS), FILES)
        ),
    }


def each(things: list, work: Callable[[object], None]) -> tuple[list[float], float]:
    began = time.process_time()
    took = [timed(lambda thing=thing: work(thing)) for thing in things]
    return took, 1000 * (time.process_time() - began) / len(things)


def sending(where) -> dict[str, float]:
    from datetime import timedelta

    from tracking_making import NOON, a_config, a_look

    from flows.tracking.outbox import Outbox
    from flows.tracking.send import send
    from flows.tracking.tracker import Tracker

    outbox, found = Outbox(where), {}
    found["import MLflow, make the store, send one look"] = timed(lambda: send(where, limit=1, repeat=False)) / 1000
    count = outbox.stock().waiting
    found[f"{count} entries with {count // 2 * TRIALS} trials"] = timed(lambda: send(where, timeout=600)) / 1000
    found["nothing"] = timed(lambda: send(where)) / 1000
    Tracker(where, a_config()).note_look(a_look(NOON + timedelta(days=99), None))
    found["one look more"] = timed(lambda: send(where)) / 1000
    return found


def direct_away(most: float) -> float | None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        script = AWAY.format(uri=f"http://127.0.0.1:{probe.getsockname()[1]}")
        plain = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        try:
            done = subprocess.run(
                [sys.executable, "-c", script],
                env=plain | {"MLFLOW_DISABLE_TELEMETRY": "true"},
                capture_output=True,
                text=True,
                timeout=most,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
    return float(done.stdout.split()[-1])


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def middle(took: list[float]) -> float:
    return sorted(took)[len(took) // 2]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="looks, and versions")
    parser.add_argument("--away", type=float, default=20.0, help="seconds to wait for MLflow to give up")
    parser.add_argument("--server", help="send there instead of to a SQLite store")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
