"""What a worker process owes its parent: to die with it, to stop when asked, to stay within its memory."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_tasks: set[asyncio.Task[None]] = set()


def begin_worker() -> None:
    """Everything below, for this process; call it inside the running loop of the main thread."""
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
    """Free the port of a killed service: ask the kernel (Linux), and watch the parent's id as well."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent-watch").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
