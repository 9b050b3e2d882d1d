"""How far a training is, for whoever wants to know."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Progress = Callable[[float, str], None]
"""Told the share done (0 to 1) and what comes next."""

TOO_EARLY = 0.03  # of the whole: before, nobody can tell how long the rest will take


def silent(share: float, doing: str) -> None:
    """Tell nobody."""


def within(progress: Progress, start: float, stop: float) -> Progress:
    """Report the progress of a part: its 0 is *start* of the whole, its 1 is *stop*."""

    def report(share: float, doing: str) -> None:
        progress(start + (stop - start) * share, doing)

    return report


_listener: ContextVar[Progress] = ContextVar("listener", default=silent)


@contextlib.contextmanager
def listening(progress: Progress) -> Iterator[None]:
    """Let *progress* hear what the flow that is called inside reports."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


def heard(share: float, doing: str) -> None:
    """Report to whoever listens in this process."""
    _listener.get()(share, doing)


class Outlook:
    """
    Guesses the time left from the pace so far.

    Args:
        clock: Seconds.

    Example:
        >>> ticks = iter([0.0, 30.0])
        >>> Outlook(lambda: next(ticks)).left(0.25)
        90.0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()

    def left(self, share: float) -> float | None:
        """Seconds, once *share* of the whole is done; None while that is too little to tell."""
        if share < TOO_EARLY:
            return None
        return (self._clock() - self._began) * (1 - min(share, 1.0)) / share


def time_text(seconds: float | None) -> str:
    """Write the time left for people."""
    if seconds is None:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {max(1, round(seconds))} s left"
