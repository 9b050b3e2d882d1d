"""Processes that never outlive the one that started them."""

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


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
    psutil.wait_procs(family, timeout=10)
