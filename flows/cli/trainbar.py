"""How far a training is, on standard error."""

import contextlib
import os
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def training_bar() -> Iterator[Callable[[float, str], None]]:
    """
    Show a person stage, trial and time left; a log gets a line per stage.

    Call it before Prefect is imported: its own lines would run through the bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from flows.training.progress import Outlook, time_text

    console, outlook = Console(stderr=True), Outlook()
    if not console.is_terminal:
        yield _lines
        return
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    parts = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
    with Progress(
        *parts, TextColumn("{task.fields[left]}"), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("Begin", total=1.0, left="")

        def heard(share: float, doing: str) -> None:
            bar.update(task, completed=share, description=doing, left=time_text(outlook.left(share)))

        yield heard


_ENDS = ("Read rows", "Check rows", "Lay out", "Judge", "Fit", "Ask", "Register")


def _lines(share: float, doing: str) -> None:
    """Trials are too many for a log."""
    from flows.cli.screen import progress

    if doing.startswith(_ENDS):
        progress(f"{share:4.0%} {doing}")
