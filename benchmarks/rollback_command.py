"""
A person rolls a bad champion back: from the call to the last answer of the version that was taken off.

Prefect never runs here. The bad champion was promoted a moment ago, and is being watched; a load goes on all the while.
It is taken off by the command `understudy rollback` (its start counts), by one HTTP call to control, and by one call of
the registry; with nothing in the way, with another writer that holds the database, and with control gone. Each time the
last answer by the version that was taken off is looked for.
"""

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rig import report, served
from rig.pace import Answer, Pacing, summary
from rig.processes import Processes, python
from rig.routers import CHALLENGER, CHAMPION, MODEL, Router, scorer

from registry.errors import Refusal
from registry.records.plan import Arm
from registry.records.watch import PlanWatch

EXAMPLES = """
Examples:
  python benchmarks/rollback_command.py                    # about two minutes
  python benchmarks/rollback_command.py --only "command" --rounds 10
  python benchmarks/rollback_command.py --busy 4           # beside 4 processes that compute without end
"""
WHY, BOUND_S, LOCKED_S = "wrong prices", 2.0, 6.0
WAYS = ("command", "http", "registry", "command, database locked", "http, database locked", "command, control gone")


def main() -> int:
    args = parsed()
    with tempfile.TemporaryDirectory(prefix="rollback-") as folder, Processes(Path(folder), {}) as processes:
        router = Router(processes, Path(folder) / "state", workers=args.workers)
        for number in range(args.busy):
            processes.start(f"busy-{number}", [sys.executable, "-c", "while True: pass"])
        with router:
            found = [
                {"round": turn, "way": way} | seen for turn, way, seen in played(router, processes, Path(folder), args)
            ]
    report.keep(args.json, figures=found)
    return told(found, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=200, help="requests per second (200)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--busy", type=int, default=0, help="processes that compute without end beside it (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    return parser.parse_args()


def played(
    router: Router, processes: Processes, folder: Path, args: argparse.Namespace
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    router.register(CHAMPION, scorer(0))
    router.register(CHALLENGER, scorer(1))
    router.install()
    bodies = served.write_bodies(
        folder / "bodies.ndjson", [{"key": f"k{n}", "features": row} for n, row in enumerate(served.asked())]
    )
    router.start("control")
    for turn in range(args.rounds):
        for way in args.only:
            yield turn, way, measured(router, processes, bodies, way, args.rate)


def measured(router: Router, processes: Processes, bodies: Path, way: str, rate: float) -> dict[str, Any]:
    crown_bad(router, processes)
    if "control gone" in way:
        processes.stop("router-control")
    locked = writer_holds(router) if "locked" in way else nullcontext()
    pacing = Pacing(router.url, bodies, rate=rate, seconds=10)
    try:
        time.sleep(2)
        with locked:
            began = time.monotonic()
            code = take_back(router, way.split(",")[0])
            took = time.monotonic() - began
            answers = pacing.answers()
    finally:
        pacing.stop()
    if "control gone" in way:
        router.start_parts("control")
    return figures(answers, began) | {"call_s": took, "code": code, "consistent": consistent(router)}


def crown_bad(router: Router, processes: Processes) -> None:
    """Make the bad version champion, and wait until every worker answers by it."""
    champion = router.registry.champion(MODEL)
    assert champion is not None
    assert champion.version == CHAMPION
    watch = PlanWatch(id="w-0001", former=CHAMPION, until=datetime.now(UTC) + timedelta(hours=48))
    arms = (Arm(variant="champion", version=CHALLENGER),)
    plan = router.crown(CHALLENGER, arms=arms, watch=watch, shadows=(CHAMPION,))
    processes.wait(router.name, lambda: set(router.epochs().values()) == {plan.epoch})


@contextmanager
def writer_holds(router: Router) -> Iterator[None]:
    """Somebody else writes for a while, and lets nobody else."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        path = router.settings.home / "registry.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as plain:
            plain.execute("BEGIN IMMEDIATE")
            held.set()
            done.wait(LOCKED_S)
            plain.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def take_back(router: Router, how: str) -> int:
    return {"command": by_command, "http": by_http, "registry": by_registry}[how](router)


def by_command(router: Router) -> int:
    words = python("flows.cli.main", "rollback", MODEL, "--reason", WHY, "--actor", "ann", "--json")
    return subprocess.run(words, env=environment(router), check=False, capture_output=True, timeout=60).returncode


def by_http(router: Router) -> int:
    headers = {"Authorization": f"Bearer {router.settings.token()}", "X-Actor": "ann"}
    url = f"{router.settings.admin_url}/v1/models/{MODEL}/rollback"
    with suppress(httpx.TransportError):
        document = {"actor": "ann", "reason": WHY}
        return int(httpx.post(url, json=document, headers=headers, timeout=20, trust_env=False).is_error)
    return 1


def by_registry(router: Router) -> int:
    router.registry.roll_back(MODEL, actor="ann", reason=WHY, at=datetime.now(UTC))
    return 0


def environment(router: Router) -> dict[str, str]:
    import os

    inherited = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    settings = router.settings
    return inherited | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "UNDERSTUDY_HOME": str(settings.home),
        "UNDERSTUDY_ROUTER_PORT": str(settings.router_port),
        "UNDERSTUDY_ADMIN_PORT": str(settings.admin_port),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }


def figures(answers: list[Answer], began: float) -> dict[str, Any]:
    good = [(one, msgspec.json.decode(one.body)["model_version"]) for one in answers if one.status == 200]
    bad = [one.answered - began for one, version in good if version == CHALLENGER]
    back = [one.answered - began for one, version in good if version == CHAMPION]
    return summary(answers) | {"last_bad_s": max(bad, default=0.0), "first_good_s": min(back, default=float("inf"))}


def consistent(router: Router, patience_s: float = 20) -> bool:
    """Registry, plan, incident and trail agree, at the latest when whoever was away is back."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        with suppress(Refusal):
            champion, plan = router.registry.champion(MODEL), router.registry.plan(MODEL)
            if champion and plan and champion.version == CHAMPION == plan.arms[0].version:
                written = any(incident.epoch == plan.epoch for incident in router.registry.incidents(MODEL))
                return written and router.registry.verify_audit() == []
        time.sleep(0.1)
    return False


def told(found: list[dict[str, Any]], args: argparse.Namespace) -> int:
    print(
        f"\n{report.machine()}\n{args.workers} workers, {args.rate:g} requests/s, {args.busy} busy processes beside it"
    )
    ways = {way: [one for one in found if one["way"] == way] for way in args.only}
    columns = ("way", "rounds", "back after, s (median)", "(worst)", "call took, s", "failed requests", "p99 ms")
    report.show(columns, [row(way, seen) for way, seen in ways.items()])
    bars = []
    for way, seen in ways.items():
        worst = max(one["last_bad_s"] for one in seen)
        bars.append(
            report.most(worst, BOUND_S, f"{way}: the last answer of the bad version <= 2 s after the call", "s")
        )
        agree = sum(one["consistent"] for one in seen)
        bars.append(
            report.Bar(f"{way}: registry, incident and trail agree", f"{agree}/{len(seen)}", agree == len(seen))
        )
    bars.append(report.none(sum(one["failed"] for one in found), "no client error", sum(o["requests"] for o in found)))
    return report.judge(bars)


def row(way: str, seen: list[dict[str, Any]]) -> tuple[str, ...]:
    def middle(key: str) -> float:
        return statistics.median(one[key] for one in seen)

    worst = max(one["last_bad_s"] for one in seen)
    numbers = [f"{value:.2f}" for value in (middle("last_bad_s"), worst, middle("call_s"))]
    return (way, str(len(seen)), *numbers, str(sum(one["failed"] for one in seen)), f"{middle('p99_ms'):.1f}")


if __name__ == "__main__":
    sys.exit(main())
