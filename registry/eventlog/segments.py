"""
The event log: append-only segments, one per process start, that survive kill -9.

A line is `crc32 in 8 hex digits, a space, JSON, newline`. Lines leave the process in
one write before the answer is sent, so the kernel has them when the process is killed;
a torn tail spoils only itself, because the next process opens a new file. What a full
disk tore off is cut off again, and the same file goes on when there is room.
"""

import os
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from registry.eventlog.events import Event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
SUFFIX = ".log"
PREDICTIONS, OUTCOMES, SHADOWS = "worker", "outcomes", "shadow"
ROLES = (PREDICTIONS, OUTCOMES, SHADOWS)
"""Who writes what: outcomes have files of their own, so that making them durable flushes nothing else."""


class SegmentWriter:
    """
    Append events of one process.

    Args:
        folder: Where all segments live.
        role: First part of the file's name, e.g. "worker".

    Attributes:
        unlogged: Events that the disk refused.
        failing: Whether it refused the newest ones.
    """

    def __init__(self, folder: Path, role: str) -> None:
        self._folder, self._role = folder, role
        self._descriptor: int | None = None
        self._size = 0
        self._spoilt = False
        self.unlogged = 0
        self.failing = False

    def append(self, events: Iterable[Event]) -> bool:
        """Write all in one call; False (and counted) when the disk refuses."""
        lines = [_line(_encoder.encode(event)) for event in events]
        if not lines:
            return True
        written = self._write(b"".join(lines))
        self.unlogged += len(lines) - written
        self.failing = written < len(lines)
        return not self.failing

    def flush(self) -> bool:
        """Make everything written durable; False when the disk refuses."""
        try:
            if self._descriptor is not None:
                os.fdatasync(self._descriptor)
        except OSError:
            # Left open for the next append to close: the thread that writes may be using it now.
            self._spoilt = True
            return False
        return True

    def close(self) -> None:
        """Close the segment; a later append opens a new one."""
        self._forget()

    def _open(self) -> int:
        if self._spoilt:
            self._forget()
        if self._descriptor is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{self._role}-{time.time_ns()}-{os.getpid()}{SUFFIX}"
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._size = 0
            _sync_folder(self._folder)
        return self._descriptor

    def _write(self, data: bytes) -> int:
        """How many whole lines the kernel has taken."""
        view = memoryview(data)
        try:
            descriptor = self._open()
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError:
            # Whole lines stay, since a reader may have seen them; never append behind a torn one.
            data = data[: data.rfind(b"\n", 0, len(data) - len(view)) + 1]
            self._cut(self._size + len(data))
        self._size += len(data)
        return data.count(b"\n")

    def _cut(self, size: int) -> None:
        if self._descriptor is not None:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError:
                self._forget()

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._spoilt = None, False


class SegmentReader:
    """Read events of all segments behind a set of offsets."""

    def __init__(self, folder: Path, roles: tuple[str, ...]) -> None:
        self._folder, self._roles = folder, roles
        self.torn = 0

    def segments(self) -> list[Path]:
        """All segments of the roles, oldest first."""
        found = [p for role in self._roles for p in self._folder.glob(f"{role}-*{SUFFIX}")]
        return sorted(found, key=lambda path: (path.name.split("-")[1], path.name))

    def read(self, path: Path, offset: int, limit: int = 4 << 20) -> tuple[list[Event], int]:
        """Whole lines behind *offset*; returns events and the new offset."""
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(limit) + file.readline()  # however long the last line is
        end = chunk.rfind(b"\n") + 1
        return list(self._decode(chunk[:end])), offset + end

    def _decode(self, chunk: bytes) -> Iterator[Event]:
        for line in chunk.split(b"\n"):
            if not line:
                continue
            payload = line[9:]
            try:
                if int(line[:8], 16) != zlib.crc32(payload):
                    raise ValueError("checksum")
                yield _decoder.decode(payload)
            except (ValueError, msgspec.DecodeError):
                self.torn += 1


def _sync_folder(folder: Path) -> None:
    # Without it a lost power may take the file with all that was flushed into it; some file systems refuse.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _line(payload: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(payload), payload)
