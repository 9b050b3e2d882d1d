"""How well each process is."""

import time
from dataclasses import dataclass
from typing import Literal

import httpx

from flows.ops.keep import starts_of
from flows.ops.supervisor import process_pid, supervisor_pid
from flows.ops.watchers import POOL, WORKER, Watcher, book, log, watchers
from registry.home import Settings

Health = Literal["healthy", "degraded", "starting", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """
    One supervised process.

    Attributes:
        pid: None if it does not run.
        restarts: Starts after the first, in the last ten minutes.
        uptime_s: Since its last start.
        log: File that holds its output.
    """

    name: str
    health: Health
    pid: int | None
    restarts: int
    uptime_s: float | None
    address: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """
    The whole system.

    Attributes:
        up: The supervisor runs.
        supervisor: Its process id.
        already_up: `up` found it running and changed nothing.
        seconds: How long `up` took.
    """

    up: bool
    supervisor: int | None
    processes: tuple[ProcessStatus, ...]
    addresses: dict[str, str]
    already_up: bool = False
    seconds: float = 0.0

    @property
    def healthy(self) -> bool:
        """Whether every process is well."""
        return self.up and all(one.health == "healthy" for one in self.processes)


def status(settings: Settings) -> SystemStatus:
    """Look at every process once; takes at most a few seconds and changes nothing."""
    supervisor = supervisor_pid(settings)
    return SystemStatus(
        up=supervisor is not None,
        supervisor=supervisor,
        processes=tuple(look(watcher, settings) for watcher in watchers(settings)),
        addresses=addresses(settings),
    )


def addresses(settings: Settings) -> dict[str, str]:
    """Where a person or a program finds what."""
    return {
        "router": settings.router_url,
        "admin": settings.admin_url,
        "prefect": settings.prefect_api_url.removesuffix("/api"),
    }


def look(watcher: Watcher, settings: Settings) -> ProcessStatus:
    """Look at one process once."""
    pid = process_pid(settings, watcher.name)
    now = time.time()
    starts = starts_of(book(settings, watcher.name))
    return ProcessStatus(
        name=watcher.name,
        health=_health(watcher, settings, pid, now - starts[-1] if starts else 0.0),
        pid=pid,
        restarts=max(sum(now - start < 600 for start in starts[1:]), 0),
        uptime_s=now - starts[-1] if pid and starts else None,
        address=(watcher.health or "").rsplit("/", 1)[0].removesuffix("/api"),
        log=str(log(settings, watcher.name)),
    )


def get(url: str, timeout: float = 2.0) -> httpx.Response | None:
    """Whatever *url* answers; None if nothing does."""
    try:
        return httpx.get(url, timeout=timeout, trust_env=False)
    except httpx.TransportError:
        return None


def _health(watcher: Watcher, settings: Settings, pid: int | None, age: float) -> Health:
    if pid is None:
        return "down"
    if watcher.health:
        answer = get(watcher.health)
        well = answer is not None and answer.status_code == 200
        if answer is not None and b'"status":"degraded"' in answer.content:
            return "degraded"  # it answers callers; its log or /readyz says what is wrong
    elif watcher.name == "prefect-worker":
        well = _worker_is_online(settings, age)
    else:
        well = age > 1.0
    return "healthy" if well else "starting"


def _worker_is_online(settings: Settings, age: float) -> bool:
    """Whether it has reported since its last start; the server believes in a dead one for 90 s."""
    url = f"{settings.prefect_api_url}/work_pools/{POOL}/workers/filter"
    try:
        answer = httpx.post(url, json={}, timeout=2.0, trust_env=False)
        workers = answer.json() if answer.status_code == 200 else []
    except (httpx.TransportError, ValueError):
        return False
    beats = [one["last_heartbeat_time"] for one in workers if one["name"] == WORKER and one["status"] == "ONLINE"]
    return any(_seconds_since(beat) < age for beat in beats if beat)


def _seconds_since(moment: str) -> float:
    from datetime import datetime

    return time.time() - datetime.fromisoformat(moment).timestamp()
