"""
The router beside its peers, in one run: throughput, latency, CPU time, memory, start-up and growth with workers.

Every system serves the same fitted pipeline (impute, scale, 200 trees of depth 6, 30 features) by JSON with one worker,
and must give the same scores before anything is measured. Rounds go through all systems in turn, so that whatever else
the machine does hits all of them: compare ratios within a run, not seconds between runs. The router runs with its
control and shadow processes, and always writes the event log before an answer leaves; "A/B" does so too.

Peers with an environment of their own (peers/install.sh makes them) are left out, and said so, where it is missing.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import track
from rig import report, served
from rig.loads import Case, Load
from rig.peers import NGINX, PEERS, Bench, Served, missing
from rig.processes import Processes
from rig.routers import CHALLENGER, CHAMPION, NAMES, PARTS, SHADOW, Router, scorer
from rig.verdict import AB, AB_NAMED, AB_SHADOW, CHAMPION_ONLY, ROUTER, bars, tables

EXAMPLES = """
Examples:
  python benchmarks/router_load.py --quick                        # a look of two minutes; never fails
  python benchmarks/router_load.py --peers ~/peers                # everything
  python benchmarks/router_load.py --peers ~/peers --pin          # servers, helpers and load on cores of their own
  python benchmarks/router_load.py --only nginx --workers 1 2 4   # some peers (or none), and scaling
"""
CORES = {"server": (0,), "peer": (0, 1), "helper": (1,), "load": (2,)}
HALF = 500_000


def main() -> int:
    args = parsed()
    cores = CORES if args.pin else None
    with (
        tempfile.TemporaryDirectory(prefix="router-load-") as name,
        Processes(Path(name), {served.FOLDER: name}, cores) as processes,
    ):
        bench = Bench(processes, Path(name), args.peers)
        figures = run(bench, args, Load(processes, args.seconds, cores))
    report.keep(args.json, **figures)
    tables(figures)
    missed = report.judge(bars(figures))
    return 0 if args.quick else missed


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    at = os.environ.get("BENCHMARK_PEERS")
    parser.add_argument(
        "--peers", type=Path, default=at, metavar="DIR", help="environments of the peers ($BENCHMARK_PEERS)"
    )
    parser.add_argument(
        "--only", nargs="*", choices=list(PEERS), default=list(PEERS), help="peers; none if none is named"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of every system (5)")
    parser.add_argument("--seconds", type=int, default=3, help="of one measurement, whole ones (3)")
    parser.add_argument("--connections", type=int, nargs="*", default=[16, 64], help="levels of concurrency (16 64)")
    parser.add_argument(
        "--rate", type=float, default=500, help="requests per second of the open loop; 0 for none (500)"
    )
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4], help="the router's, for scaling (1 2 4)")
    parser.add_argument("--pin", action="store_true", help="server on core 0, helpers on 1 (peers: 0 and 1), load on 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    parser.add_argument(
        "--quick", action="store_true", help="one round of 1 s at 16 connections, no scaling; exit code 0"
    )
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.connections, args.workers = 1, 1, [16], []
    for name in missing(args.peers, args.only):
        print(
            f"{name} is left out: it has no environment; peers/install.sh makes one, --peers names it.", file=sys.stderr
        )
    if args.pin:
        args.workers = []  # on one core they cannot grow
    return args


def run(bench: Bench, args: argparse.Namespace, load: Load) -> dict[str, Any]:
    """Start everything, measure in turn, stop."""
    with router(bench, "router", 1) as ours:
        systems, started = start(bench, ours, args.only)
        agree(systems)
        cases = router_cases(ours, bench) + [Case(name, each) for name, each in systems.items() if name != ROUTER]
        figures = {
            "started": started,
            "closed": closed_rounds(cases, load, args),
            "paced": paced_rounds(cases, load, args),
            "memory": {name: bench.processes.memory(each.process) for name, each in systems.items()},
            "decision_us": decision_us(ours),
        }
        bench.processes.stop(*{each.process for each in systems.values()}, *(f"router-{part}" for part in PARTS))
    return figures | {"scaling": [row for count in args.workers for row in scaling(bench, load, args, count)]}


def router(bench: Bench, name: str, workers: int) -> Router:
    """With three versions of the served size, and the first as champion."""
    made = Router(bench.processes, bench.folder / name, workers=workers, name=name)
    made.register(CHAMPION, scorer(0, lambda trained: trained.save_model(bench.folder / "model.ubj")))
    made.register(CHALLENGER, scorer(1))
    made.register(SHADOW, scorer(2))
    made.install()
    return made


def start(bench: Bench, ours: Router, only: list[str]) -> tuple[dict[str, Served], dict[str, float]]:
    """One after the other; each system, and the seconds until its first answer."""
    ours.start()
    systems = {ROUTER: keyed(ours, bench)}
    started = {ROUTER: bench.processes.age_s(ours.name)}
    for name in track(only, "starting", console=Console(stderr=True)):
        for system, each in PEERS[name](bench).items():
            bench.processes.wait(each.process, partial(first_score, each))
            started[system] = bench.processes.age_s(each.process)
            systems[system] = each
    ours.start_parts(*PARTS)
    return systems, started


def keyed(ours: Router, bench: Bench) -> Served:
    """The router, asked by position as most peers are; each row another key."""
    rows = enumerate(served.asked())
    bodies = served.write_bodies(bench.folder / "keyed.ndjson", [{"key": f"k{i}", "features": row} for i, row in rows])
    return Served(ours.name, ours.url, bodies, lambda answer: float(answer["score"]))


def named(ours: Router, bench: Bench) -> Served:
    """The router, asked by the names of the features."""
    rows = [dict(zip(NAMES, row, strict=True)) for row in served.asked()]
    bodies = [{"key": f"k{i}", "features": row} for i, row in enumerate(rows)]
    return keyed(ours, bench)._replace(bodies=served.write_bodies(bench.folder / "named.ndjson", bodies))


def router_cases(ours: Router, bench: Bench) -> list[Case]:
    helpers = tuple(f"{ours.name}-{part}" for part in PARTS)
    asked, by_name = keyed(ours, bench), named(ours, bench)

    def case(name: str, how: Served, share: int, *shadows: str) -> Case:
        return Case(name, how, helpers, lambda: ours.obey(share, shadows=shadows), ours.settle)

    return [
        case(CHAMPION_ONLY, asked, 0),
        case(AB, asked, HALF),
        case(AB_SHADOW, asked, HALF, SHADOW),
        case(AB_NAMED, by_name, HALF, SHADOW),
    ]


def agree(systems: dict[str, Served]) -> None:
    """All but the constant must give the scores of the router's champion."""
    scores = {name: scores_of(each) for name, each in systems.items() if name != NGINX}
    for name, its in scores.items():
        gap = max(abs(one - other) for one, other in zip(its, scores[ROUTER], strict=True))
        if not gap <= 1e-6:
            raise SystemExit(f"{name} does not serve the router's model: its scores differ by up to {gap:.2g}.")


def scores_of(system: Served) -> list[float]:
    bodies = system.bodies.read_bytes().splitlines()[::32]
    return [score for body in bodies if (score := score_of(system, body)) is not None]


def first_score(system: Served) -> float | None:
    return score_of(system, system.bodies.read_bytes().splitlines()[0])


def score_of(system: Served, body: bytes) -> float | None:
    """What it says of one row; None if it does not answer."""
    headers = {"Content-Type": "application/json"}
    with suppress(httpx.TransportError):
        answer = httpx.post(system.url, content=body, headers=headers, timeout=20, trust_env=False)
        return system.score(answer.json()) if answer.is_success else None
    return None


def closed_rounds(cases: list[Case], load: Load, args: argparse.Namespace) -> list[dict[str, Any]]:
    jobs = [(turn, level, case) for turn in range(args.rounds) for level in args.connections for case in cases]
    console = Console(stderr=True)
    return [{"round": turn} | load.closed(case, level) for turn, level, case in track(jobs, "loading", console=console)]


def paced_rounds(cases: list[Case], load: Load, args: argparse.Namespace) -> list[dict[str, Any]]:
    jobs = [(turn, case) for turn in range(args.rounds) for case in cases] if args.rate else []
    console = Console(stderr=True)
    return [{"round": turn} | load.paced(case, args.rate) for turn, case in track(jobs, "pacing", console=console)]


def scaling(bench: Bench, load: Load, args: argparse.Namespace, workers: int) -> list[dict[str, Any]]:
    """The router with so many workers and 64 connections: alone, then with shadow and control beside it."""
    name = f"router-of-{workers}"
    with router(bench, name, workers) as ours:
        ours.start()
        _, split, watched, _ = router_cases(ours, bench)
        alone = Case(split.name, split.served, before=split.before)
        found = [grown(load, alone, workers, turn, "alone") for turn in range(args.rounds)]
        found[0]["memory"] = bench.processes.memory(name)
        ours.start_parts(*PARTS)
        watched.after()
        found += [grown(load, watched, workers, turn, "with helpers") for turn in range(args.rounds)]
        bench.processes.stop(name, *(f"{name}-{part}" for part in PARTS))
    return found


def grown(load: Load, case: Case, workers: int, turn: int, beside: str) -> dict[str, Any]:
    return {"round": turn, "workers": workers, "beside": beside} | load.closed(case, 64)


def decision_us(ours: Router) -> list[float]:
    """Microseconds of each of 100,000 decisions by a plan with a split."""
    plan = ours.obey(HALF)
    spent = []
    for number in range(100_000):
        key = f"k{number}"
        began = time.perf_counter_ns()
        plan.assign(key)
        spent.append((time.perf_counter_ns() - began) / 1000)
    return sorted(spent)[::100]


if __name__ == "__main__":
    sys.exit(main())
