"""
Which models live in another time.

A replay plays months in minutes, through the live system. Meanwhile a scheduled flow, which
knows only the wall clock, must leave that model alone: for it, every step would be overdue.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from registry.home import Settings


@contextlib.contextmanager
def played_time(settings: Settings, model: str) -> Iterator[None]:
    """Mark *model* as living in its own time; the mark goes when this process does, however it dies."""
    with _file(settings, model).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lives_in_another_time(settings: Settings, model: str) -> bool:
    """Whether a replay of *model* is under way."""
    path = _file(settings, model)
    if not path.exists():
        return False
    with path.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _file(settings: Settings, model: str) -> Path:
    return settings.run_dir / f"replay-{model}.lock"
