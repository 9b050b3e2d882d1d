"""How far a training is, for whoever wants to know."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Told the share done (0 to 1) and what comes next."""


def silent(share: float, doing: str) -> None:
    """Tell nobody."""


def within(progress: Progress, start: float, stop: float) -> Progress:
    """Report the progress of a part: its 0 is *start* of the whole, its 1 is *stop*."""

    def report(share: float, doing: str) -> None:
        progress(start + (stop - start) * share, doing)

    return report
