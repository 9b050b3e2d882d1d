"""
Natural batching: what one turn of the event loop has brought goes to the model in one call.

No timer: a lone request waits for nobody, and under load the batches grow by themselves.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from registry.eventlog.segments import SegmentWriter
from router.hot.model import HotModel, hot_model
from router.models import Snapshot
from router.tally import Tallies

log = logging.getLogger("understudy.router")


class Caller(Protocol):
    """A connection that waits for an answer."""

    def answer(self, body: bytes) -> None:
        """Send it."""

    def take_long_path(self) -> None:
        """Have the request answered by the application instead."""


class Turns:
    """
    Collects requests and answers them at the end of the turn.

    Args:
        snapshots: By model; the request sees the one that is there when its turn ends.
        writer: This worker's segment of predictions.

    Attributes:
        answered: Requests answered on the short path since the start.
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
        self._waiting: dict[str, list[tuple[Caller, bytes]]] = {}
        self._due = False
        self._prefix, self._serial = os.urandom(8).hex().encode(), 0
        self.answered = 0

    def add(self, model: str, caller: Caller, body: bytes) -> None:
        """Answer *body* at the end of this turn."""
        self._waiting.setdefault(model, []).append((caller, body))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Answer everything that waits; nothing that goes wrong here leaves a caller without an answer."""
        self._due = False
        waiting, self._waiting = self._waiting, {}
        for model, asked in waiting.items():
            try:
                bodies = self._answered(model, asked)
            except Exception:
                log.exception("the short path failed; the long one answers")
                bodies = [None] * len(asked)
            for (caller, _), body in zip(asked, bodies, strict=True):
                if body is None:
                    caller.take_long_path()
                else:
                    caller.answer(body)

    def _answered(self, model: str, asked: list[tuple[Caller, bytes]]) -> list[bytes | None]:
        hot = self._hot(model)
        if hot is None:
            return [None] * len(asked)
        done = hot.answer([body for _, body in asked], self._clock(), self._new_id)
        # Before the answers leave: whoever kills this process now loses no answered prediction.
        self._writer.append_lines(done.lines)
        for tally, reason, n, enrolled, latency, requests in done.counts:
            if reason is None:
                tally.answered(n, enrolled, latency, requests)
            else:
                tally.fell_back(reason, n, enrolled, latency, requests)
        self.answered += len(done.lines)
        return done.bodies

    def _hot(self, model: str) -> HotModel | None:
        snapshot = self._snapshots.get(model)
        known = self._models.get(model)
        if snapshot is None:
            return None
        if known is None or known[0] is not snapshot:
            known = self._models[model] = (snapshot, hot_model(snapshot, self._tallies))
        return known[1]

    def _new_id(self) -> bytes:
        self._serial += 1
        return b"%b%016x" % (self._prefix, self._serial)
