"""
What callers pay for a shadow: off, on, ten times slower, hung and crashing; and what becomes of every copy.

The shadow sees a copy of every request (nobody else is asked). It is a model of the champion's size, or one with ten
times the trees. "Hung" stops its process again and again, as a model that never comes back; "crashing" kills it. Rounds
go through all states in turn at a fixed rate; ratios are to "off" in the same round. Latencies count from when a
request was due. The process that holds the copies may grow by 64 MiB; each model has a process of its own beside it.
With --pin the server, its helpers and the load have cores of their own, as a service whose shadow has its own share of
the machine.
"""

import argparse
import signal
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.progress import track
from rig import report, served
from rig.pace import Pacing, summary
from rig.processes import MB, Processes
from rig.routers import CHAMPION, MODEL, PARTS, SHADOW, Router, scorer

from registry.records.plan import TrafficPlan

EXAMPLES = """
Examples:
  python benchmarks/shadow_cost.py                            # about five minutes
  python benchmarks/shadow_cost.py --pin --rounds 15
  python benchmarks/shadow_cost.py --rounds 2 --states off on # a quick look
"""
CORES = {"server": (0,), "helper": (1,), "load": (2,)}
SLOW, SLOW_TREES, EVERY_S, MEMORY_MB = "v1.3.0", 2000, 0.3, 64.0
MOST_WARM_UPS = 30


class State(NamedTuple):
    """Who watches, and what its process is sent again and again."""

    shadows: tuple[str, ...] = ()
    sent: signal.Signals | None = None


STATES = {
    "off": State(),
    "on": State((SHADOW,)),
    "ten times slower": State((SLOW,)),
    "hung": State((SHADOW,), signal.SIGSTOP),
    "crashing": State((SHADOW,), signal.SIGKILL),
}


def main() -> int:
    args = parsed()
    cores = CORES if args.pin else None
    with (
        tempfile.TemporaryDirectory(prefix="shadow-cost-") as name,
        Processes(Path(name), {}, cores) as processes,
        Router(processes, Path(name) / "state", workers=args.workers) as router,
    ):
        bodies = prepare(router, Path(name))
        router.start(*PARTS)
        jobs = [(turn, name) for turn in range(args.rounds) for name in rotated(args.states, turn)]
        found = [
            {"round": turn, "state": name} | measured(router, processes, bodies, name, args)
            for turn, name in track(jobs, "measuring", console=Console(stderr=True))
        ]
    report.keep(args.json, figures=found)
    return told(found, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--states", nargs="+", choices=list(STATES), default=list(STATES))
    parser.add_argument("--rounds", type=int, default=7, help="of every state (7)")
    parser.add_argument("--rate", type=float, default=500, help="requests per second (500)")
    parser.add_argument("--seconds", type=float, default=5, help="of one measurement (5)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pin", action="store_true", help="server on core 0, helpers on 1, load on 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    args = parser.parse_args()
    if "off" not in args.states:
        parser.error("the state off is what the others are compared with; name it as well")
    return args


def rotated(states: list[str], turn: int) -> list[str]:
    """Another one first in each round, so that none always follows the same."""
    place = turn % len(states)
    return [*states[place:], *states[:place]]


def prepare(router: Router, folder: Path) -> Path:
    """Champion, shadow, and a shadow of ten times the trees; the file of bodies."""
    router.register(CHAMPION, scorer(0))
    router.register(SHADOW, scorer(1))
    router.register(SLOW, scorer(2, trees=SLOW_TREES))
    router.install()
    bodies = [{"key": f"k{number}", "features": row} for number, row in enumerate(served.asked())]
    return served.write_bodies(folder / "bodies.ndjson", bodies)


def measured(router: Router, processes: Processes, bodies: Path, name: str, args: argparse.Namespace) -> dict[str, Any]:
    """One new phase in one state, until every copy is accounted for."""
    state = STATES[name]
    where = {"url": router.url, "bodies": bodies, "rate": args.rate, "cores": CORES["load"] if args.pin else None}
    recovered(router, state, where)
    plan = router.obey(0, shadows=state.shadows)
    sizes = [sizes_of(processes)]
    with troubled(processes, state.sent, sizes):
        found = summary(Pacing(**where, seconds=args.seconds).answers())
    return found | {
        "copies": copies_of(router, plan),
        "holder_mb": max(own for own, _ in sizes),
        "models_mb": max(below for _, below in sizes),
    }


def recovered(router: Router, state: State, where: dict[str, Any]) -> None:
    """A warm-up of a second; of more, until the model's process is back from the trouble of another round."""
    for _ in range(MOST_WARM_UPS):
        plan = router.obey(0, shadows=state.shadows)
        Pacing(**where, seconds=1).answers()
        copies = copies_of(router, plan)
        if state.sent is not None or not state.shadows or 0 < copies.get("copies", 0) == copies.get("scored", 0):
            return


def copies_of(router: Router, plan: TrafficPlan) -> dict[str, Any]:
    """What became of the copies of a phase, once nothing is under way."""
    phase = next(phase for phase in router.settle()["phases"] if phase["phase"] == plan.phase)
    found: dict[str, Any] = phase.get("shadows", {}).get(plan.shadows[0], {}) if plan.shadows else {}
    return found


@contextmanager
def troubled(processes: Processes, sent: signal.Signals | None, sizes: list[tuple[float, float]]) -> Iterator[None]:
    """Send every child of the shadow process the signal now and then; note how large all of them are."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(EVERY_S):
            if sent is not None:
                disturb(processes, sent)
            sizes.append(sizes_of(processes))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def disturb(processes: Processes, sent: signal.Signals) -> None:
    for child in processes.family("router-shadow")[1:]:
        with suppress(psutil.NoSuchProcess):
            child.send_signal(sent)


def sizes_of(processes: Processes) -> tuple[float, float]:
    """MB of the process that holds the copies, and of those of the models."""
    own, *below = processes.family("router-shadow")
    return rss_mb(own), sum(map(rss_mb, below))


def rss_mb(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return float(process.memory_info().rss / MB)
    return 0.0


def told(found: list[dict[str, Any]], args: argparse.Namespace) -> int:
    print(f"\n{report.machine()}\n{MODEL}: {args.workers} worker, {args.rate:g} requests/s, {args.rounds} rounds")
    its = {name: [one for one in found if one["state"] == name] for name in args.states}
    columns = (
        "shadow",
        "failed",
        "p50 ms",
        "p99 ms",
        "copies",
        "scored",
        "dropped",
        "failed copies",
        "holder MB",
        "models MB",
    )
    report.show(columns, [row(name, each) for name, each in its.items()])
    bars = [report.none(sum(one["failed"] for one in found), "no client error", sum(one["requests"] for one in found))]
    idle = report.middle(its["off"], "holder_mb")
    for name, each in its.items():
        if name != "off":
            bars += state_bars(name, each, its["off"], idle)
    return report.judge(bars)


def state_bars(name: str, its: list[dict[str, Any]], off: list[dict[str, Any]], idle: float) -> Iterator[report.Bar]:
    for key, bar in (("p50_ms", 1.02), ("p99_ms", 1.05)):
        values = report.ratios(its, off, key)
        said = f"{name}: {key.removesuffix('_ms')} <= {bar} of off's"
        yield report.Bar(said, report.ratio_text(values), statistics.median(values) <= bar)
    unsaid = sum(unaccounted(one["copies"]) for one in its)
    copies = sum(one["copies"].get("copies", 0) for one in its)
    yield report.none(unsaid, f"{name}: every copy is accounted for", copies)
    grown = max(one["holder_mb"] for one in its) - idle
    yield report.most(grown, MEMORY_MB, f"{name}: who holds the copies grows by <= 64 MiB", "MB")


def unaccounted(copies: dict[str, Any]) -> int:
    known = copies.get("scored", 0) + sum(copies.get("dropped", {}).values()) + sum(copies.get("errors", {}).values())
    return abs(int(copies.get("copies", 0) - known))


def row(name: str, its: list[dict[str, Any]]) -> tuple[str, ...]:
    copies = [one["copies"] for one in its]
    lost = [total(copies, key) for key in ("dropped", "errors")]
    return (
        name,
        str(sum(one["failed"] for one in its)),
        report.spread(its, "p50_ms", ".3f"),
        report.spread(its, "p99_ms", ".2f"),
        f"{sum(each.get('copies', 0) for each in copies):,}",
        f"{sum(each.get('scored', 0) for each in copies):,}",
        *(", ".join(f"{count:,} {why}" for why, count in each.items()) for each in lost),
        *(f"{max(one[key] for one in its):.0f}" for key in ("holder_mb", "models_mb")),
    )


def total(copies: list[dict[str, Any]], key: str) -> dict[str, int]:
    """Counts by reason over all rounds."""
    found: dict[str, int] = {}
    for each in copies:
        for why, count in each.get(key, {}).items():
            found[why] = found.get(why, 0) + count
    return found


if __name__ == "__main__":
    sys.exit(main())
