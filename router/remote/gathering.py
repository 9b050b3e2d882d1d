"""
Natural batching of what goes to one upstream.

One HTTP request costs the event loop about a millisecond, in which it answers nobody. So rows that come
in one turn of the loop, or while as many calls as are allowed are under way, leave together. No timer:
a lone row waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from registry.upstream.caller import Caller
from registry.upstream.failed import UpstreamFailed
from registry.upstream.mapping import Rows

MOST_ROWS: Final = 512
ALONE_S: Final = 10.0
_OF_THE_ROWS: Final = frozenset({"upstream_4xx", "upstream_5xx", "too_large", "not_json", "wrong_shape"})


@dataclass(slots=True, eq=False)
class _Asked:
    """Rows of one caller, who waits until a moment of the loop's clock."""

    rows: Rows
    until: float
    retry: bool
    answer: "asyncio.Future[list[float]]"
    alone: bool = False


@dataclass(slots=True, eq=False)
class Gatherer:
    """
    Collects rows for one upstream in one event loop.

    One caller's rows must not spoil the answers of others. If the upstream refuses several callers' rows
    together, callers go alone for ten seconds; and a champion's, each of them, once more at once.

    Args:
        caller: Asks.
        most: Calls under way at the same time.
    """

    caller: Caller
    most: int
    _waiting: deque[_Asked] = field(default_factory=deque)
    _calls: set["asyncio.Task[None]"] = field(default_factory=set)
    _due: bool = False
    _alone_until: float = 0.0

    async def ask(self, rows: Rows, *, deadline_ms: float, retry: bool) -> list[float]:
        """Ask like `Caller.ask`; the deadline counts from now."""
        loop = asyncio.get_running_loop()
        asked = _Asked(rows, loop.time() + deadline_ms / 1000, retry, loop.create_future())
        self._waiting.append(asked)
        self._soon(loop)
        try:
            async with asyncio.timeout_at(asked.until):
                return await asked.answer
        except TimeoutError as error:
            raise UpstreamFailed("deadline", f"no answer within {deadline_ms:g} ms") from error

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._due:
            self._due = True
            loop.call_soon(self._flush, loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = False
        while len(self._calls) < self.most and (group := self._group(loop.time())):
            call = loop.create_task(self._call(group, loop))
            self._calls.add(call)
            call.add_done_callback(self._ended)
            for asked in group:
                asked.answer.add_done_callback(partial(_end_if_unheard, group, call))

    def _ended(self, call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        if self._waiting:
            self._soon(call.get_loop())

    def _group(self, now: float) -> list[_Asked]:
        """Whoever waits and may go together, in order."""
        group: list[_Asked] = []
        size, alone = 0, now < self._alone_until
        while self._waiting:
            first = self._waiting[0]
            if first.answer.done():  # given up
                self._waiting.popleft()
                continue
            if group and (alone or size + len(first.rows) > MOST_ROWS or not _together(group[0], first)):
                break
            group.append(self._waiting.popleft())
            size += len(first.rows)
        return group

    async def _call(self, group: list[_Asked], loop: asyncio.AbstractEventLoop) -> None:
        rows: list[Mapping[str, Any]] = [row for asked in group for row in asked.rows]
        left_ms = max(1.0, (max(asked.until for asked in group) - loop.time()) * 1000)
        try:
            scores = await self.caller.ask(rows, deadline_ms=left_ms, retry=group[0].retry)
        except UpstreamFailed as failed:
            self._failed(group, failed, loop.time())
        except BaseException as error:
            for asked in group:
                _fail(asked, UpstreamFailed("raised", type(error).__name__))
            if not isinstance(error, Exception):
                raise
        else:
            _share_out(group, scores)

    def _failed(self, group: Sequence[_Asked], failed: UpstreamFailed, now: float) -> None:
        together = len(group) > 1 and failed.reason in _OF_THE_ROWS
        if together:
            self._alone_until = now + ALONE_S
        for asked in reversed(group):
            if together and asked.retry:
                asked.alone = True
                self._waiting.appendleft(asked)
            else:
                _fail(asked, UpstreamFailed(failed.reason, failed.said))


def _together(one: _Asked, other: _Asked) -> bool:
    return one.retry == other.retry and not (one.alone or other.alone)


def _end_if_unheard(group: Sequence[_Asked], call: "asyncio.Task[None]", _: object) -> None:
    """Nobody waits any more: the connection is better used otherwise."""
    if not call.done() and all(asked.answer.done() for asked in group):
        call.cancel()


def _share_out(group: Sequence[_Asked], scores: list[float]) -> None:
    start = 0
    for asked in group:
        end = start + len(asked.rows)
        if not asked.answer.done():
            asked.answer.set_result(scores[start:end])
        start = end


def _fail(asked: _Asked, failed: UpstreamFailed) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(failed)
