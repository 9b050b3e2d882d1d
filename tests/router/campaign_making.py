"""Callers who remember all that was said to them, and a hand that kills: helpers of the campaigns."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from router_live import Live, die_with_tests, wait_for

from registry.records.plan import TrafficPlan
from registry.store.registry import Registry
from router.board import Board
from router.process import alive

WITHIN_S = 30.0


class Committed:
    """The plans that the registry holds, by epoch."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._known = registry, dict[int, TrafficPlan]()

    def plan(self, epoch: int) -> TrafficPlan | None:
        """None if nobody has committed it."""
        if epoch not in self._known:
            self._known |= {plan.epoch: plan for plan in self._registry.plans("m", limit=50)}
        return self._known.get(epoch)


class Given(NamedTuple):
    """What a caller was told of one prediction."""

    epoch: int
    served: str


class Caller(threading.Thread):
    """
    Sends predictions and outcomes until each is acknowledged, and remembers what was.

    Attributes:
        wrong: Answers by a plan that nobody committed, or not by the plan whose epoch they name.
    """

    def __init__(self, number: int, url: str, plans: Committed, stop: threading.Event, pause_s: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.number, self.url, self.plans, self.stop, self.pause_s = number, url, plans, stop, pause_s
        self.answered: dict[str, Given] = {}
        self.accepted: set[str] = set()
        self.again: set[str] = set()
        self.said: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.wrong: list[Any] = []

    def run(self) -> None:
        serial = 0
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as http:
            while not self.stop.is_set():
                ids = [f"c{self.number}-{serial + i}" for i in range(5)]
                serial += 5
                for send in (self._predict, self._label)[:: -1 if self.number % 2 else 1]:
                    self._until_acknowledged(send, http, ids)
                self.stop.wait(self.pause_s)

    def _until_acknowledged(self, send: Callable[..., bool], http: httpx.Client, ids: list[str]) -> None:
        while not self.stop.is_set():
            try:
                if send(http, ids):
                    return
            except httpx.TransportError as error:
                self.statuses[type(error).__name__] += 1
            self.again.update(ids)
            self.stop.wait(0.05)

    def _predict(self, http: httpx.Client, ids: list[str]) -> bool:
        rows = [{"key": one, "features": {"x": len(one) / 7, "c": "a"}, "id": one} for one in ids]
        answer = http.post("/v1/models/m/predict", json={"rows": rows})
        self.statuses[str(answer.status_code)] += 1
        for row in answer.json()["rows"] if answer.status_code == 200 else ():
            self.answered[row["prediction_id"]] = Given(row["epoch"], row["variant"])
            self._check(row)
        return answer.status_code == 200

    def _check(self, row: dict[str, Any]) -> None:
        plan = self.plans.plan(row["epoch"])
        right = plan is not None and plan.assign(row["prediction_id"]).variant == row["assigned"]
        if not right or plan.version_of(row["variant"]) != row["model_version"]:
            self.wrong.append(row)

    def _label(self, http: httpx.Client, ids: list[str]) -> bool:
        answer = http.post("/v1/models/m/outcomes", json=[{"prediction_id": one, "value": 1} for one in ids])
        self.statuses[str(answer.status_code)] += 1
        if answer.status_code == 200:
            self.said.update(row["status"] for row in answer.json()["rows"])
            self.accepted.update(ids)
        return answer.status_code == 200


class Killed(NamedTuple):
    """One worker that was killed; *grown* if it answered already."""

    at: float
    pid: int
    grown: bool


class Watch(threading.Thread):
    """Sees workers come, by the parent's children and by the board, twenty times a second."""

    def __init__(self, live: Live) -> None:
        super().__init__(daemon=True)
        self._live, self._board = live, Board.open(live.settings.run_dir, "control")
        self.born: dict[int, float] = {}
        self.grown: dict[int, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.look()

    def look(self) -> None:
        now = time.monotonic()
        for pid in children(self._live.processes["router"].pid):
            self.born.setdefault(pid, now)
        for seen in self._board.read():
            if seen.alive and seen.report.role == "worker" and seen.report.epochs:
                self.grown.setdefault(seen.pid, now)

    def living(self) -> list[int]:
        return [pid for pid in children(self._live.processes["router"].pid) if pid in self.grown]

    def came_back(self, killed: Sequence[Killed], until: float) -> tuple[list[float], int]:
        """
        Seconds until each killed worker's successor answered, of one life of the service.

        Returns:
            These, and how many successors did not live so long.
        """
        heirs = iter(sorted((at, pid) for pid, at in self.born.items() if killed and killed[0].at < at < until))
        found, dead = [], 0
        for one in killed:
            _, heir = next(((at, pid) for at, pid in heirs if at > one.at), (0.0, 0))
            if heir in self.grown and self.grown[heir] < until:
                found.append(self.grown[heir] - one.at)
            else:
                dead += 1
        return found, dead


class Storm:
    """
    Kills at random, brings back what nobody else does, and measures how long things take to work again.

    Attributes:
        counts: Kills, by what was killed.
        scrape_s, document_s: Seconds from a kill to the first good `/metrics`, and to the first metrics of the index.
        behind: Epochs of first answers after a kill of everything that were not the last committed one.
        torn: Torn or altered lines that it left in segments of dead processes.
    """

    def __init__(self, live: Live, registry: Registry, seed: int, *, ramp_s: float = 1.0) -> None:
        self._live, self._registry, self._dice, self._ramp_s = live, registry, random.Random(seed), ramp_s
        self.counts: Counter[str] = Counter()
        self.scrape_s: dict[str, list[float]] = {"worker": [], "service": []}
        self.document_s: dict[str, list[float]] = {"control": [], "service": []}
        self.back_s: list[float] = []
        self.unborn = 0
        self.behind: list[tuple[int, int]] = []
        self.torn = 0
        self._killed: list[Killed] = []
        # A connection of its own for each request, so that it may land on any worker.
        self._http = httpx.Client(
            base_url=live.settings.router_url, headers={"Connection": "close"}, timeout=5, trust_env=False
        )
        self.watch = Watch(live)

    def begin(self) -> None:
        self._live.start("router", "control", "shadow")
        self._start_ramp()
        self.watch.start()

    def kill(self, victim: str) -> None:
        kills = {"worker": self._worker, "service": self._service, "ramp": self._ramp}
        kills.get(victim, lambda: self._part(victim))()
        self.counts[victim] += 1

    def end(self) -> None:
        """Everything runs again, and nobody changes plans any more."""
        wait_for(lambda: len(self.watch.living()) == self._live.workers, "all workers", WITHIN_S)
        self._reckon()
        self.watch.over.set()
        self.watch.join()
        self._http.close()
        self._live.kill("ramp")

    def _worker(self) -> None:
        while not (young := children(self._live.processes["router"].pid)):
            time.sleep(0.01)
        pid = self._dice.choice(young)
        began = time.monotonic()
        self.watch.born.setdefault(pid, began)
        self._killed.append(Killed(began, pid, pid in self.watch.grown))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.scrape_s["worker"].append(until(self._scrapes, began))

    def _part(self, name: str) -> None:
        began = time.monotonic()
        self._live.kill(name)
        self._live.spawn(name)
        if name == "control":
            self.document_s["control"].append(until(self._documents, began))

    def _ramp(self) -> None:
        self._live.kill("ramp")
        self._start_ramp()

    def _service(self) -> None:
        self._reckon()
        family = [pid for name in ("router", "control", "shadow") for pid in family_of(self._live.processes[name].pid)]
        family.append(self._live.processes["ramp"].pid)
        self._dice.shuffle(family)
        began = time.monotonic()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in ("router", "control", "shadow", "ramp"):
            self._live.processes[name].wait()
        wait_for(lambda: not any(alive(pid, 0) for pid in family), "the end of all processes", 5)
        self._tear()
        newest = self._registry.plan("m")
        assert newest is not None
        self._live.spawn("router", "control", "shadow")
        self.scrape_s["service"].append(until(self._scrapes, began))
        self.document_s["service"].append(until(self._documents, began))
        self._ask(newest.epoch)
        self._start_ramp()

    def _ask(self, epoch: int) -> None:
        """The first answer after all were dead; nobody publishes meanwhile."""
        row = {
            "key": f"after-{epoch}",
            "features": {"x": 0.0, "c": "b"},
            "id": f"after-{epoch}-{self.counts['service']}",
        }
        [found] = self._http.post("/v1/models/m/predict", json={"rows": [row]}).raise_for_status().json()["rows"]
        if found["epoch"] != epoch:
            self.behind.append((found["epoch"], epoch))

    def _tear(self) -> None:
        """Leave what a killed write leaves: half a line at the end of one segment, and a line altered in another."""
        paths = sorted(self._live.settings.events_dir.glob("*.log"), key=lambda path: path.stat().st_mtime)[-6:]
        for path, whole in zip(self._dice.sample(paths, 2), (False, True), strict=True):
            line = path.read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
            if not line:
                continue
            forged = line.replace(b'"id":"', b'"id":"torn-', 1) + b"\n"
            with path.open("ab") as file:
                file.write(forged if whole else forged[: len(forged) * 2 // 3])
            self.torn += whole

    def _start_ramp(self) -> None:
        settings = self._live.settings
        words = [settings.registry_url, settings.admin_url, settings.token(), str(self._ramp_s)]
        with (settings.logs_dir / "ramp.log").open("ab") as log:
            self._live.processes["ramp"] = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("ramp_worker.py")), *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_tests,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )

    def _reckon(self) -> None:
        self.watch.look()
        found, dead = self.watch.came_back(self._killed, time.monotonic())
        self.back_s += found
        self.unborn += dead
        self._killed.clear()

    def _scrapes(self) -> bool:
        found = self._http.get("/metrics", timeout=2)
        return found.status_code == 200 and "understudy_predictions_total" in found.text

    def _documents(self) -> bool:
        return bool(self._live.admin.get("/v1/models/m/metrics", timeout=30).raise_for_status().json()["phases"])


def until(works: Callable[[], bool], began: float) -> float:
    """Seconds from *began* until it works."""
    while time.monotonic() < began + WITHIN_S:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            if works():
                break
        time.sleep(0.02)
    return time.monotonic() - began


def children(pid: int) -> list[int]:
    """Of a process with one thread that forks."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if alive(int(one), 0)]
    except OSError:
        return []


def family_of(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]
    return [pid]


def left_behind(home: Path) -> list[int]:
    """Living processes that were started for this state folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"UNDERSTUDY_HOME={home}\0".encode() in path.read_bytes() and alive(int(path.parent.name), 0):
                found.append(int(path.parent.name))
    return found


def spread(seconds: Sequence[float]) -> str:
    """Median, 99 % and most, of how many."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.9, 0.99, 1.0)]
    return "median {:.2f} s, 90 % {:.2f} s, 99 % {:.2f} s, worst {:.2f} s of {}".format(*at, len(ordered))
