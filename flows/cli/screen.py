"""What people see, and what programs read."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:  # rich is loaded where something is drawn: a rollback goes before its report
    from rich.console import Console, RenderableType
    from rich.table import Table

_WIDE = 160
_LONG = 24


def console() -> "Console":
    """Standard output; wide where no terminal sets the width, so that logs keep whole lines."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=_WIDE)


def say(*what: "RenderableType") -> None:
    """Print for people, one below the other."""
    paper = console()
    for one in what:
        paper.print(one, soft_wrap=isinstance(one, str))


def progress(said: str) -> None:
    """Say on standard error what is going on; standard output stays for the result."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True).print(f"[dim]{escape(said)}[/dim]", soft_wrap=True)


def print_json(value: object) -> None:
    """Print for programs; numbers that are not finite become null."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(plain(value)), indent=2).decode())


def plain(value: object) -> Any:
    """Turn records, dataclasses and dates into what JSON knows."""
    import msgspec

    return msgspec.to_builtins(value, enc_hook=str, str_keys=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    """Lay out rows; numbers to the right. Where columns would be too narrow for their words, one value a line."""
    from rich.table import Table

    cells = [[text(value) for value in row] for row in rows]
    if _needed(columns, cells) > console().width:
        return _stacked(title, columns, cells)
    made = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for index, column in enumerate(columns):
        numeric = bool(cells) and all(_is_number(row[index]) for row in cells)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        made.add_row(*row)
    return made


def _needed(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """Characters of a line in which no word is broken, but for very long ones."""
    words = [max(map(len, " ".join(column).split()), default=0) for column in zip(columns, *cells, strict=True)]
    return sum(min(longest, _LONG) + 3 for longest in words) + 1


def _stacked(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table

    made = Table(title=title, title_justify="left", show_header=False, expand=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for row in cells:
        for name, cell in zip(columns, row, strict=True):
            made.add_row(name, cell)
        made.add_section()
    return made


def facts(title: str, values: Mapping[str, object]) -> "Table":
    """Lay out names and values, one below the other."""
    from rich.table import Table

    made = Table(title=title, title_justify="left", show_header=False, expand=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in values.items():
        made.add_row(name, text(value))
    return made


def text(value: object) -> str:
    """Write one value as people read it."""
    from datetime import datetime

    from rich.markup import escape

    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text(item)}" for name, item in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value) or "-"
    return escape(str(value))


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(".", "", 1).replace("-", "", 1).replace("e", "", 1).isdigit()
