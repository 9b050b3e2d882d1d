"""One measurement of one system: closed loop by wrk, or a fixed rate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rig.pace import Pacing, summary
from rig.peers import Served
from rig.processes import Processes
from rig.wrk import wrk


def nothing() -> None:
    """For who needs no preparation."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    A system as it is measured.

    Attributes:
        helpers: Processes beside the serving one whose time is counted apart.
        before: Brings it into the state to be measured.
        after: Waits until it has nothing left to do.
    """

    name: str
    served: Served
    helpers: tuple[str, ...] = ()
    before: Callable[[], object] = nothing
    after: Callable[[], object] = nothing


@dataclass(frozen=True, slots=True)
class Load:
    """How all are loaded."""

    processes: Processes
    seconds: int
    cores: Mapping[str, Sequence[int]] | None

    def closed(self, case: Case, connections: int, threads: int = 1) -> dict[str, Any]:
        """As many requests under way as connections; with CPU time per request."""
        case.before()
        self._wrk(case, connections, 1, threads)
        server, helpers = self._cpu(case)
        found = self._wrk(case, connections, self.seconds, threads)
        server_then, helpers_then = self._cpu(case)
        case.after()
        answered = max(1, found["requests"])
        times = {"cpu_us": (server_then - server) / answered * 1e6}
        if case.helpers:
            times["helpers_cpu_us"] = (helpers_then - helpers) / answered * 1e6
        return {"system": case.name, "connections": connections, **found, **times}

    def paced(self, case: Case, rate: float) -> dict[str, Any]:
        """*rate* requests a second, whatever comes back; latencies count from when each was due."""
        case.before()
        where: dict[str, Any] = {"url": case.served.url, "bodies": case.served.bodies, "cores": self._of("load")}
        Pacing(**where, rate=rate, seconds=0.5).answers()
        found = summary(Pacing(**where, rate=rate, seconds=self.seconds).answers())
        case.after()
        return {"system": case.name, "rate": rate, **found}

    def _wrk(self, case: Case, connections: int, seconds: int, threads: int) -> dict[str, Any]:
        url, bodies = case.served.url, case.served.bodies
        return wrk(url, bodies, connections=connections, seconds=seconds, threads=threads, cores=self._of("load"))

    def _cpu(self, case: Case) -> tuple[float, float]:
        return self.processes.cpu_s(case.served.process), sum(map(self.processes.cpu_s, case.helpers))

    def _of(self, role: str) -> Sequence[int] | None:
        return self.cores.get(role) if self.cores else None
