"""How long a retraining may take, and who may end it."""

import contextlib
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psutil

from flows.config.durations import text
from flows.training.errors import CancelledByPeople, TimedOut
from flows.training.progress import Progress

REPEAT_S = 10.0  # a library may have caught the first one
ASK_EVERY_S = 3.0
PATIENCE_S = 5.0


def processor_s() -> float:
    """Processor seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextlib.contextmanager
def at_most(model: str, limit: timedelta) -> Iterator[Callable[[], None]]:
    """
    End what runs inside once *limit* has passed.

    In the main thread a timer interrupts it, also in the middle of a fit; elsewhere it ends
    when it calls what is yielded.

    Yields:
        A check that raises once the time is over.

    Raises:
        TimedOut: From wherever it was.
    """
    until = time.monotonic() + limit.total_seconds()

    def check(*_: Any) -> None:
        if time.monotonic() >= until:
            raise TimedOut(
                f"The retraining of {model} was ended.",
                f"It has taken longer than {text(limit)}, its time limit.",
                "Raise training.time_limit, or lower training.time_budget, training.trials or training.window.",
            )

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    with _timer(limit.total_seconds(), check):
        yield check


@contextlib.contextmanager
def _timer(seconds: float, ring: Callable[..., None]) -> Iterator[None]:
    """Somebody else's alarm is set again afterwards."""
    began = time.monotonic()
    former = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)


def watched(progress: Progress, model: str, check: Callable[[], None], cancelled: Callable[[], bool]) -> Progress:
    """Report on, and look now and then whether to go on."""
    asked = time.monotonic()

    def report(share: float, doing: str) -> None:
        nonlocal asked
        check()
        if time.monotonic() - asked >= ASK_EVERY_S:
            asked = time.monotonic()
            if cancelled():
                raise CancelledByPeople(
                    f"The retraining of {model} was cancelled.", "Somebody cancelled its run.", "Start it again."
                )
        progress(share, doing)

    return report


@contextlib.contextmanager
def no_children_left() -> Iterator[None]:
    """End the processes that were started inside, if it does not end well."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    try:
        yield
    except BaseException:
        _end([child for child in psutil.Process().children(recursive=True) if child.pid not in before])
        raise


def _end(children: list[psutil.Process]) -> None:
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.terminate()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    for child in alive:
        with contextlib.suppress(psutil.Error):
            child.kill()
