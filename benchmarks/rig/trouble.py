"""A router whose challenger is a remote version on a server that can be told to misbehave."""

import time
from pathlib import Path
from typing import Any

import httpx

from registry.records.plan import Guards
from registry.records.upstream import UPSTREAM_FILE, Upstream
from rig import served
from rig.processes import Processes, free_ports, python
from rig.routers import CHALLENGER, CHAMPION, Router, scorer


class Trouble:
    """
    Champion of the served size, challenger remote.

    Args:
        folder: Empty; state, bodies and logs go here.
        deadline_ms: Of the challenger.
    """

    def __init__(
        self, processes: Processes, folder: Path, *, workers: int, deadline_ms: float = 30, home: Path | None = None
    ) -> None:
        (self._port,) = free_ports(1)
        self.processes, self.deadline_ms = processes, deadline_ms
        self.router = Router(processes, home or folder / "state", workers=workers)
        self.router.register(CHAMPION, scorer(0))
        upstream = Upstream(url=f"http://127.0.0.1:{self._port}/score", protocol="json", deadline_ms=1000)
        self.router.register(CHALLENGER, {UPSTREAM_FILE: upstream.to_json()})
        self.router.install(guards=Guards(deadline_ms=deadline_ms))
        rows = enumerate(served.asked())
        bodies = [{"key": f"k{number}", "features": row} for number, row in rows]
        self.bodies = served.write_bodies(folder / "bodies.ndjson", bodies)

    def start(self, *parts: str) -> None:
        self.processes.start("upstream", python("rig.upstream", str(self._port)))
        self.processes.wait("upstream", lambda: self._asked("well"))
        self.router.start(*parts)

    def mode(self, mode: str) -> float:
        """How the challenger answers from now on; when that was, by the machine's monotonic clock."""
        if not self._asked(mode):
            raise SystemExit(f"The upstream did not take the mode {mode}.")
        return time.monotonic()

    def again(self, share: int, **changes: Any) -> None:
        """A new phase with a challenger that does well, whatever became of the last one."""
        self.mode("well")
        self.router.obey(share, **changes)

    def _asked(self, mode: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/mode/{mode}", trust_env=False).is_success
        except httpx.TransportError:
            return False
