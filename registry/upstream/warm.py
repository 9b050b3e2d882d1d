"""Load what a first request needs before anybody waits for it."""

import asyncio
import functools
import threading
from contextlib import suppress

import httpx


@functools.cache
def warm_up() -> None:
    """
    Open one connection to nowhere, in a thread of its own; once per process.

    httpx imports its event loop backend at the first request: 0.1 s in which a whole event loop would stand still.
    """
    thread = threading.Thread(target=lambda: asyncio.run(_nowhere()), name="warm-up")
    thread.start()
    thread.join()


async def _nowhere() -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=1.0, verify=False) as client:  # noqa: S501 - plain http
        with suppress(httpx.HTTPError):
            await client.post("http://127.0.0.1:0/")  # no system connects to port 0
