"""What is left to do for one version: a bounded queue of stretches of the log, and a thread that empties it."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread

from registry.errors import Refusal
from registry.eventlog.events import Shadowed
from registry.records.version import ModelVersion
from router.shadow.copies import Block, Copy, Key
from router.shadow.limits import Limits
from router.shadow.sitter import Lost, Patience, Sitter
from router.shadow.wire import Answer

log = logging.getLogger("understudy.shadow")
CHUNK = 512
MOST_BLOCKS = 4096
_RETRY_S, _SAY_S = 1.0, 10.0
_AWAY = {"deadline", "unreachable"}


class Follower:
    """
    One version that watches.

    Every copy becomes exactly one line: scored, failed with its reason, or dropped with "lag"
    (too far behind) or "down" (its process was lost again and again, and rests).

    Args:
        write: Appends lines to the event log; raises OSError when the disk refuses.
        version_of: Looks a version up; None if the registry does not hold it.
        hire: Makes the keeper of its process.
    """

    def __init__(
        self,
        key: Key,
        limits: Limits,
        write: Callable[[list[Shadowed]], None],
        version_of: Callable[[str, str], ModelVersion | None],
        hire: Callable[[ModelVersion], Sitter],
    ) -> None:
        self._key, self._limits, self._write = key, limits, write
        self._version_of, self._hire = version_of, hire
        self._queue: deque[Block] = deque()
        self._bytes, self._busy, self._ended = 0, False, False
        self._changed = Condition()
        self._sitter: Sitter | None = None
        self._patience = Patience()
        self._chunk = CHUNK
        self._thread: Thread | None = None
        self._unsaid, self._said_at = 0, -_SAY_S

    @property
    def pid(self) -> int | None:
        """Of the process that scores, while there is one."""
        return self._sitter.pid if self._sitter else None

    def start(self) -> None:
        """Work in a thread from now on."""
        self._thread = Thread(target=self._run, name="shadow {} {}".format(*self._key), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the copies under way, and end the process."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._rest()

    def add(self, block: Block) -> None:
        """Queue one more stretch."""
        with self._changed:
            self._queue.append(block)
            self._bytes += block.size
            self._changed.notify_all()

    def shed(self) -> None:
        """
        Drop the oldest stretches while it is too far behind.

        Raises:
            OSError: If the lines could not be written; then nothing was dropped.
        """
        while late := self._late():
            try:
                self._write(self._dropped(late.copies(self._key), "lag"))
            except FileNotFoundError:
                log.warning("%s was removed before its copies were dropped", late.path)
            except OSError:
                with self._changed:
                    self._queue.appendleft(late)
                    self._bytes += late.size
                raise
            late.done()

    def wait(self, seconds: float) -> bool:
        """Until everything is done; False if it is not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, seconds)

    def _late(self) -> Block | None:
        with self._changed:
            if self._bytes <= self._limits.lag_mb * (1 << 20) and len(self._queue) <= MOST_BLOCKS:
                return None
            return self._take()

    def _take(self) -> Block | None:
        if not self._queue:
            return None
        block = self._queue.popleft()
        self._bytes -= block.size
        return block

    def _run(self) -> None:
        while not self._ended:
            with self._changed:
                idle = not self._changed.wait_for(lambda: self._queue or self._ended, self._limits.idle_s)
                block = self._take()
                self._busy = block is not None
            if idle:
                self._rest()
            while block is not None and not self._ended and not self._finish(block):
                with self._changed:
                    self._changed.wait_for(lambda: self._ended, _RETRY_S)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _finish(self, block: Block) -> bool:
        """Do one stretch; False if it must be done again because disk or registry are away."""
        try:
            copies = block.copies(self._key)
            start = 0
            while start < len(copies):
                some = copies[start : start + self._chunk]
                self._write(self._lines(some))
                start += len(some)
        except FileNotFoundError:
            log.warning("%s was removed before its copies were scored", block.path)
        except Exception as error:  # whatever it is, the thread must live
            known = isinstance(error, OSError | Refusal)
            log.warning("shadow %s %s: %s; trying again", *self._key, error, exc_info=not known)
            return False
        block.done()
        return True

    def _lines(self, copies: list[Copy]) -> list[Shadowed]:
        if self._patience.resting:
            return self._dropped(copies, "down")
        sitter = self._hired()
        if sitter is None:
            return self._failed(copies, "not_found")
        try:
            answer = sitter.score([copy.features for copy in copies])
            lines = self._scored(copies, answer)
        except Lost as lost:
            self._patience.lost()
            self._chunk = max(1, self._chunk // 8)  # the next loss takes fewer with it
            return self._failed(copies, lost.reason)
        if answer.errors and set(answer.errors) <= _AWAY:
            self._patience.lost()  # its process lives, but to wait for its server is all that it does
        self._chunk = min(CHUNK, self._chunk * 2)
        return lines

    def _hired(self) -> Sitter | None:
        if self._sitter is None:
            version = self._version_of(*self._key)
            if version is not None:
                self._sitter = self._hire(version)
        return self._sitter

    def _rest(self) -> None:
        if self._sitter is not None:
            self._sitter.stop()

    def _scored(self, copies: Sequence[Copy], answer: Answer) -> list[Shadowed]:
        model, version = self._key
        errors = answer.errors or [None] * len(copies)
        if answer.errors:
            self._warn(sum(map(bool, errors)))
        return [
            Shadowed(
                model=model,
                id=copy.id,
                version=version,
                score=score,
                prediction=prediction,
                error=error,
                latency_ms=0.0 if error else answer.latency_ms,
            )
            for copy, score, prediction, error in zip(copies, answer.scores, answer.predictions, errors, strict=True)
        ]

    def _warn(self, failed: int) -> None:
        now = time.monotonic()
        self._unsaid += failed
        if now - self._said_at >= _SAY_S:
            log.warning("shadow %s %s failed on %d copies", *self._key, self._unsaid)
            self._unsaid, self._said_at = 0, now

    def _failed(self, copies: Sequence[Copy], reason: str) -> list[Shadowed]:
        model, version = self._key
        return [Shadowed(model=model, id=copy.id, version=version, error=reason) for copy in copies]

    def _dropped(self, copies: Sequence[Copy], reason: str) -> list[Shadowed]:
        model, version = self._key
        return [Shadowed(model=model, id=copy.id, version=version, dropped=reason) for copy in copies]
