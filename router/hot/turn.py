"""
Natural batching: what one turn of the event loop has brought goes to the model in one call.

No timer: a lone request waits for nobody, and under load the batches grow by themselves.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from registry.eventlog.segments import SegmentWriter
from router.hot.asking import Odd
from router.hot.model import Answered, Count, HotModel, batch_of, hot_model
from router.models import Snapshot
from router.pace import Pace
from router.tally import Tallies

log = logging.getLogger("understudy.router")


class Caller(Protocol):
    """A connection that waits for an answer."""

    def answer(self, body: bytes) -> None:
        """Send it."""

    def take_long_path(self) -> None:
        """Have the request answered by the application instead."""


Asked = list[tuple[Caller, bytes]]


class Turns:
    """
    Collects requests and answers them at the end of the turn.

    Args:
        snapshots: By model; the request sees the one that is there when its turn ends.
        writer: This worker's segment of predictions.

    Attributes:
        answered: Rows answered on the short path since the start.
    """

    def __init__(
        self,
        snapshots: Mapping[str, Snapshot],
        writer: SegmentWriter,
        tallies: Tallies,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._snapshots, self._writer, self._tallies, self._clock = snapshots, writer, tallies, clock
        self._models: dict[str, tuple[Snapshot, HotModel | None]] = {}
        self._waiting: dict[str, Asked] = {}
        self._due = False
        self._prefix, self._serial = os.urandom(8).hex().encode(), 0
        self._complained_at = -1.0
        self.answered = 0

    def add(self, model: str, caller: Caller, body: bytes) -> None:
        """Answer *body* at the end of this turn."""
        self._waiting.setdefault(model, []).append((caller, body))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._end)

    def flush(self) -> None:
        """Answer everything that waits; nothing that goes wrong here leaves a caller without an answer."""
        while self._waiting:
            self._answer_some()

    async def batch(self, model: str, body: bytes, pace: Pace) -> bytes | None:
        """
        Answer a long batch piece by piece, so that others are answered meanwhile.

        Returns:
            None if the long path must answer it; then nothing of it is logged or counted.
        """
        hot = self._hot(model)
        if hot is None:
            return None
        try:
            done = await self._pieces(hot, body, pace)
        except Odd:
            return None
        told: set[int] = set()
        for piece in done:
            async with pace:
                self._settle(piece._replace(counts=[_once(count, told) for count in piece.counts]))
        return batch_of([row for piece in done for row in piece.rows])

    async def _pieces(self, hot: HotModel, body: bytes, pace: Pace) -> list[Answered]:
        async with pace:
            asked = hot.asked(body)
        done = []
        for rows in await pace.each(asked, hot.most, hot.checked):
            async with pace:
                done.append(hot.answer_rows(rows, self._clock(), self._new_ids))
            if done[-1].bodies[0] is None:
                raise Odd
        return done

    def _end(self) -> None:
        """At the end of a turn: what is more than one call holds waits for the next, and others are heard meanwhile."""
        self._due = False
        self._answer_some()
        if self._waiting and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._end)

    def _answer_some(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for model, asked in waiting.items():
            try:
                bodies = self._answered(model, asked)
            except Exception:  # noqa: BLE001 - whatever it is, the long path answers
                self._complain()
                bodies = [None] * len(asked)
            if len(bodies) < len(asked):
                self._waiting[model] = asked[len(bodies) :]
            self._deliver(asked, bodies)

    def _deliver(self, asked: Asked, bodies: Sequence[bytes | None]) -> None:
        for (caller, _), body in zip(asked, bodies, strict=False):
            try:
                if body is None:
                    caller.take_long_path()
                else:
                    caller.answer(body)
            except Exception:  # noqa: BLE001 - of one connection; the others are to be answered
                self._complain()

    def _answered(self, model: str, asked: Asked) -> Sequence[bytes | None]:
        hot = self._hot(model)
        if hot is None:
            return [None] * len(asked)
        done = hot.answer([body for _, body in asked], self._clock(), self._new_ids)
        self._settle(done)
        return done.bodies

    def _settle(self, done: Answered) -> None:
        # Before the answers leave: whoever kills this process now loses no answered prediction.
        self._writer.append_lines(done.lines)
        for tally, reason, n, enrolled, latency, requests in done.counts:
            if reason is None:
                tally.answered(n, enrolled, latency, requests)
            else:
                tally.fell_back(reason, n, enrolled, latency, requests)
        self.answered += len(done.lines)

    def _hot(self, model: str) -> HotModel | None:
        snapshot = self._snapshots.get(model)
        known = self._models.get(model)
        if snapshot is None:
            return None
        if known is None or known[0] is not snapshot:
            known = self._models[model] = (snapshot, None)  # should the next line fail, it does so once only
            known = self._models[model] = (snapshot, hot_model(snapshot, self._tallies))
        return known[1]

    def _new_ids(self, n: int) -> list[bytes]:
        first, prefix = self._serial + 1, self._prefix
        self._serial += n
        return [b'"%b%016x"' % (prefix, serial) for serial in range(first, first + n)]

    def _complain(self) -> None:
        """Once a second at most: what goes wrong may do so in every turn."""
        now = time.monotonic()
        if now - self._complained_at >= 1:
            self._complained_at = now
            log.exception("the short path failed; the long one answers")


def _once(count: Count, told: set[int]) -> Count:
    """The pieces of a batch are one request."""
    requests = 0 if id(count[0]) in told else count[5]
    if count[3]:
        told.add(id(count[0]))
    return (*count[:5], requests)
