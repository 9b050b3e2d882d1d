"""Processes that never outlive the one that started them."""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 10.0


def die_with(parent: int) -> None:
    """In a new process: end when *parent* ends (Linux), even if it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def kill_family(pid: int) -> None:
    """Kill a process with all its descendants, and wait until they have ended."""
    import psutil

    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        head = psutil.Process(pid)
        family = [head, *head.children(recursive=True)]
    for one in family:
        with suppress(psutil.Error):
            one.kill()
    until = time.monotonic() + _PATIENCE_S
    while any(lives(one.pid) for one in family) and time.monotonic() < until:
        time.sleep(0.01)


def kill_session(pid: int) -> None:
    """Kill a process that was started with a session of its own, and all that it left there."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    kill_family(pid)


def lives(pid: int) -> bool:
    """Whether a process still does anything; an orphan that has ended may keep its number for a second."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
