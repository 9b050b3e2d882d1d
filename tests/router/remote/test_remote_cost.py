"""What asking an upstream costs the event loop: `pytest -m long -s tests/router/remote/test_remote_cost.py`."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from upstream_making import remote_of

from registry.records.upstream import Upstream

pytestmark = pytest.mark.long
SERVER = """
import sys
from upstream_making import Served
with Served() as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
ROW, ROWS = [{"x": 1.0, "c": "a"}], 4_000


@pytest.fixture
def url():
    here = Path(__file__).parent
    path = [str(here), str(here.parent), str(here.parents[2])]
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys\nsys.path[:0] = {path}\n{SERVER}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


async def load(ask, callers):
    """Rows per second, median and 99th percentile in ms, and this thread's time per row in us."""
    spent = []

    async def one():
        for _ in range(ROWS // callers):
            began = time.perf_counter()
            await ask()
            spent.append((time.perf_counter() - began) * 1000)

    wall, own = time.perf_counter(), time.thread_time()
    await asyncio.gather(*[one() for _ in range(callers)])
    wall, own = time.perf_counter() - wall, time.thread_time() - own
    spent.sort()
    return ROWS / wall, spent[len(spent) // 2], spent[int(len(spent) * 0.99)], own / ROWS * 1e6


def test_sharing_requests_takes_most_of_the_cost_away(url):
    remote = remote_of(Upstream(url=f"{url}/score", protocol="json"))
    ways = {
        "each row by itself": lambda: remote._caller.ask(ROW, deadline_ms=10_000),
        "sharing requests": lambda: remote.ask(ROW, deadline_ms=10_000),
    }

    async def all_of_them():
        found = {(way, n): await load(ask, n) for n in (1, 16, 64) for way, ask in ways.items()}
        await remote.close()
        return found

    found = asyncio.run(all_of_them())

    print()
    for (way, callers), (rate, p50, p99, own) in found.items():
        print(f"{callers:3} callers, {way:18}: {rate:7.0f} rows/s, p50 {p50:5.1f} ms, p99 {p99:6.1f} ms, {own:5.0f} us")
    assert found["sharing requests", 64][3] < found["each row by itself", 64][3] / 5
    assert found["sharing requests", 1][3] < found["each row by itself", 1][3] * 1.5
