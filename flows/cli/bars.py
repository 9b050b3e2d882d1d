"""A bar on standard error for what takes a while."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def columns_bar() -> Iterator[Callable[[int, int], None]]:
    """Show, where a person sees it, how many of how many columns are compared."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*parts, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading", total=None)

        def done(number: int, total: int) -> None:
            bar.update(task, completed=number, total=total, description="Columns compared")

        yield done


@contextlib.contextmanager
def waiting(said: str) -> Iterator[None]:
    """Show a person that something is going on; a log is left alone."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    with console.status(Text(said)) if console.is_terminal else contextlib.nullcontext():
        yield
