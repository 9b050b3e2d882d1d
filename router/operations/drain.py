"""
Stop a worker without losing an answer.

No new connections; every answer over an old one says `Connection: close`; idle ones are
kept a moment, so that a request that is on its way still meets somebody; then uvicorn
finishes what is under way. Everything is bounded in time.
"""

import asyncio
import logging
import os
import signal
import threading

import uvicorn

from router.operations.settings import ServeSettings

log = logging.getLogger("understudy.router")
_ACCEPTED_S = 0.1
_LAST_S = 3.0
_CLOSE = (b"connection", b"close")


class Drain:
    """
    The end of one worker.

    Attributes:
        on: Whether it has begun: whoever answers then closes the connection behind the answer, and says so.
    """

    def __init__(self) -> None:
        self.on = False
        self._task: asyncio.Task[None] | None = None

    def listen(self, server: uvicorn.Server, settings: ServeSettings) -> None:
        """Let SIGTERM and SIGINT begin it; call this inside the running loop of the main thread."""
        loop = asyncio.get_running_loop()
        if server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = max(1, round(settings.drain_s))
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._asked, server, settings)

    def _asked(self, server: uvicorn.Server, settings: ServeSettings) -> None:
        if not self.on:
            # Before anybody closes behind an answer: one that does not say so would be taken for an open connection.
            _say_close(server)
            self.on = True
            log.info("worker %d stops: it takes no new connections", os.getpid())
            self._task = asyncio.get_running_loop().create_task(_end(server, settings))


DRAIN = Drain()
"""Of this process."""


def server_of_process() -> uvicorn.Server | None:
    """The uvicorn server that waits for SIGTERM here; None elsewhere."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, uvicorn.Server) else None


def _say_close(server: uvicorn.Server) -> None:
    # Both: once a second uvicorn makes the second list from the first.
    server.config.encoded_headers.append(_CLOSE)
    server.server_state.default_headers = [*server.server_state.default_headers, _CLOSE]


async def _end(server: uvicorn.Server, settings: ServeSettings) -> None:
    bound = threading.Timer(settings.linger_s + settings.drain_s + _LAST_S, os._exit, (1,))
    bound.daemon = True
    bound.start()
    await asyncio.sleep(_ACCEPTED_S)  # whom the kernel has accepted for us is not turned away
    for each in server.servers:
        each.close()
    deadline = asyncio.get_running_loop().time() + settings.linger_s
    while server.server_state.connections and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
    server.should_exit = True  # not uvicorn's own handler: it would raise the signal again, and no exit hook would run
