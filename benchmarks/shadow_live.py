"""
What callers notice of a shadow at 100 %: well, ten times slower, hung, or crashing again and again.

One router worker, a fixed rate, and in turn: no shadow, then each trouble; latencies count from when a request was due.
The process that scores is made ill by signals: stopped nine tenths of the time (slow), stopped for good (hung), killed
five times a second (crashing). Each time it begins afresh. Then every copy is looked for in the event log.

    python benchmarks/shadow_live.py --rate 500 --seconds 10 --rounds 5
"""

import argparse
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rig import served
from rig.pace import Pacing, summary
from rig.processes import MB, Processes
from rig.routers import CHAMPION, MODEL, NAMES, SHADOW, Router, scorer

from registry.eventlog.segments import PREDICTIONS, SHADOWS, SegmentReader

OFF = "off"
MODES = (OFF, "well", "10x slower", "hung", "crashing")


def main() -> None:
    args = parsed()
    with (
        tempfile.TemporaryDirectory(prefix="shadow-live-") as name,
        Processes(Path(name), {served.FOLDER: name}) as processes,
        Router(processes, Path(name) / "state") as router,
    ):
        bodies = prepared(router, Path(name))
        found: dict[str, list[dict[str, Any]]] = {mode: [] for mode in (OFF, *args.modes)}
        for number in range(args.rounds):
            for mode in turned(list(found), number):
                fresh(processes, router, mode, bodies)
                found[mode].append(measured(processes, router, mode, bodies, args))
        told(found)
        print(accounted(router.settings.events_dir, found))


def turned(modes: list[str], number: int) -> list[str]:
    """Another order each round, so that none always follows the same."""
    return modes[number % len(modes) :] + modes[: number % len(modes)]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--modes", nargs="*", choices=MODES[1:], default=MODES[1:], help="beside off")
    return parser.parse_args()


def prepared(router: Router, folder: Path) -> Path:
    router.register(CHAMPION, scorer(1))
    router.register(SHADOW, scorer(2))
    router.install(CHAMPION)
    router.start("shadow")
    asked = [{"key": f"k{n}", "features": dict(zip(NAMES, row, strict=True))} for n, row in enumerate(served.asked())]
    bodies = served.write_bodies(folder / "bodies", asked)
    Pacing(router.url, bodies, rate=200, seconds=2).answers()
    return bodies


def fresh(processes: Processes, router: Router, mode: str, bodies: Path) -> None:
    """A shadow process that knows nothing of the troubles before, and has loaded its version."""
    processes.stop("router-shadow")
    router.start_parts("shadow")
    router.obey(0, shadows=() if mode == OFF else (SHADOW,))
    Pacing(router.url, bodies, rate=100, seconds=2).answers()
    settled(router.settings.events_dir)


def measured(processes: Processes, router: Router, mode: str, bodies: Path, args: argparse.Namespace) -> dict[str, Any]:
    events = router.settings.events_dir
    ill, sizes, before = Illness(processes, mode), [], Counter(ends(events).values())
    load = Pacing(router.url, bodies, rate=args.rate, seconds=args.seconds)
    with ill:
        while load.running:
            sizes.append(memory(processes))
            time.sleep(0.1)
    figures = summary(load.answers()) | {"memory": max(sizes)}
    settled(events)
    return figures | {"ends": Counter(ends(events).values()) - before}


class Illness:
    """Makes the process that scores ill, as long as this is entered."""

    def __init__(self, processes: Processes, mode: str) -> None:
        self._processes, self._over = processes, threading.Event()
        ways: dict[str, Callable[[], None]] = {"10x slower": self._slow, "hung": self._hang, "crashing": self._crash}
        self._thread = threading.Thread(target=ways.get(mode, lambda: None))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._tell(signal.SIGCONT)

    def _slow(self) -> None:
        while not self._over.wait(0.01):
            self._tell(signal.SIGSTOP)
            self._over.wait(0.09)
            self._tell(signal.SIGCONT)

    def _hang(self) -> None:
        while not self._over.wait(0.1):
            self._tell(signal.SIGSTOP)

    def _crash(self) -> None:
        while not self._over.wait(0.2):
            self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        for process in scorers(self._processes):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def scorers(processes: Processes) -> list[psutil.Process]:
    found = []
    for process in processes.family("router-shadow")[1:]:
        with suppress(psutil.NoSuchProcess):
            found += [process] if "router.shadow.child" in process.cmdline() else []
    return found


def memory(processes: Processes) -> float:
    size = 0
    for process in processes.family("router-shadow"):
        with suppress(psutil.NoSuchProcess):
            size += process.memory_info().rss
    return size / MB


def settled(events: Path, seconds: float = 60) -> None:
    """Until every copy has its line, so that the next measurement pays for itself."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and len(copies(events)) > len(ends(events)):
        time.sleep(0.5)


def copies(events: Path) -> set[str]:
    return {event.id for event in log(events, PREDICTIONS) if SHADOW in event.shadows}


def ends(events: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in log(events, SHADOWS):
        found.setdefault(event.id, event.error or event.dropped or "scored")
    return found


def log(events: Path, role: str) -> list[Any]:
    reader, found = SegmentReader(events, (role,)), []
    for path in reader.segments():
        at = 0
        while True:
            some, end = reader.read(path, at)
            if end == at:
                break
            found += some
            at = end
    return found


def told(found: dict[str, list[dict[str, Any]]]) -> None:
    print(
        f"{'shadow':<12} {'p50 ms':>8} {'p99 ms':>8} {'p50 / off':>10} {'p99 / off':>10} {'failed':>7} {'RSS MiB':>8}"
    )
    off = found[OFF]
    for mode, rounds in found.items():
        # Neighbours in time are compared, since the machine does other things too.
        ratios = [
            median(one[name] / base[name] for one, base in zip(rounds, off, strict=True))
            for name in ("p50_ms", "p99_ms")
        ]
        middle = [median(one[name] for one in rounds) for name in ("p50_ms", "p99_ms")]
        failed, size = sum(one["failed"] for one in rounds), max(one["memory"] for one in rounds)
        figures = f"{middle[0]:8.2f} {middle[1]:8.2f} {ratios[0]:10.3f} {ratios[1]:10.3f} {failed:7} {size:8.0f}"
        print(f"{mode:<12} {figures}")


def accounted(events: Path, found: dict[str, list[dict[str, Any]]]) -> str:
    lines = [f"{mode:<12} {dict(sum((one['ends'] for one in rounds), Counter()))}" for mode, rounds in found.items()]
    asked = copies(events)
    lines.append(f"{len(asked):,} copies of {MODEL} {SHADOW}, without a line: {len(asked - ends(events).keys())}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
