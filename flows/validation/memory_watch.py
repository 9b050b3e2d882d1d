"""Looks after the memory of a router worker while its version is asked."""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from flows.validation.errors import RouterDied
from flows.validation.lone_router import LoneRouter

EVERY_S = 0.05


class MemoryWatch:
    """
    Notes the most memory that a version ever added, and ends the router before it takes the machine's.

    Attributes:
        before_mb: What the worker took without the version.
        peak_mb: Most that was added, as far as looks 0.05 s apart show.
        tripped: Whether the router was ended.

    Args:
        router: Serves the trivial version already.
        most_mb: What may be added.
    """

    def __init__(self, router: LoneRouter, most_mb: float) -> None:
        self._router, self._most = router, most_mb
        self.before_mb, self.peak_mb, self.tripped = router.memory(), 0.0, False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="memory-watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> None:
        """Look once; raises RouterDied if there is no worker any more."""
        self.peak_mb = max(self.peak_mb, self._router.memory() - self.before_mb)

    def _watch(self) -> None:
        with suppress(RouterDied):
            while not self._over.wait(EVERY_S):
                self.look()
                if self.peak_mb > self._most:
                    self.tripped = True
                    self._router.end_worker()
                    return
