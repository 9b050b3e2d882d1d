"""
Open-loop load at a fixed rate, over HTTP/1.1 keep-alive.

Requests fall due at even intervals whatever the server does, and each latency counts from when its request was due,
not from when a connection came free: a server that stands still for a second delays all who would have come in it.
"""

import argparse
import asyncio
import json
import math
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httptools

from rig.processes import pinned


class Answer(NamedTuple):
    """
    What came of one request, by the machine's monotonic clock; status 0 and an empty body if nothing came back.

    Attributes:
        number: Which request; the first is 0. They go through the bodies in turn.
    """

    number: int
    due: float
    answered: float
    status: int
    body: str

    @property
    def latency_ms(self) -> float:
        """From when it was due."""
        return 1000 * (self.answered - self.due)


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, pool: "Pool") -> None:
        self._pool, self._number, self._due, self._busy = pool, 0, 0.0, False
        self._transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._body, self._parser = transport, b"", httptools.HttpResponseParser(self)

    def ask(self, number: int, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._number, self._due, self._busy, self._body = number, due, True, b""
        self._transport.write(request)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if not 100 <= self._parser.get_status_code() < 200:
            self._busy = False
            self._pool.done(self, self._answer(self._parser.get_status_code(), self._body.decode(errors="replace")))

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
        self._pool.lost(self, self._answer(0, "") if self._busy else None)

    def _answer(self, status: int, body: str) -> Answer:
        return Answer(self._number, self._due, time.monotonic(), status, body)


class Pool:
    """Connections to one server, and the requests that wait for one of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()  # taken in turn, so that every worker behind the port is asked
        self._waiting: deque[tuple[int, float, bytes]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False
        self.answers: list[Answer] = []

    async def open(self) -> None:
        """One more connection; tried again while the server refuses it."""
        loop = asyncio.get_running_loop()
        while not self._closed:
            try:
                _, made = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                if not made.lost:
                    self._open.add(made)
                    self._take(made)
                return

    def ask(self, number: int, due: float, request: bytes) -> None:
        if self._idle:
            self._idle.popleft().ask(number, due, request)
        else:
            self._waiting.append((number, due, request))

    def done(self, connection: Connection, answer: Answer) -> None:
        self.answers.append(answer)
        self._take(connection)

    def lost(self, connection: Connection, broken: Answer | None) -> None:
        if broken is not None and not self._closed:
            self.answers.append(broken)
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._closed:
            task = asyncio.get_running_loop().create_task(self.open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def close(self) -> None:
        self._closed = True
        for connection in self._open:
            connection.close()

    def _take(self, connection: Connection) -> None:
        if self._waiting:
            connection.ask(*self._waiting.popleft())
        else:
            self._idle.append(connection)


async def pace(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, connections: int = 64, patience: float = 10
) -> list[Answer]:
    """
    Send *requests* in turn, *rate* a second.

    Args:
        patience: Seconds that the last answers are waited for.

    Returns:
        One answer per request, in the order they came; those that never came last.
    """
    pool, count = Pool(port), int(rate * seconds)
    await asyncio.gather(*(pool.open() for _ in range(connections)))
    began = time.monotonic() + 0.1
    for number in range(count):
        due = began + number / rate
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        pool.ask(number, due, requests[number % len(requests)])
    until = time.monotonic() + patience
    while len(pool.answers) < count and time.monotonic() < until:
        await asyncio.sleep(0.01)
    pool.close()
    await asyncio.sleep(0.01)
    now, came = time.monotonic(), {answer.number for answer in pool.answers}
    never = [Answer(number, began + number / rate, now, 0, "") for number in range(count) if number not in came]
    return [*pool.answers, *never]


def requests_of(path: str, bodies: Path) -> list[bytes]:
    """The requests of a file of bodies, one per line."""
    head = "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    return [head.format(path, len(body)).encode() + body for body in bodies.read_bytes().splitlines()]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that *share* of all do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """
    Latencies of all, the failed ones too: who was given up on has waited as well.

    Returns:
        requests, failed (another status than 200), p50_ms, p99_ms, max_ms.
    """
    late = [answer.latency_ms for answer in answers]
    return {
        "requests": len(answers),
        "failed": sum(answer.status != 200 for answer in answers),
        "p50_ms": quantile(late, 0.5),
        "p99_ms": quantile(late, 0.99),
        "max_ms": quantile(late, 1.0),
    }


class Pacing:
    """
    The load in a process of its own, so that nothing that the benchmark does beside it disturbs it.

    Args:
        url: Where to; on this machine, with a port.
        cores: Those that it may use; all if absent.
    """

    def __init__(
        self,
        url: str,
        bodies: Path,
        *,
        rate: float,
        seconds: float,
        connections: int = 64,
        cores: Sequence[int] | None = None,
    ) -> None:
        self._file = Path(tempfile.mkstemp(dir=bodies.parent, prefix="answers-")[1])
        words = [url, str(bodies), str(self._file), "--rate", str(rate), "--seconds", str(seconds)]
        command = [*pinned(cores), sys.executable, "-m", "rig.pace", *words, "--connections", str(connections)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
        self._limit = seconds + 60

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def answers(self) -> list[Answer]:
        """Wait for the end of it."""
        try:
            if self._process.wait(self._limit):
                raise SystemExit("The load at a fixed rate has failed; see above.")
            return [Answer(*json.loads(line)) for line in self._file.read_text().splitlines()]
        finally:
            self.stop()

    def stop(self) -> None:
        """End it, and forget what it saw."""
        self._process.kill()
        self._process.wait()
        self._file.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path, help="one JSON body per line")
    parser.add_argument("answers", type=Path, help="written here, one JSON list per line")
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()
    port, _, path = args.url.removeprefix("http://127.0.0.1:").partition("/")
    work = pace(
        int(port),
        requests_of(f"/{path}", args.bodies),
        rate=args.rate,
        seconds=args.seconds,
        connections=args.connections,
    )
    # select() waits to the microsecond; epoll rounds up to the millisecond, which would count as the server's.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        answers = runner.run(work)
    args.answers.write_text("\n".join(json.dumps(answer) for answer in answers))


if __name__ == "__main__":
    main()
