"""Start everything, wait until it is well, deploy the flows."""

import contextlib
import dataclasses
import signal
import sys
import time
from pathlib import Path

from flows.ops.errors import DeployFailed, StartFailed
from flows.ops.health import ProcessStatus, SystemStatus, look, status
from flows.ops.keep import starts_of
from flows.ops.ports import refuse_busy_ports
from flows.ops.progress import REMOVED, Progress, silent
from flows.ops.supervisor import belongings, exclusively, last_lines, spawn, start, stop, supervisor_pid, sweep
from flows.ops.watchers import Watcher, book, log, watchers
from registry.home import Settings

_DONE = "done"
_SUPERVISOR_S = 20.0
_HOPELESS = 5  # starts of one process within one `up`


def up(
    settings: Settings, *, wait: bool = True, detach: bool = True, progress: Progress = silent, timeout: float = 180.0
) -> SystemStatus:
    """
    Start Prefect's server and worker, the router, its control and its shadow.

    They are restarted when they die. If the system is up already, nothing happens.

    Args:
        settings: State folder and ports.
        wait: Return only when everything is well and all flows are deployed.
        detach: Return at all; otherwise stay until interrupted, then stop everything.
        progress: Told one sentence at a time.
        timeout: Seconds until a start counts as failed.

    Raises:
        RegistryError: If the state folder cannot be written.
        PortBusy: Before anything is started.
        StartFailed: With the last lines of the log concerned; what this call started is stopped again.
        DeployFailed: The servers are well and go on, but the flows are not deployed.
        AlreadyStarting: If an `up` or `down` is at work.
    """
    if not detach:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # how a container is told to stop
    try:
        found = _up(settings, wait, progress, timeout)
    except KeyboardInterrupt:
        if detach or wait:
            raise
        _end(settings, progress)  # told to stop before it stayed
        return status(settings)
    if not detach:
        _stay(settings, progress)
    return found


def _up(settings: Settings, wait: bool, progress: Progress, timeout: float) -> SystemStatus:
    began = time.monotonic()
    settings = settings.prepare()
    settings.token()  # made before five processes want it at once
    with exclusively(settings):
        already = supervisor_pid(settings) is not None
        if already:
            progress("it is up already")
        else:
            _launch(settings, progress)
        if _deployment(settings) != _DONE:
            _deploy(settings)
        if wait:
            _wait_or_stop(settings, progress, began + timeout, ours=not already)
        return dataclasses.replace(status(settings), already_up=already, seconds=time.monotonic() - began)


def _launch(settings: Settings, progress: Progress) -> None:
    if belongings(settings):
        progress("ending what a killed supervisor left behind")
        sweep(settings)
    refuse_busy_ports(settings)
    for watcher in watchers(settings):
        book(settings, watcher.name).unlink(missing_ok=True)
    _mark(settings).unlink(missing_ok=True)
    progress(f"starting {', '.join(watcher.name for watcher in watchers(settings))}")
    start(settings)
    deadline = time.monotonic() + _SUPERVISOR_S
    while supervisor_pid(settings) is None:
        if time.monotonic() > deadline:
            raise _failed(settings, "circusd")
        time.sleep(0.05)


def _deploy(settings: Settings) -> None:
    _mark(settings).unlink(missing_ok=True)
    log(settings, "deploy").unlink(missing_ok=True)
    spawn(settings, "deploy", [sys.executable, "-m", "flows.ops.deploy", str(_mark(settings))])


def _wait_or_stop(settings: Settings, progress: Progress, deadline: float, *, ours: bool) -> None:
    """What others rely on is never stopped because one part is ill; nor the router for the flows' sake."""
    try:
        _wait(settings, progress, deadline)
    except DeployFailed:
        raise
    except (StartFailed, KeyboardInterrupt):
        if ours:
            stop(settings)
        raise


def _wait(settings: Settings, progress: Progress, deadline: float) -> None:
    waiting = list(watchers(settings))
    while waiting or _deployment(settings) != _DONE:
        for watcher in list(waiting):
            seen = look(watcher, settings)
            if seen.health in ("healthy", "degraded"):
                waiting.remove(watcher)
                progress(f"{watcher.name} is {'well' if seen.health == 'healthy' else 'degraded'}{_at(seen)}")
            elif _hopeless(watcher, settings) or time.monotonic() > deadline:
                raise _failed(settings, watcher.name)
        if time.monotonic() > deadline or _deployment(settings) == "failed":
            raise _not_deployed(settings)
        if supervisor_pid(settings) is None:
            raise _failed(settings, "circusd")
        time.sleep(0.2)
    for said in _removed(settings):
        progress(said)
    progress("all flows are deployed")


def _removed(settings: Settings) -> list[str]:
    """What the deploying process says of deployments that an earlier version left."""
    file = log(settings, "deploy")
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if line.startswith(REMOVED)]


def _at(seen: ProcessStatus) -> str:
    return f" at {seen.address}" if seen.address else ""


def _hopeless(watcher: Watcher, settings: Settings) -> bool:
    return len(starts_of(book(settings, watcher.name))) >= _HOPELESS


def _mark(settings: Settings) -> Path:
    return settings.run_dir.absolute() / "deployed"


def _deployment(settings: Settings) -> str:
    """What the deploying process wrote last: "done", "failed", or nothing yet."""
    mark = _mark(settings)
    return mark.read_text() if mark.exists() else ""


def _failed(settings: Settings, name: str) -> StartFailed:
    return StartFailed(
        f"{name} did not become healthy.",
        f"The last lines of {log(settings, name)}:\n{last_lines(log(settings, name))}\n",
        "Mend what the log names, then `understudy up`; `understudy doctor` checks the usual causes.",
    )


def _not_deployed(settings: Settings) -> DeployFailed:
    file = log(settings, "deploy")
    return DeployFailed(
        "The flows were not deployed; the servers run.",
        f"The last lines of {file}:\n{last_lines(file)}\n",
        "Mend what the log names, then `understudy up` deploys again; `understudy down` stops the servers.",
    )


def _stay(settings: Settings, progress: Progress) -> None:
    progress("running; press Ctrl-C to stop")
    with contextlib.suppress(KeyboardInterrupt):
        while supervisor_pid(settings):
            time.sleep(1)
    _end(settings, progress)


def _end(settings: Settings, progress: Progress) -> None:
    with exclusively(settings):
        stop(settings)
    progress("everything is stopped")
