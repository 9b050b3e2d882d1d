"""A process that outlives the flow which started it, and ends by itself."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from registry.home import Settings

_POLITENESS = 10
_MOST_BYTES = 1_000_000


def start(module: str, settings: Settings, log: Path, environ: Mapping[str, str] | None = None) -> None:
    """
    Start `python -m module` as a child of nobody, so that it may outlive the flow and leaves no corpse.

    The shell ends at once; what it began in the background is the system's child.

    Args:
        module: What is run.
        settings: Where its state folder and registry are.
        log: What it writes is added there.
        environ: Further variables.
    """
    where = {f"UNDERSTUDY_{name}": value for name, value in _settings(settings).items()}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        subprocess.run(  # noqa: S603  one of our own modules
            ["/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-m", module],
            env=os.environ | where | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            check=True,
        )


def behave(log: Path, longest: float) -> None:
    """
    Give way to others, end after *longest* seconds whatever hangs, and keep the log short.

    Nothing is lost by that end: the next process goes on.
    """
    with contextlib.suppress(OSError):
        os.nice(_POLITENESS)
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(round(longest))
    if log.exists() and log.stat().st_size > _MOST_BYTES:
        os.truncate(log, 0)


def _settings(settings: Settings) -> dict[str, str]:
    """The settings that say where the registry is."""
    found = {"HOME": str(settings.home), "DATABASE_URL": settings.database_url}
    return {name: value for name, value in found.items() if value is not None}


def _too_long(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (a signal handler)
    os._exit(3)
