"""Retry with backoff what a killed process may have broken."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Told = Callable[[str], None]


def patiently(
    call: Callable[[], T],
    *,
    again: Callable[[Exception], bool],
    told: Told,
    patience: float = 300.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """
    Call until it succeeds; the pauses double from 0.2 to 5 seconds.

    Args:
        call: What must succeed; must be safe to repeat.
        again: Whether an error may pass by itself.
        told: Hears of the first failure, and of the recovery.
        patience: Seconds after which the error is raised.
        clock: Seconds that only grow.
        sleep: Waits so many seconds.

    Raises:
        Exception: The last error, if *again* says no or the patience is over.
    """
    began, pause, failed = clock(), 0.2, False
    while True:
        try:
            done = call()
        except Exception as error:  # whether it may pass is the caller's to say
            if not again(error) or clock() - began > patience:
                raise
            if not failed:
                told(f"waiting: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            failed = True
            sleep(pause)
            pause = min(2 * pause, 5.0)
        else:
            if failed:
                told(f"back after {clock() - began:.1f} s")
            return done
