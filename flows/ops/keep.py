"""
What stands between the supervisor and each process: log, bookkeeping, patience.

    python -m flows.ops.keep NAME RUN_DIR LOG AFTER -- COMMAND...

It replaces itself by COMMAND, so the process id stays. Only the standard library:
it starts in milliseconds.
"""

import ctypes
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

STOPPING = "stopping"
_KEPT = 50
_LOG_LIMIT = 10_000_000
_PR_SET_PDEATHSIG = 1
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def pause_after(starts: list[float], now: float) -> float:
    """
    Seconds to wait before the next start, so that a broken process does not eat the machine.

    Args:
        starts: Earlier starts, in epoch seconds.
        now: The same clock.

    Example:
        >>> [pause_after([0.0] * n, 1.0) for n in (0, 3, 4, 5, 12)]
        [0.0, 0.0, 1.0, 2.0, 30.0]
    """
    recent = sum(now - start < 60 for start in starts)
    return 0.0 if recent < 4 else min(2.0 ** (recent - 4), 30.0)


def starts_of(file: Path) -> list[float]:
    """Earlier starts that the book of one process holds; none if it is torn or missing."""
    try:
        starts: list[float] = json.loads(file.read_text())["starts"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return starts


def main(name: str, run_dir: Path, log: Path, after: str, command: list[str]) -> None:
    """Write the book, wait as long as is wise, become *command*."""
    _die_with_parent()
    _redirect(log)
    book = run_dir / f"{name}.json"
    starts, now = starts_of(book), time.time()
    _write(book, {"pid": os.getpid(), "command": command, "starts": [*starts, now][-_KEPT:]})
    while (run_dir / STOPPING).exists():
        time.sleep(0.2)
    time.sleep(pause_after(starts, now))
    while after and not _answers(after):
        time.sleep(0.3)
    os.execv(command[0], command)  # noqa: S606  no shell is wanted


def _die_with_parent() -> None:
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit("The supervisor is gone.")


def _redirect(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".1.log"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _write(book: Path, document: object) -> None:
    temporary = book.with_suffix(".tmp")
    temporary.write_text(json.dumps(document))
    temporary.replace(book)


def _answers(url: str) -> bool:
    try:
        with _NO_PROXY.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    separator = sys.argv.index("--")
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[separator + 1 :])
