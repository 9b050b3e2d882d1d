"""What the workers behind the serving port say of themselves."""

import asyncio
from typing import Any

import httpx

from router.errors import RouterError

_LOOKS_PER_WORKER, _TIMEOUT_S = 4, 1.0


class Unseen(RouterError):
    """No worker answered."""

    status = 503


class Workers:
    """
    Asks on fresh connections, so that the kernel picks another worker each time.

    Args:
        url: Base address of the serving port.
        count: How many workers there should be.
    """

    def __init__(self, url: str, count: int) -> None:
        self._url, self._count = url, count

    async def states(self) -> list[dict[str, Any]]:
        """
        One document of `/readyz` per worker seen, by process id.

        Raises:
            Unseen: If none answers.
        """
        seen: dict[int, dict[str, Any]] = {}
        for _ in range(_LOOKS_PER_WORKER):
            looks = await asyncio.gather(*(self._look() for _ in range(self._count)))
            seen |= {found["worker"]: found for found in looks if found is not None}
            if len(seen) >= self._count:
                break
        if not seen:
            raise Unseen("No state can be shown.", f"No worker answers at {self._url}.", "See `understudy status`.")
        return [seen[worker] for worker in sorted(seen)]

    async def breakers(self, model: str) -> dict[str, Any]:
        """Breakers and stops of one model, by worker."""
        states = await self.states()
        return {
            "workers": {
                str(state["worker"]): {
                    "breakers": state.get("breakers", {}).get(model, {}),
                    "stopped": state.get("stopped", {}).get(model),
                }
                for state in states
            }
        }

    async def _look(self) -> dict[str, Any] | None:
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
                found = (await client.get(f"{self._url}/readyz")).json()
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("worker"), int) else None
