"""A page of headings, sentences and tables, written as markdown or as HTML."""

from collections.abc import Sequence
from typing import NamedTuple

from flows.reports.page import page, table
from flows.reports.text import DASH, html, in_cell, in_markdown


class Block(NamedTuple):
    """
    One part of a page; plain text, escaped when it is written.

    Attributes:
        title: Its heading; none if empty.
        said: Paragraphs.
        head, rows: A table below; none without rows.
        numbers: Columns of it that are right-aligned.
        wide: Whether markdown writes its rows as a list, because the pages of Prefect cut wide tables off.
    """

    title: str = ""
    said: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[int, ...] = ()
    wide: bool = False


def as_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Write a document for terminals, pull requests and the Prefect UI."""
    return "\n\n".join([f"# {in_markdown(title)}", *map(_markdown, blocks)]) + "\n"


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """Write one file that works offline and runs nothing."""
    return page(title, "\n".join([f"<h1>{html(title)}</h1>", *map(_html, blocks)]), strict=True)


def _markdown(block: Block) -> str:
    parts = [f"## {in_markdown(block.title)}"] if block.title else []
    parts += [in_markdown(paragraph) for paragraph in block.said]
    if block.rows and block.wide:
        parts.append("\n".join(f"- {_line(block.head, row)}" for row in block.rows))
    elif block.rows:
        rule = tuple("---:" if index in block.numbers else "---" for index in range(len(block.head)))
        lines = [block.head, rule, *(tuple(map(in_cell, row)) for row in block.rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def _line(head: tuple[str, ...], row: tuple[str, ...]) -> str:
    """A row in words: its first cell in bold, the others behind their names; empty ones are left out."""
    said = [
        f"{in_markdown(name)} {in_markdown(cell)}"
        for name, cell in zip(head[1:], row[1:], strict=True)
        if cell not in ("", DASH)
    ]
    return "; ".join([f"**{in_markdown(row[0])}**", *said])


def _html(block: Block) -> str:
    parts = [f"<h2>{html(block.title)}</h2>"] if block.title else []
    parts += [f"<p>{html(paragraph)}</p>" for paragraph in block.said]
    if block.rows:
        rows = [[html(cell) for cell in row] for row in block.rows]
        parts.append(table(list(block.head), rows, numbers=block.numbers, headed=True, stacked=True))
    return f"<section>{''.join(parts)}</section>"
