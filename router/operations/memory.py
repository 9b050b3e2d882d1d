"""A ceiling for the memory of a worker: above it, the worker makes room for a fresh one."""

import asyncio
import fcntl
import logging
import os
import signal
import time
from pathlib import Path

from router.operations.settings import ServeSettings

log = logging.getLogger("understudy.router")
_EVERY_S = 2.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MB = 1 << 20


def resident_mb() -> float:
    """Memory of this process, in MiB; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / _MB
    except (OSError, ValueError, IndexError):
        return 0.0


class Ceiling:
    """
    One worker's share of the rule that not all leave at once.

    Args:
        folder: Where the workers of one service agree; `run` of the state folder.
    """

    def __init__(self, folder: Path, settings: ServeSettings) -> None:
        self._turn = folder / "leaving"
        self._most, self._rest_s = settings.worker_memory_mb, settings.worker_rest_s
        self._descriptor: int | None = None

    async def watch(self) -> None:
        """Ask this process to stop when it is above the ceiling and it is its turn."""
        if self._most and resident_mb() > self._most:
            log.error("a fresh worker takes %.0f MiB, above the ceiling of %d MiB: unheeded", resident_mb(), self._most)
            return
        while self._most:
            await asyncio.sleep(_EVERY_S)
            if resident_mb() > self._most and self.may_leave():
                log.warning("worker %d takes %.0f MiB, above %d: it leaves", os.getpid(), resident_mb(), self._most)
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def may_leave(self) -> bool:
        """
        Whether nobody else is leaving, and the last one has had time to be replaced.

        The lock ends with this process; without the folder everybody may.
        """
        try:
            descriptor = os.open(self._turn, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            if status.st_size and time.time() - status.st_mtime < self._rest_s:
                raise BlockingIOError
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True
