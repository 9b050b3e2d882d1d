"""One at a time, of all processes and threads of a machine."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """
    Whether nobody else has the lock of this name; while it is held, it says who does.

    The kernel lets go of it when a process dies.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield True


@contextlib.contextmanager
def in_turn(lock: Path, patience: float = 1.0) -> Iterator[None]:
    """Wait for the lock of this name, at most *patience* seconds; without it, or on a full disk, go on all the same."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("w"))
            until = time.monotonic() + patience
            while not _taken(file.fileno()) and time.monotonic() < until:
                time.sleep(0.005)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
