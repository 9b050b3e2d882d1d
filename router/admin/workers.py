"""What the workers say of themselves: on the board of this machine, or else at their health page."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from router.breaker import Circuit
from router.errors import RouterError
from router.report import Seen

_LOOKS_PER_WORKER, _TIMEOUT_S = 4, 1.0
State = dict[str, Any]


class Unseen(RouterError):
    """No worker answered."""

    status = 503


class Workers:
    """
    State of every worker.

    The board is shared memory: it is read even while no worker has time to answer. Where there is none,
    they are asked on fresh connections, so that the kernel picks another one each time.

    Args:
        url: Base address of the serving port.
        count: How many workers there should be.
        seen: Reads the board.
    """

    def __init__(self, url: str, count: int, seen: Callable[[], list[Seen]]) -> None:
        self._url, self._count, self._seen = url, count, seen

    async def states(self) -> list[State]:
        """
        One document per living worker, by process id.

        Raises:
            Unseen: If there is none.
        """
        found = [_told(one) for one in self._seen() if one.alive and one.report.role == "worker"]
        found = found or await self._asked()
        if not found:
            raise Unseen("No state can be shown.", f"No worker answers at {self._url}.", "See `understudy status`.")
        return sorted(found, key=lambda state: int(state["worker"]))

    async def breakers(self, model: str) -> State:
        """Breakers and stops of one model, by worker."""
        states = await self.states()
        return {"workers": {str(state["worker"]): _of_model(state, model) for state in states}}

    async def _asked(self) -> list[State]:
        seen: dict[int, State] = {}
        for _ in range(_LOOKS_PER_WORKER):
            looks = await asyncio.gather(*(self._look() for _ in range(self._count)))
            seen |= {found["worker"]: found for found in looks if found is not None}
            if len(seen) >= self._count:
                break
        return list(seen.values())

    async def _look(self) -> State | None:
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
                found = (await client.get(f"{self._url}/readyz")).json()
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("worker"), int) else None


def troubles(url: str, seen: Sequence[Seen] = ()) -> dict[str, str] | None:
    """
    Why the router at *url* is degraded, by model or by part; None if it does not answer.

    All workers are asked by the board: one that has no trouble must not seem to be the end of another's.
    """
    workers = [one.report for one in seen if one.alive and one.report.role == "worker"]
    if workers:
        return {part: said for report in workers for part, said in sorted(report.troubles.items())}
    try:
        found = httpx.get(f"{url}/readyz", timeout=_TIMEOUT_S, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return {str(part): str(said) for part, said in found.get("troubles", {}).items()}


def _told(seen: Seen) -> State:
    report = seen.report
    breakers: dict[str, dict[str, str]] = {}
    for model, _phase, variant, _version, circuit in report.circuits:
        breakers.setdefault(model, {})[variant] = _state(circuit)
    return {
        "worker": seen.pid,
        "silent_s": round(seen.silent_s, 3),
        "began": report.began,
        "epochs": report.epochs,
        "breakers": breakers,
        "stopped": report.stopped,
        "alerts": {model: alert.reason for model, alert in report.alerts.items()},
        "unlogged": report.unlogged,
        "troubles": report.troubles,
    }


def _state(circuit: Circuit) -> str:
    return "closed" if circuit.opened_at is None else "open"


def _of_model(state: State, model: str) -> State:
    return {"breakers": state["breakers"].get(model, {}), "stopped": state["stopped"].get(model)}
