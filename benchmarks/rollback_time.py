"""
A challenger with a tenth of the traffic begins to fail every time: when is the last request tried on it?

Prefect never runs here. In turn everything else is there; control is not; the registry's database has been moved away;
the disk is full (a small tmpfs, filled to the last byte; needs the right to mount); the state folder has been moved
away; and control, registry and room on the disk are gone at once. Each time with a router of its own, and the harm is
done two seconds before the challenger begins to fail. Afterwards everything is put back (control started if need be),
and the registry's plan is watched until it has no challenger any more.
"""

import argparse
import errno
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rig import report
from rig.pace import Answer, Pacing, summary
from rig.processes import Processes
from rig.routers import MODEL
from rig.trouble import Trouble

from registry.errors import Refusal

EXAMPLES = """
Examples:
  python benchmarks/rollback_time.py                            # about two minutes
  python benchmarks/rollback_time.py --only "control gone" --rounds 5
"""
TENTH, SPARED = 100_000, {"breaker_open", "stopped"}
CALM_S, DURABLE_S = 4.0, 20.0
Undo = Callable[[], object]


class Harm(NamedTuple):
    """What is done to the router's surroundings; each gives back how to undo it."""

    control: bool
    does: tuple[Callable[[Trouble], Undo], ...] = ()


def registry_gone(trouble: Trouble) -> Undo:
    settings = trouble.router.settings
    moved = [path.rename(path.with_name(f"gone-{path.name}")) for path in settings.home.glob("registry.sqlite*")]
    return lambda: [path.rename(path.with_name(path.name.removeprefix("gone-"))) for path in moved]


def state_gone(trouble: Trouble) -> Undo:
    home = trouble.router.settings.home
    moved = home.rename(home.with_name("gone"))
    return lambda: moved.rename(home)


def disk_full(trouble: Trouble) -> Undo:
    ballast = trouble.router.settings.home / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress_full():
                while True:
                    file.write(b"\0" * size)
    return ballast.unlink


HARMS = {
    "all is well": Harm(control=True),
    "control gone": Harm(control=False),
    "registry gone": Harm(True, (registry_gone,)),
    "disk full": Harm(True, (disk_full,)),
    "state folder gone": Harm(False, (state_gone,)),
    "control, registry and room gone": Harm(False, (registry_gone, disk_full)),
}


def main() -> int:
    args = parsed()
    jobs = [(turn, name) for turn in range(args.rounds) for name in args.only]
    found = [{"round": turn, "harm": name} | tried(name, args) for turn, name in jobs]
    report.keep(args.json, figures=found)
    return told(found, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(HARMS), default=list(HARMS))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=float, default=200, help="requests per second (200)")
    parser.add_argument("--seconds", type=float, default=12, help="of failures (12)")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    return parser.parse_args()


def tried(name: str, args: argparse.Namespace) -> dict[str, Any]:
    harm = HARMS[name]
    with tempfile.TemporaryDirectory(prefix="rollback-") as folder, disk(Path(folder), disk_full in harm.does) as home:
        if home is None:
            return {}
        with Processes(Path(folder), {}) as processes:
            trouble = Trouble(processes, Path(folder), workers=args.workers, home=home)
            with trouble.router:
                trouble.start("control")
                return measured(trouble, harm, args)


@contextmanager
def disk(folder: Path, small: bool) -> Iterator[Path | None]:
    """Where the state goes: on a disk of 64 MiB if *small*; None where that cannot be mounted."""
    home = folder / "disk" / "state"
    home.mkdir(parents=True)
    if not small:
        yield home
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(home.parent)], capture_output=True)
    try:
        yield home if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(home.parent)], check=True)


@contextmanager
def suppress_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def measured(trouble: Trouble, harm: Harm, args: argparse.Namespace) -> dict[str, Any]:
    trouble.again(TENTH)
    if not harm.control:
        trouble.processes.stop("router-control")
    pacing = Pacing(trouble.router.url, trouble.bodies, rate=args.rate, seconds=CALM_S + args.seconds)
    undone: list[Undo] = []
    try:
        time.sleep(CALM_S - 2)
        undone = [do(trouble) for do in harm.does]
        time.sleep(2)
        since = trouble.mode("raise")
        answers = pacing.answers()
    finally:
        pacing.stop()
        for undo in reversed(undone):
            undo()
    return figures(answers, since) | {"durable_s": durable(trouble, harm)}


def figures(answers: list[Answer], since: float) -> dict[str, Any]:
    good = [(answer, json.loads(answer.body)) for answer in answers if answer.status == 200]
    dealt = [(answer, said) for answer, said in good if said["assigned"] == "challenger"]
    tries = [answer.answered - since for answer, said in dealt if said["reason"] not in SPARED and answer.due >= since]
    early = [said["reason"] for answer, said in dealt if answer.due < since]
    return summary(answers) | {
        "dealt_before": len(early),
        "spared_before": sum(reason in SPARED for reason in early),
        "tried": len(tries),
        "off_s": max(tries, default=0.0),
        "reasons": Counter(said["reason"] for answer, said in dealt if answer.due >= since),
    }


def durable(trouble: Trouble, harm: Harm) -> float | None:
    """Seconds after all is back and control answers until the plan has no challenger; None if that never comes."""
    if not harm.control:
        trouble.router.start_parts("control")
    began = time.monotonic()
    while (waited := time.monotonic() - began) < DURABLE_S:
        with suppress(Refusal):
            plan = trouble.router.registry.plan(MODEL)
            if plan is not None and not plan.challengers:
                return waited
        time.sleep(0.1)
    return None


def told(found: list[dict[str, Any]], args: argparse.Namespace) -> int:
    print(f"\n{report.machine()}\n{args.workers} workers, {args.rate:g} requests/s, a tenth to the challenger")
    seen = [one for one in found if "off_s" in one]
    columns = ("gone", "failed", "tried", "last try after, s", "p99 ms", "worst ms", "durable after")
    report.show(columns, [row(one) for one in seen])
    for one in found:
        if one not in seen:
            print(f"{one['harm']} was left out: a tmpfs cannot be mounted here.")
    bars = [report.none(sum(one["failed"] for one in seen), "no client error", sum(one["requests"] for one in seen))]
    for one in seen:
        bars.append(report.most(one["off_s"], 2.0, f"{one['harm']}: the last try <= 2 s after the first failure", "s"))
        before = one["spared_before"] or not one["dealt_before"]
        bars.append(report.Bar(f"{one['harm']}: the harm alone stops nothing", f"{one['spared_before']}", not before))
        bars.append(report.Bar(f"{one['harm']}: then in the registry", when(one), one["durable_s"] is not None))
    return report.judge(bars)


def row(one: dict[str, Any]) -> tuple[str, ...]:
    numbers = [f"{one[key]:.2f}" for key in ("off_s", "p99_ms", "max_ms")]
    return (one["harm"], str(one["failed"]), str(one["tried"]), *numbers, when(one))


def when(one: dict[str, Any]) -> str:
    """How long it took until the registry knew."""
    return "never" if one["durable_s"] is None else f"{one['durable_s']:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
