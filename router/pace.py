"""Long work in short pieces."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


class Pace:
    """
    One piece of long work per turn of the event loop, whoever does it; those who do such work take turns.

    Use it around each piece: `async with pace: ...`. A piece should take a few milliseconds.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        """Wait for the own turn."""
        await self._lock.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the loop turn once, and only then the next one have theirs."""
        try:
            await asyncio.sleep(0)
        finally:
            self._lock.release()

    async def each(self, items: Sequence[Item], size: int, work: Callable[[Sequence[Item]], Done]) -> list[Done]:
        """Do *work* on the next *size* items, and so on; at once if there are no more than that."""
        if len(items) <= size:
            return [work(items)]
        done = []
        for first in range(0, len(items), size):
            async with self:
                done.append(work(items[first : first + size]))
        return done


def joined(parts: Iterable[Iterable[Item]]) -> list[Item]:
    """All items of all parts."""
    return [item for part in parts for item in part]
