"""Copies in the event log, read without building what nobody needs."""

from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import msgspec

from registry.eventlog.segments import PREDICTIONS, SegmentReader

BLOCK = 1 << 20
Key = tuple[str, str]
"""Model and version of a shadow."""


class Copy(msgspec.Struct, frozen=True, tag="predicted", gc=False):
    """
    What a shadow needs of a prediction.

    Attributes:
        features: A JSON object, not decoded.
        shadows: Versions that see it.
    """

    model: str
    id: str
    features: msgspec.Raw
    shadows: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(Copy)


def copies_of(payloads: Iterable[bytes]) -> list[Copy]:
    """Find the predictions that a shadow watched."""
    found = []
    for payload in payloads:
        if b'"shadows"' in payload:
            try:
                copy = _decoder.decode(payload)
            except msgspec.MsgspecError:  # no prediction
                continue
            if copy.shadows:
                found.append(copy)
    return found


class Block:
    """
    A stretch of one segment, handed to every shadow that has copies in it.

    Args:
        held: Its copies, unless they are to be read again when they are needed.
        left: How many shadows are not done with it.
    """

    __slots__ = ("_lock", "end", "held", "left", "path", "start")

    def __init__(self, path: Path, start: int, end: int, held: list[Copy] | None, left: int) -> None:
        self.path, self.start, self.end, self.held, self.left = path, start, end, held, left
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes of the log."""
        return self.end - self.start

    def copies(self, key: Key) -> list[Copy]:
        """
        Copies for one shadow.

        Raises:
            OSError: If the segment cannot be read again.
        """
        model, version = key
        held = self.held
        copies = self._read() if held is None else held
        return [copy for copy in copies if copy.model == model and version in copy.shadows]

    def done(self) -> None:
        """Count one shadow that is done with it."""
        with self._lock:
            self.left -= 1
            if self.left == 0:
                self.held = None

    def _read(self) -> list[Copy]:
        # The reader always finishes the line it is in; one byte less, and that is the last one.
        payloads, _ = SegmentReader(self.path.parent, (PREDICTIONS,)).payloads(self.path, self.start, self.size - 1)
        return copies_of(payloads)
