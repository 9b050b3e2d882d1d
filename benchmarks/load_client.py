"""Closed-loop load over raw HTTP/1.1 keep-alive: as many requests under way as connections."""

import argparse
import asyncio
import json
import time
from pathlib import Path


async def worker(host: str, port: int, requests: list[bytes], until: float, latencies: list[float]) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    failed, number = 0, 0
    while (began := time.perf_counter()) < until:
        writer.write(requests[number % len(requests)])
        number += 1
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        place = lower.index(b"content-length:") + 15
        await reader.readexactly(int(lower[place : lower.index(b"\r", place)]))
        latencies.append(time.perf_counter() - began)
        failed += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return failed


async def load(host: str, port: int, requests: list[bytes], connections: int, seconds: float) -> dict[str, float]:
    latencies: list[float] = []
    began = time.perf_counter()
    jobs = [
        worker(host, port, requests[c::connections] or requests, began + seconds, latencies) for c in range(connections)
    ]
    failed = sum(await asyncio.gather(*jobs))
    wall = time.perf_counter() - began
    latencies.sort()
    return {
        "requests": len(latencies),
        "failed": failed,
        "per_second": len(latencies) / wall,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="one JSON body per line")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    requests = [
        b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (args.path.encode(), len(body), body)
        for body in args.bodies.read_bytes().splitlines()
    ]
    print(json.dumps(asyncio.run(load("127.0.0.1", args.port, requests, args.connections, args.seconds))))


if __name__ == "__main__":
    main()
