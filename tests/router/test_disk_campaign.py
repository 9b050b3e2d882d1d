"""
A disk that is full, and one that the kernel has made read-only, under a live service.

Callers are answered, what could not be logged is counted, no outcome is acknowledged that is not kept, workers that
are killed meanwhile come back, and all is well again when there is room. Needs the right to mount; left out without.

    pytest -m long -s tests/router/test_disk_campaign.py
"""

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from campaign_making import children
from router_live import AT, Live, free_ports, plan_after, register, wait_for

from registry.eventlog.events import Predicted
from registry.eventlog.segments import PREDICTIONS, SegmentReader
from registry.home import Settings
from registry.records.plan import Guards
from registry.store.registry import Registry

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
FEATURES = {"x": 0.5, "c": "a"}


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[Path]:
    folder.mkdir()
    run("mount", *words, str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def served(home: Path) -> Iterator[Live]:
    """Two workers, control and shadow on a state folder, with a challenger that answers a half."""
    ports = free_ports(2)
    settings = Settings(home=home, router_port=ports[0], admin_port=ports[1]).prepare()
    with Registry.open(settings.registry_url) as registry:
        for version, weight in (("v1.0.0", 1.0), ("v1.1.0", 1.2)):
            register(settings, registry, version, weight)
        registry.install_first("m", "v1.0.0", guards=Guards(), salt="first", actor="test", reason="test", at=AT)
        registry.publish_plan(plan_after(registry, 500_000))
    live = Live(settings)
    live.workers = 2
    try:
        live.start("router", "control", "shadow")
        live.wait_for_epoch(2)
        yield live
    finally:
        live.stop()


class Callers(threading.Thread):
    """
    Predictions and outcomes, all the time.

    Attributes:
        answered: Prediction ids, by the phase of the test.
        refused: Answers to predictions that were none.
        kept, sent_away: Outcomes that were acknowledged, and those that were not, by phase.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self.phase, self.over = url, "before", threading.Event()
        self.answered: dict[str, list[str]] = {}
        self.refused: list[tuple[str, int]] = []
        self.kept: dict[str, list[str]] = {}
        self.sent_away: dict[str, list[int]] = {}
        self.lost = 0
        self.slowest = 0.0

    def run(self) -> None:
        number = 0
        # A connection for each: one that is kept stays with its worker.
        with httpx.Client(base_url=self._url, timeout=10, trust_env=False, headers={"Connection": "close"}) as http:
            while not self.over.wait(0.005):
                number += 1
                try:
                    self._turn(http, number)
                except httpx.TransportError:
                    self.lost += 1

    def _turn(self, http: httpx.Client, number: int) -> None:
        phase, id_, began = self.phase, f"p{number}", time.monotonic()
        answer = http.post("/v1/models/m/predict", json={"key": f"k{number}", "id": id_, "features": FEATURES})
        self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status_code != 200:
            self.refused.append((phase, answer.status_code))
            return
        self.answered.setdefault(phase, []).append(id_)
        outcome = http.post("/v1/models/m/outcomes", json={"prediction_id": id_, "value": 1})
        if outcome.status_code == 200:
            self.kept.setdefault(phase, []).append(id_)
        else:
            self.sent_away.setdefault(phase, []).append(outcome.status_code)

    def during(self, phase: str, seconds: float) -> None:
        self.phase = phase
        time.sleep(seconds)


def test_with_a_full_disk_callers_are_answered_and_what_is_not_logged_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "none") as disk, served(disk / "state") as live:

        def fill() -> Callable[[], None]:
            fill_up(disk / "ballast")
            return (disk / "ballast").unlink

        assert campaign(live, fill, capsys, "full") == "healthy again"


def test_a_service_that_is_killed_while_the_disk_is_full_comes_back_and_answers(tmp_path: Path):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "none") as disk, served(disk / "state") as live:
        fill_up(disk / "ballast")
        for name in ("router", "control", "shadow"):
            live.kill(name)
        live.spawn("router", "control", "shadow")
        wait_for(lambda: live.http.get("/readyz").json()["epochs"].get("m") == 2, "the router", 20)
        answer = live.http.post("/v1/models/m/predict", json={"key": "k", "features": FEATURES})
        ready = live.http.get("/readyz").json()
        (disk / "ballast").unlink()
        wait_for(lambda: predicted(live) == 200 and not live.http.get("/readyz").json()["troubles"], "recovery", 20)
        wait_for(lambda: live.admin.get("/healthz").status_code == 200, "control", 20)

        assert (answer.status_code, answer.json()["epoch"]) == (200, 2)
        assert ready["status"] == "degraded"
        assert live.sync()["predictions"] >= 1


def test_with_a_disk_that_became_read_only_callers_are_answered_and_what_is_not_logged_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(128 << 20)
    run("mkfs.ext4", "-q", "-F", str(image))
    options = ("-o", "loop,errors=remount-ro", str(image))
    with mounted(tmp_path / "disk", *options) as disk, served(disk / "state") as live:

        def spoil() -> None:
            fault_of(disk).write_text("1")

        assert campaign(live, spoil, capsys, "read-only") == "degraded"


def fault_of(disk: Path) -> Path:
    """What makes the kernel find an error in this ext4, and mount it read-only, open files and all."""
    [device] = [line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if f" {disk} " in line]
    path = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def campaign(
    live: Live, harm: Callable[[], Callable[[], None] | None], capsys: pytest.CaptureFixture, name: str
) -> str:
    """What the router is in the end, after everything was checked that holds of both disks."""
    callers = Callers(live.settings.router_url)
    callers.start()
    callers.during("before", 2)
    callers.during("moment", 0.1)
    mend = harm()
    callers.during(name, 2)
    troubles = live.http.get("/readyz").json()["troubles"]
    first, *_ = children(live.processes["router"].pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: is_back(live, first), "the successor of a worker that was killed meanwhile", 20)
    callers.during(name, 2)
    if mend is not None:
        mend()
        callers.during("moment", 0.5)
        callers.during("after", 2)
    callers.over.set()
    callers.join(20)
    logged = {event.id for event in predictions(live)}
    unlogged = unlogged_of(live)
    with capsys.disabled():
        print(
            f"\n{name}: answered { {phase: len(ids) for phase, ids in callers.answered.items()} },"
            f" refused {callers.refused}, lost with the killed worker {callers.lost};"
            f" outcomes kept { {phase: len(ids) for phase, ids in callers.kept.items()} },"
            f" sent away { {phase: len(said) for phase, said in callers.sent_away.items()} };"
            f" logged {len(logged)}, counted as unlogged {unlogged:.0f}; troubles {troubles};"
            f" slowest {callers.slowest:.2f} s"
        )
    answered = {id_ for ids in callers.answered.values() for id_ in ids}
    assert callers.refused == []
    assert len(callers.answered[name]) > 50
    assert set(callers.answered["before"]) <= logged
    assert "event log" in troubles
    assert {status for said in callers.sent_away.values() for status in said} == {503}
    assert name in callers.sent_away
    # The killed worker counted something in its last tenth of a second that nobody knows of.
    assert 0 <= len(answered - logged) - unlogged < 20
    if mend is None:
        return str(live.http.get("/readyz").json()["status"])
    healthy_again(live, callers, logged)
    return "healthy again"


def healthy_again(live: Live, callers: Callers, logged: set[str]) -> None:
    kept = {id_ for ids in callers.kept.values() for id_ in ids}
    metrics: dict[str, Any] = live.sync()
    index = sqlite3.connect(f"file:{live.settings.home / 'index.sqlite'}?mode=ro", uri=True)
    joined = {id_ for (id_,) in index.execute("SELECT p.id FROM outcomes JOIN predictions p USING (seq)")}
    parked = {id_ for (id_,) in index.execute("SELECT prediction_id FROM parked")}
    ready = live.http.get("/readyz").json()

    assert set(callers.answered["after"]) <= logged
    assert "after" not in callers.sent_away
    assert kept == (joined | parked) & kept, "an acknowledged outcome was lost"
    assert parked & logged == set()
    assert metrics["outcomes"].get("joined") == len(joined)
    assert ready["troubles"] == {}


def predicted(live: Live) -> int:
    return live.http.post("/v1/models/m/predict", json={"key": "k", "features": FEATURES}).status_code


def is_back(live: Live, killed: int) -> bool:
    workers = {live_worker(live) for _ in range(20)}
    return len(workers - {killed}) == 2


def live_worker(live: Live) -> int:
    found: int = httpx.get(f"{live.settings.router_url}/readyz", timeout=5, trust_env=False).json()["worker"]
    return found


def predictions(live: Live) -> Iterator[Predicted]:
    reader = SegmentReader(live.settings.events_dir, (PREDICTIONS,))
    for path in reader.segments():
        events, _ = reader.read(path, 0, 1 << 30)
        yield from (event for event in events if isinstance(event, Predicted))


def unlogged_of(live: Live) -> float:
    """
    As `/metrics` says.

    All workers say the same, except for one that was started on a read-only disk: it finds no board, and speaks for
    itself alone.
    """
    time.sleep(0.5)  # the workers tell each other ten times a second
    found = set()
    for _ in range(20):
        text = httpx.get(f"{live.settings.router_url}/metrics", timeout=5, trust_env=False).text
        found.add(next(line for line in text.splitlines() if line.startswith("understudy_unlogged_total")))
    return sum(float(line.split()[1]) for line in found)
