"""Closed-loop load over raw HTTP/1.1 keep-alive: as many requests under way as connections."""

import argparse
import asyncio
import json
import time
from pathlib import Path


class Tally:
    """What all connections of one measurement saw."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.failed = 0


async def connection(port: int, requests: list[bytes], until: float, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while (began := time.perf_counter()) < until:
        writer.write(requests[number % len(requests)])
        number += 1
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        place = head.index(b"content-length:") + 15
        await reader.readexactly(int(head[place : head.index(b"\r", place)]))
        tally.latencies.append(time.perf_counter() - began)
        tally.failed += not head.startswith(b"http/1.1 200")
    writer.close()


async def load(port: int, requests: list[bytes], connections: int, seconds: float) -> Tally:
    tally, until = Tally(), time.perf_counter() + seconds
    shares = [requests[place::connections] or requests for place in range(connections)]
    await asyncio.gather(*(connection(port, share, until, tally) for share in shares))
    return tally


def measure(port: int, requests: list[bytes], connections: int, seconds: float) -> dict[str, float]:
    began, busy = time.perf_counter(), time.process_time()
    tally = asyncio.run(load(port, requests, connections, seconds))
    wall, busy = time.perf_counter() - began, time.process_time() - busy
    ordered = sorted(tally.latencies)
    return {
        "requests": len(ordered),
        "failed": tally.failed,
        "per_second": len(ordered) / wall,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
        "max_ms": 1000 * ordered[-1],
        "client_busy": busy / wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="one JSON body per line")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--warm-up", type=float, default=0.3, help="seconds of load that are not counted")
    args = parser.parse_args()
    requests = [
        b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (args.path.encode(), len(body), body)
        for body in args.bodies.read_bytes().splitlines()
    ]
    measure(args.port, requests, args.connections, args.warm_up)
    print(json.dumps(measure(args.port, requests, args.connections, args.seconds)))


if __name__ == "__main__":
    main()
