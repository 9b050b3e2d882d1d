"""The serving processes come back, stop and start as they promise: real processes, real kills."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from router_live import Live, die_with_tests, wait_for

from registry.store.registry import Registry
from router.process import alive

ROOT = Path(__file__).parents[2]
STARTS = {
    "serve": ["-m", "router.serve"],
    "bentoml": ["-m", "bentoml", "serve", "router.service:UnderstudyRouter", "--host", "127.0.0.1"],
}


class Serving:
    """The service of a state folder, started one way or the other."""

    def __init__(self, live: Live, *, how: str = "serve", workers: int = 1, wait: bool = True, **environ: str) -> None:
        self.live = live
        port = str(live.settings.router_port)
        command = [*STARTS[how], *(["--port", port] if how == "bentoml" else [])]
        self.log = live.settings.logs_dir / "router.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env={
                    **os.environ,
                    "UNDERSTUDY_HOME": str(live.settings.home),
                    "UNDERSTUDY_ROUTER_PORT": port,
                    "UNDERSTUDY_ROUTER_WORKERS": str(workers),
                    "BENTOML_HOME": str(live.settings.models_dir),
                    **environ,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_tests,
                cwd=ROOT,
            )
        live.processes[f"router-{self.process.pid}"] = self.process
        if wait:
            wait_for(lambda: len(self.seen()) == workers, f"{workers} workers")

    def workers(self) -> set[int]:
        found: set[int] = set()
        if self.process.poll() is not None:
            return found
        for one in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if one.status() != psutil.STATUS_ZOMBIE and "router.operations.start" in one.cmdline():
                    found.add(one.pid)
        return found

    def seen(self, tries: int = 40) -> set[int]:
        """Workers that answer."""
        found = set()
        for _ in range(tries):
            with httpx.Client(base_url=self.live.settings.router_url, timeout=5, trust_env=False) as http:
                answer = http.get("/readyz").json()
                if answer["epochs"].get("m"):
                    found.add(answer["worker"])
        return found


class Load(threading.Thread):
    """Callers that keep their connections; every request is answered, refused or lost."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.stop = url, stop
        self.said: Counter[str] = Counter()
        self.slowest = 0.0
        self.ids: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=15, trust_env=False) as http:
            while not self.stop.is_set():
                began = time.monotonic()
                word = self._once(http)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.said[word] += 1
                if word == "refused":
                    time.sleep(0.05)

    def _once(self, http: httpx.Client) -> str:
        try:
            answer = http.post("/v1/models/m/predict", json={"key": "k", "features": {"x": 0.5, "c": "a"}})
        except httpx.ConnectError:
            return "refused"
        except httpx.TransportError as error:
            return f"lost: {type(error).__name__}"
        if answer.status_code == 200:
            self.ids.append(answer.json()["prediction_id"])
        return str(answer.status_code)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def under_load(live: Live, callers: int = 4) -> tuple[list[Load], threading.Event]:
    stop = threading.Event()
    loads = [Load(live.settings.router_url, stop) for _ in range(callers)]
    for load in loads:
        load.start()
    return loads, stop


def total(loads: list[Load]) -> Counter[str]:
    return sum((load.said for load in loads), Counter())


@pytest.mark.parametrize(
    ("how", "container"), [pytest.param("serve", False, marks=pytest.mark.long), ("bentoml", True)]
)
def test_a_killed_worker_is_back_soon_and_its_neighbour_refuses_nobody(
    live: Live, registry: Registry, how: str, container: bool
):
    serving = Serving(live, how=how, workers=2, **({"BENTOML_CONTAINERIZED": "true"} if container else {}))
    before = serving.workers()
    assert len(before) == 2
    loads, stop = under_load(live)
    time.sleep(0.5)
    began = time.monotonic()
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: len(serving.workers() - before) == 1, "successor", 5)
    spawned = time.monotonic() - began
    wait_for(lambda: len(serving.seen(10)) == 2, "two workers", 30)
    back = time.monotonic() - began
    stop.set()
    for load in loads:
        load.join(20)
    said = total(loads)
    print(f"{how} container={container}: spawned after {spawned:.2f} s, answers after {back:.2f} s; {dict(said)}")

    assert spawned < 1.5
    assert said["refused"] == 0
    assert sum(n for word, n in said.items() if word.startswith("lost")) <= len(loads), "only what was under way"
    assert {word for word in said if not word.startswith("lost")} == {"200"}


def test_a_stop_under_load_loses_no_answer_and_every_answer_is_in_the_log(live: Live, registry: Registry):
    from registry.eventlog.segments import PREDICTIONS, SegmentReader

    serving = Serving(live, workers=2)
    loads, stop = under_load(live)
    time.sleep(1)
    began = time.monotonic()
    serving.process.terminate()
    assert serving.process.wait(20) == 0
    took = time.monotonic() - began
    stop.set()
    for load in loads:
        load.join(20)
    said = total(loads)
    reader = SegmentReader(live.settings.events_dir, (PREDICTIONS,))
    logged = {event.id for path in reader.segments() for event in reader.read(path, 0, 1 << 30)[0]}
    print(f"stopped in {took:.2f} s; {dict(said)}")

    assert set(said) <= {"200", "refused"}
    assert said["200"] > 50
    assert {id_ for load in loads for id_ in load.ids} <= logged
    assert took < 6


@pytest.mark.parametrize("how", STARTS)
def test_the_service_listens_at_its_port_and_nowhere_else(live: Live, registry: Registry, how: str):
    serving = Serving(live, how=how, wait=False)
    wait_for(serving.workers, "a worker that starts")
    parent = psutil.Process(serving.process.pid)
    listening = {each.laddr.port for each in parent.net_connections("inet") if each.status == psutil.CONN_LISTEN}

    assert listening == {live.settings.router_port}, "its supervisor takes orders from its own user only"


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("age", [0.0, pytest.param(0.5, marks=pytest.mark.long)])
def test_a_service_killed_while_its_workers_start_leaves_none_behind_and_frees_the_port(
    live: Live, registry: Registry, how: str, age: float
):
    serving = Serving(live, how=how, workers=2, wait=False)
    wait_for(lambda: len(serving.workers()) == 2, "two workers that start")
    time.sleep(age)
    workers = serving.workers()
    serving.process.kill()
    serving.process.wait()
    wait_for(lambda: not any(alive(pid, 0) for pid in workers), "the end of all workers", 1)
    wait_for(lambda: is_free(live.settings.router_port), "a free port", 1)

    assert is_free(live.settings.router_port)


@pytest.mark.long
def test_a_worker_that_is_told_to_leave_is_replaced_and_loses_no_answer(live: Live, registry: Registry):
    serving = Serving(live, workers=2)
    before = serving.workers()
    loads, stop = under_load(live)
    time.sleep(0.5)
    os.kill(min(before), signal.SIGTERM)  # what a worker above its memory does to itself
    wait_for(lambda: min(before) not in serving.workers(), "the end of a worker", 10)
    wait_for(lambda: len(serving.seen(10)) == 2, "two workers", 30)
    stop.set()
    for load in loads:
        load.join(20)

    assert set(total(loads)) == {"200"}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("container", [False, True], ids=["plain", "container"])
@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_killed_again_and_again_are_back_and_refuse_nobody(
    live: Live, registry: Registry, capsys: pytest.CaptureFixture, workers: int, how: str, container: bool
):
    kills = int(os.environ.get("UNDERSTUDY_KILLS", "5"))
    serving = Serving(live, how=how, workers=workers, **({"BENTOML_CONTAINERIZED": "true"} if container else {}))
    loads, stop = under_load(live)
    back = []
    for _ in range(kills):
        time.sleep(0.5)
        before, began = serving.workers(), time.monotonic()
        os.kill(min(before), signal.SIGKILL)
        wait_for(lambda: len(serving.workers() - before) == 1, "successor", 5)  # noqa: B023
        wait_for(lambda: len(serving.seen(8 * workers)) == workers, "all workers", 30)
        back.append(time.monotonic() - began)
    stop.set()
    for load in loads:
        load.join(20)
    said, slowest = total(loads), max(load.slowest for load in loads)
    lost = sum(n for word, n in said.items() if word.startswith("lost"))
    with capsys.disabled():
        print(
            f"\n{how}, {workers} workers{', container' if container else ''}: {kills} kills, back after"
            f" {statistics.median(back):.1f} s (median) to {max(back):.1f} s; {said['200']} answered,"
            f" {said['refused']} refused, {lost} lost under way;"
            f" slowest request {slowest:.2f} s"
        )

    assert said["refused"] == 0
    assert lost <= kills * len(loads)
    assert {word for word in said if not word.startswith("lost")} <= {"200", "refused"}
    assert statistics.median(back) < 5
    assert max(back) < 10, "on a busy machine, a worker takes seconds to import what it needs"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_stops_again_and_again_lose_no_answer(live: Live, registry: Registry, capsys: pytest.CaptureFixture):
    seen: Counter[str] = Counter()
    for _ in range(int(os.environ.get("UNDERSTUDY_STOPS", "10"))):
        serving = Serving(live, workers=2)
        loads, stop = under_load(live, 8)
        time.sleep(0.7)
        serving.process.terminate()
        assert serving.process.wait(20) == 0
        stop.set()
        for load in loads:
            load.join(20)
        seen += total(loads)
    with capsys.disabled():
        print(f"\nstops under load: {dict(seen)}")

    assert set(seen) <= {"200", "refused"}
