"""Closed-loop load: as many requests under way as there are connections."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rig.processes import pinned

SCRIPT = Path(__file__).with_name("bodies.lua")


def wrk(
    url: str, bodies: Path, *, connections: int, seconds: float, threads: int = 1, cores: Sequence[int] | None = None
) -> dict[str, Any]:
    """
    Load *url* with the lines of *bodies* in turn.

    Returns:
        requests, seconds, p50_ms, p99_ms, max_ms; failed: status above 399, broken connections, later than 10 s.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("There is no wrk on this machine. Install it from the distribution's packages.")
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(SCRIPT)]
    done = subprocess.run(
        [*pinned(cores), *command, url, "--", str(bodies)], capture_output=True, text=True, timeout=seconds + 60
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("JSON ")), None)
    if line is None:
        raise SystemExit(f"wrk said nothing that can be read:\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads(line.removeprefix("JSON "))
    found["failed"] = found.pop("status") + found.pop("broken") + found.pop("late")
    found["per_second"] = found["requests"] / found["seconds"]
    return found
