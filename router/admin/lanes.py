"""Threads kept apart, so that no reader can keep a change waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from router.admin.refusals import Busy

T = TypeVar("T")
MOST_WAITING = 200
_END = object()


class Lane:
    """
    A few threads with a queue of their own.

    Args:
        threads: How many work at once. More of them would only take the interpreter from each other.
        most: How many may be under way or wait; who comes next is refused.
    """

    def __init__(self, name: str, threads: int, most: int = MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._name, self._most, self._under_way = name, most, 0

    async def run(self, work: Callable[[], T]) -> T:
        """
        Do *work* in one of the threads.

        Raises:
            Busy: If too many wait already.
        """
        if self._under_way >= self._most:
            why = f"{self._under_way} requests of this kind ({self._name}) are under way."
            raise Busy("Nothing was begun.", why, "Ask again in a moment, and fewer at once.")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1

    async def each(self, items: Iterator[T]) -> AsyncIterator[T]:
        """Take items one by one; between two of them others have their turn."""
        while (item := await self.run(lambda: next(items, _END))) is not _END:
            yield item  # type: ignore[misc]


class Lanes:
    """One lane per kind of request: what must not wait, what changes, what is shown at once, and what takes long."""

    def __init__(self) -> None:
        self.rollbacks = Lane("rollbacks", 4)
        self.changes = Lane("changes", 4)
        self.looks = Lane("looks", 2)
        self.statistics = Lane("statistics", 2)
        self.rows = Lane("rows", 2)
