"""A file of fixed size in memory, the same for all processes that map it."""

import errno
import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_S = 0.01


class SharedFile:
    """
    A mapped file; one of another kind or length is replaced, never written to.

    Args:
        magic: Its first bytes.

    Attributes:
        memory: Its bytes. Touch none while `usable` is False: behind the end of its file, that kills the process.

    Raises:
        OSError: If the file cannot be made, e.g. because the disk is full.
    """

    def __init__(self, path: Path, magic: bytes, size: int) -> None:
        self._path, self._size = path, size
        if not _is_ours(path, magic, size):
            _make(path, magic, size)
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), size)
            status = os.fstat(file.fileno())
        self._file = status.st_dev, status.st_ino

    @property
    def usable(self) -> bool:
        """Whether the file, which may have been removed since, has its full length."""
        try:
            return self.memory.size() == self._size
        except (OSError, ValueError):  # a disk in trouble, or closed
            return False

    @property
    def current(self) -> bool:
        """Whether who opens the path now gets this file."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - ten times a second
        except FileNotFoundError:
            return False
        except OSError:  # a disk in trouble: there is nothing better
            return True
        return (status.st_dev, status.st_ino) == self._file

    def close(self) -> None:
        """Unmap it."""
        self.memory.close()


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """
    One process at a time, until it ends.

    Raises:
        OSError: If another one does not let go within so many seconds: it may have been stopped.
    """
    until = time.monotonic() + seconds
    with path.open("a") as file:
        while not _is_taken(file.fileno()):
            if time.monotonic() >= until:
                raise OSError(errno.EAGAIN, "Another process holds it.", str(path))
            time.sleep(_LOOK_S)
        yield


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_ours(path: Path, magic: bytes, size: int) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == size and file.read(len(magic)) == magic
    except FileNotFoundError:
        return False


def _make(path: Path, magic: bytes, size: int) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        _allocate(draft, magic, size)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _allocate(path: Path, magic: bytes, size: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        # All blocks now: a disk that is full later would kill whoever writes into a hole of the map.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.pwrite(descriptor, bytes(size), 0)
        os.pwrite(descriptor, magic, 0)
    finally:
        os.close(descriptor)
