"""What a worker process owes its parent: to die with it, to stop when asked, to stay within its memory."""

import ctypes
import os
import signal
import sys
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

PARENT = "UNDERSTUDY_PARENT"
"""Environment variable: the process id of who starts a worker."""
_PR_SET_PDEATHSIG = 1
_tasks: "set[asyncio.Task[None]]" = set()


def begin_worker() -> None:
    """Everything below, for this process; call it inside the running loop of the main thread."""
    import asyncio

    from registry.home import Settings
    from router.operations.drain import DRAIN, server_of_process
    from router.operations.memory import Ceiling
    from router.operations.settings import ServeSettings

    die_with_parent()
    settings, server = ServeSettings(), server_of_process()
    if server is not None:
        DRAIN.listen(server, settings)
        _tasks.add(asyncio.get_running_loop().create_task(Ceiling(Settings().run_dir, settings).watch()))


def die_with_parent() -> None:
    """
    Free the port of a killed service: ask the kernel (Linux), and watch the parent's id as well.

    The parent is the one that the environment names, which may be dead already; else the present one.
    """
    _die_with(int(os.environ.get(PARENT) or os.getppid()))


@cache
def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent-watch").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
