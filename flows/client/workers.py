"""Wait until all workers behind one port answer by the same plan."""

import time
from typing import Any

import httpx

from flows.errors import Unreachable


def wait_for_workers(url: str, model: str, epoch: int, *, workers: int, deadline: float) -> None:
    """
    Ask on fresh connections, so that the kernel picks another worker each time.

    Args:
        url: Base address of the serving port.
        model: Name of the model.
        epoch: What every worker must have reached.
        workers: How many there are.
        deadline: On the monotonic clock.

    Raises:
        Unreachable: If a worker is still behind at the deadline.
    """
    seen: dict[str, int] = {}
    while True:
        pid, reached = _ask(url, model)
        if pid:
            seen[pid] = reached
        if _enough(seen, epoch, workers):
            return
        if time.monotonic() > deadline:
            raise _late(url, model, epoch, seen, workers)
        time.sleep(0.0 if reached >= epoch else 0.05)


def epoch_of(ready: dict[str, Any], model: str) -> int:
    """Read the epoch out of one answer of /readyz; 0 if that worker does not know the model."""
    plans = ready.get("epochs") or ready.get("plans") or {}
    said = plans.get(model, 0)
    return int(said["epoch"] if isinstance(said, dict) else said)


def _ask(url: str, model: str) -> tuple[str, int]:
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False, headers={"Connection": "close"})
        said = answer.json()
    except (httpx.TransportError, ValueError):
        return "", 0
    return str(said.get("worker", said.get("pid", "one"))), epoch_of(said, model)


def _enough(seen: dict[str, int], epoch: int, workers: int) -> bool:
    return sum(reached >= epoch for reached in seen.values()) >= workers


def _late(url: str, model: str, epoch: int, seen: dict[str, int], workers: int) -> Unreachable:
    shown = ", ".join(f"worker {pid} at {reached}" for pid, reached in sorted(seen.items())) or "no worker answered"
    return Unreachable(
        f"Not all {workers} workers of {url} answer by plan {epoch} of {model!r}.",
        f"Seen: {shown}.",
        "Look at `understudy status` and the router's log.",
    )
