"""Processes that are started, measured, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple, Self

import psutil

BENCHMARKS = Path(__file__).parents[1]
MB = 1 << 20


class Memory(NamedTuple):
    """MB of the largest process of a family, and of all of it with shared pages counted once."""

    worker_mb: float
    all_mb: float


class Processes:
    """
    A context manager around everything that was started; leaves nothing behind.

    Args:
        folder: Logs go here, one file per process.
        environment: Beside the caller's own, less its settings of Understudy.
        cores: Those that a process with this role may use, by role; all if absent.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], cores: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        self.folder, self._cores = folder, cores or {}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
        paths = os.pathsep.join([str(BENCHMARKS), str(BENCHMARKS / "peers"), str(BENCHMARKS.parent)])
        self._environment = inherited | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _terminated)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(*self._running)

    def start(self, name: str, command: Sequence[str], *, role: str = "peer", **environment: str) -> None:
        """Start it in a session of its own; its output goes to `{name}.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*pinned(self._cores.get(role)), *command],
                env=self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def family(self, name: str) -> list[psutil.Process]:
        """It and all below it; workers that lead sessions of their own too."""
        return family(self._running[name].pid)

    def cpu_s(self, name: str) -> float:
        """CPU seconds that it and all below it have used so far."""
        return sum(map(_cpu_s, self.family(name)))

    def memory(self, name: str) -> Memory:
        sizes = [_sizes(process) for process in self.family(name)]
        return Memory(max(own for own, _ in sizes) / MB, sum(share for _, share in sizes) / MB)

    def age_s(self, name: str) -> float:
        """Seconds since it was started."""
        return time.time() - psutil.Process(self._running[name].pid).create_time()

    def stop(self, *names: str) -> None:
        """Kill them with everything below them."""
        gone = [self._running.pop(name) for name in names]
        doomed = [process for popen in gone for process in family(popen.pid)]
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=10)
        for popen in gone:
            popen.wait()

    def finish(self, name: str, *, seconds: float = 120) -> None:
        """Until it has ended by itself, which it must have done well."""
        if self._running[name].wait(seconds):
            raise SystemExit(f"{name} has failed. The end of its log:\n{self._told(name)}")

    def wait(self, name: str, ready: Callable[[], object], *, seconds: float = 90) -> float:
        """Until it is ready; the seconds that took. Ends the benchmark with the end of its log if it never is."""
        began = time.perf_counter()
        while (waited := time.perf_counter() - began) < seconds:
            if ready() not in (None, False):
                return waited
            if self._running[name].poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit(f"Waited {waited:.0f} s in vain for {name}. The end of its log:\n{self._told(name)}")

    def _told(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]


def family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def pinned(cores: Sequence[int] | None) -> list[str]:
    """The words before a command that keep it on *cores*."""
    return ["taskset", "-c", ",".join(map(str, cores))] if cores else []


def python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _cpu_s(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _sizes(process: psutil.Process) -> tuple[float, float]:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        memory = process.memory_full_info()
        return memory.rss, memory.pss
    return 0.0, 0.0


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)  # by way of every `with`, so that no process is left behind
