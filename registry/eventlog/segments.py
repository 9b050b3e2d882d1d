"""
The event log: append-only segments, one per process start and rotation, that survive kill -9.

Lines leave the process in one write before the answer is sent, so the kernel has them
when the process is killed; a torn tail spoils only itself, because the next process
opens a new file. What a full disk tore off is cut off again, and the same file goes on
when there is room. A writer holds a lock on the segment that it still appends to; the
kernel drops it whatever ends the writer, and so tells readers that a segment is finished.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from registry.eventlog.events import Event
from registry.eventlog.lines import frame, unframe

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
SUFFIX = ".log"
PREDICTIONS, OUTCOMES, SHADOWS = "worker", "outcomes", "shadow"
ROLES = (PREDICTIONS, OUTCOMES, SHADOWS)
"""Who writes what: outcomes have files of their own, so that making them durable flushes nothing else."""
MAX_BYTES, MAX_AGE_S = 256 << 20, 3600.0
"""A segment ends at the first append behind either, so that what is finished can be compacted."""
_STEP_NS, _TRUST_S = 2_000_000_000, 5.0


class SegmentWriter:
    """
    Append events of one process; one thread appends, another may flush.

    Args:
        folder: Where all segments live.
        role: First part of the file's name, e.g. "worker".
        max_bytes: Size behind which the next append opens a new segment.
        max_age_s: Age in seconds with the same effect.

    Attributes:
        unlogged: Events that the disk refused.
        failing: Whether it refused the newest ones.
    """

    def __init__(self, folder: Path, role: str, *, max_bytes: int = MAX_BYTES, max_age_s: float = MAX_AGE_S) -> None:
        self._folder, self._role = folder, role
        self._max_bytes, self._max_age_s = max_bytes, max_age_s
        self._descriptor: int | None = None
        self._size, self._opened = 0, 0.0
        self._begun = 0  # appends, counted before they look at what flush says
        self._retired: list[int] = []
        self._bad: set[int] = set()
        self._flushed = self._suspect = False
        self.unlogged = 0
        self.failing = False

    def append(self, events: Iterable[Event]) -> bool:
        """Write all in one call; False (and counted) when the disk refuses."""
        return self.append_lines([_encoder.encode(event) for event in events])

    def append_lines(self, payloads: Sequence[bytes]) -> bool:
        """The same for events that are JSON already, as `append` would encode them."""
        if not payloads:
            return True
        data = b"".join(map(frame, payloads))
        taken = self._write(data)
        refused = 0 if taken == len(data) else len(payloads) - data.count(b"\n", 0, taken)
        self.unlogged += refused
        self.failing = refused > 0
        return not refused

    def flush(self) -> bool:
        """Make everything written so far durable; False when the disk refused a part of it."""
        self._flushed = True
        begun = self._begun
        fine, self._suspect = not self._suspect, False
        # The open one is looked at first: if it is retired meanwhile, it is in both.
        current, retired = self._descriptor, list(self._retired)
        for descriptor in {*retired, *([] if current is None else [current])} - self._bad:
            try:
                os.fdatasync(descriptor)
            except OSError:
                # Never again: a second sync would say that all is well. What came meanwhile is lost with it.
                self._bad.add(descriptor)
                fine, self._suspect = False, self._suspect or self._begun != begun
        self._shut(retired)
        return fine

    def close(self) -> None:
        """Close the segment, not during a flush; a later append opens a new one."""
        if self._descriptor is not None:
            self._retire(self._descriptor)
        self._shut(list(self._retired))

    def _write(self, data: bytes) -> int:
        """How many bytes of whole lines the kernel has taken."""
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
        return len(data)

    def _open(self) -> int:
        self._begun += 1
        if self._descriptor is not None and (self._descriptor in self._bad or self._is_full()):
            self._retire(self._descriptor)
        if self._descriptor is None:
            self._descriptor = _create(self._folder, self._role)
            self._size, self._opened = 0, time.monotonic()
        return self._descriptor

    def _is_full(self) -> bool:
        return self._size >= self._max_bytes or time.monotonic() - self._opened >= self._max_age_s

    def _cut(self, size: int) -> None:
        if self._descriptor is not None:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError:
                self._retire(self._descriptor)

    def _retire(self, descriptor: int) -> None:
        # Left open for the next flush, which makes it durable and closes it: one may be at work right now.
        self._retired.append(descriptor)
        self._descriptor = None
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        if not self._flushed:  # nobody flushes this writer
            self._shut(self._retired[:-1])

    def _shut(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            self._retired.remove(descriptor)
            self._bad.discard(descriptor)
            os.close(descriptor)


class SegmentReader:
    """
    Read events of all segments behind a set of offsets.

    Attributes:
        torn: Lines that were skipped because their checksum or their content is wrong.
    """

    def __init__(self, folder: Path, roles: tuple[str, ...]) -> None:
        self._folder, self._roles = folder, roles
        self._listed: list[Path] = []
        self._listed_at, self._changed = 0.0, -1
        self._done: set[str] = set()
        self.torn = 0

    def segments(self) -> list[Path]:
        """All segments of the roles, oldest first; the folder is listed again only when it changed."""
        try:
            changed = self._folder.stat().st_mtime_ns
        except OSError:
            return []
        # Its time has steps of some milliseconds, so a young one says little.
        settled = changed == self._changed and time.time_ns() - changed > _STEP_NS
        if not settled or time.monotonic() - self._listed_at > _TRUST_S:
            found = [p for role in self._roles for p in self._folder.glob(f"{role}-*{SUFFIX}")]
            self._listed = sorted(found, key=lambda path: (path.name.split("-")[1], path.name))
            self._listed_at, self._changed = time.monotonic(), changed
        return list(self._listed)

    def unread(self, offset_of: Callable[[str], int]) -> Iterator[tuple[Path, int, int]]:
        """
        Find what came since; a finished segment is never looked at again once it is read to its end.

        Args:
            offset_of: How far the segment of this name was read.

        Yields:
            Path, offset and size of each segment with something behind its offset; what
            the caller has read of it by then may be asked for when the next one is wanted.
        """
        for path in self.segments():
            if path.name in self._done:
                continue
            with suppress(FileNotFoundError):  # removed by retention
                offset, size = offset_of(path.name), path.stat().st_size
                if size > offset:
                    yield path, offset, size
                    offset = offset_of(path.name)
                if is_finished(path) and not _line_behind(path, offset):
                    self._done.add(path.name)

    def read(self, path: Path, offset: int, limit: int = 4 << 20) -> tuple[list[Event], int]:
        """Whole lines behind *offset*; returns events and the new offset."""
        payloads, end = self.payloads(path, offset, limit)
        return list(self._decode(payloads)), end

    def payloads(self, path: Path, offset: int, limit: int = 4 << 20) -> tuple[list[bytes], int]:
        """The same, as JSON."""
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(limit) + file.readline()  # however long the last line is
        end = chunk.rfind(b"\n") + 1
        found = [unframe(line) for line in chunk[:end].split(b"\n") if line]
        whole = [payload for payload in found if payload is not None]
        self.torn += len(found) - len(whole)
        return whole, offset + end

    def _decode(self, payloads: Iterable[bytes]) -> Iterator[Event]:
        for payload in payloads:
            try:
                yield _decoder.decode(payload)
            except (ValueError, msgspec.DecodeError):
                self.torn += 1


def is_finished(path: Path) -> bool:
    """
    Whether nobody will append to this segment any more: its writer went on to another, or is dead.

    Raises:
        FileNotFoundError: If there is no such segment.
    """
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _line_behind(path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return any(b"\n" in chunk for chunk in iter(lambda: file.read(1 << 20), b""))


def _create(folder: Path, role: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{role}-{time.time_ns()}-{os.getpid()}{SUFFIX}"
    draft = folder / f".{name}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    try:
        with suppress(OSError):  # some file systems know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(folder / name)  # not before it is locked: it would look finished
    except OSError:
        os.close(descriptor)
        raise
    _sync_folder(folder)
    return descriptor


def _sync_folder(folder: Path) -> None:
    # Without it a lost power may take the file with all that was flushed into it; some file systems refuse.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
