"""The beginning of a worker's end."""

import asyncio

import uvicorn

from router.operations.drain import Drain
from router.operations.settings import ServeSettings


async def asked() -> tuple[uvicorn.Server, Drain]:
    """Told to stop, and nothing after that has run yet."""
    server, drain = uvicorn.Server(uvicorn.Config("no:app")), Drain()
    server.config.encoded_headers = [(b"server", b"test")]
    drain._asked(server, ServeSettings())
    assert drain._task is not None
    drain._task.cancel()
    return server, drain


def test_from_the_moment_that_connections_are_closed_behind_answers_the_answers_say_so():
    server, drain = asyncio.run(asked())

    assert drain.on
    assert (b"connection", b"close") in server.server_state.default_headers
    assert (b"connection", b"close") in server.config.encoded_headers
