"""Start and stop circusd, and find what belongs to one state folder."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.ops.environment import MARK, process_environment
from flows.ops.errors import AlreadyStarting
from flows.ops.keep import STOPPING
from flows.ops.watchers import book, circus_ini, log, pid_file, socket_dir
from registry.home import Settings

if TYPE_CHECKING:
    import psutil

# Runs in a process of its own, which ends at once, so that the child belongs to nobody.
_DETACH = (
    "import subprocess, sys; out = open(sys.argv[1], 'ab');"
    "subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)"
    ".returncode = 0"
)


@contextlib.contextmanager
def exclusively(settings: Settings) -> Iterator[None]:
    """Let one `up` or `down` at a time work on a state folder."""
    with (settings.run_dir / "ops.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyStarting(
                "Nothing was done.",
                f"Another `understudy up` or `down` is at work on {settings.home}.",
                "Wait until it has finished.",
            ) from None
        yield


def start(settings: Settings) -> None:
    """Write the configuration and let circusd start everything in the background."""
    sockets = socket_dir(settings)
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in sockets.glob("circus*.sock"):
        stale.unlink()
    pid_file(settings).unlink(missing_ok=True)
    (settings.run_dir / STOPPING).unlink(missing_ok=True)
    ini = settings.run_dir / "circus.ini"
    ini.write_text(circus_ini(settings))
    circusd = [sys.executable, "-m", "circus.circusd", "--log-level", "warning", str(ini.absolute())]
    spawn(settings, "circusd", circusd)


def spawn(settings: Settings, name: str, command: Sequence[str]) -> None:
    """Run *command* in the background, detached from this process and its terminal."""
    subprocess.run(  # noqa: S603  the command is our own
        [sys.executable, "-c", _DETACH, str(log(settings, name)), *command],
        env=process_environment(settings),
        cwd=settings.home,
        check=True,
    )


def supervisor_pid(settings: Settings) -> int | None:
    """Process id of a living circusd of this state folder."""
    pid = _read_pid(pid_file(settings))
    return pid if pid and _belongs(pid, settings) else None


def process_pid(settings: Settings, name: str) -> int | None:
    """Process id of a living supervised process."""
    import json

    try:
        pid = int(json.loads(book(settings, name).read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None
    return pid if _belongs(pid, settings) else None


def belongings(settings: Settings) -> "list[psutil.Process]":
    """Every living process that carries the mark of this state folder, except ourselves and our parents."""
    import psutil

    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [one for one in psutil.process_iter() if one.pid not in mine and _belongs(one.pid, settings)]


def stop(settings: Settings, *, patience: float = 20.0) -> None:
    """
    Stop the worker, then the supervisor and everything else.

    A worker whose server vanished may hang, hence the order; the mark `stopping`
    keeps the supervisor from bringing it back meanwhile.
    """
    (settings.run_dir / STOPPING).touch()
    worker = process_pid(settings, "prefect-worker")
    if worker:
        end([worker], patience)
    supervisor = supervisor_pid(settings)
    if supervisor:
        end([supervisor], patience)
    sweep(settings)
    (settings.run_dir / STOPPING).unlink(missing_ok=True)


def sweep(settings: Settings) -> int:
    """End what is left over from a supervisor that was killed; says how many there were."""
    left = [one.pid for one in belongings(settings)]
    end(left, 5.0)
    return len(left)


def end(pids: Sequence[int], patience: float) -> None:
    """Ask politely, wait at most *patience* seconds, then kill."""
    _signal(pids, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal([pid for pid in pids if _alive(pid)], signal.SIGKILL)
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline + 5:
        time.sleep(0.05)


def last_lines(file: Path, count: int = 15) -> str:
    """Tail of a log; says so if there is none."""
    try:
        lines = file.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    return "\n".join(lines) or "(the log is empty)"


def _signal(pids: Sequence[int], signum: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def _alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _belongs(pid: int, settings: Settings) -> bool:
    import psutil

    try:
        marked = psutil.Process(pid).environ().get(MARK) == str(settings.home.absolute())
    except (psutil.Error, OSError):
        return False
    return marked and _alive(pid)


def _read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
