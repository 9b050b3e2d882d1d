"""Many questions in one statement, and what one transaction changes."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from router.index.schema import Dirty, block_of

_WIDTHS = (1, 8, 64, 512)
"""Values per statement; few widths, so that SQLite parses each once."""


def among(connection: sqlite3.Connection, sql: str, head: Sequence[Any], values: Iterable[Any]) -> Iterator[Any]:
    """
    Rows of a query for many values.

    Args:
        sql: Ends its parameters with `IN {marks}`.
        head: Parameters before that.
        values: Each once; missing ones (None) match nothing.
    """
    wanted = sorted(set(values))  # neighbours in the index are found together
    for start in range(0, len(wanted), _WIDTHS[-1]):
        chunk = wanted[start : start + _WIDTHS[-1]]
        width = next(width for width in _WIDTHS if width >= len(chunk))
        filled = sql.format(marks=f"({','.join('?' * width)})")
        yield from connection.execute(filled, (*head, *chunk, *[None] * (width - len(chunk))))


class Changes:
    """
    What one transaction does besides inserting rows.

    Attributes:
        dirty: Blocks of the log in which something of a phase changed.
    """

    def __init__(self) -> None:
        self.dirty: set[Dirty] = set()
        self._counts: Counter[tuple[str, str]] = Counter()

    def changed(self, model: str, phase: str, seq: int) -> None:
        """Something about this prediction is new."""
        self.dirty.add((model, phase, block_of(seq)))

    def count(self, model: str, name: str, n: int = 1) -> None:
        """So many outcomes more of this status."""
        self._counts[model, name] += n

    def keep(self, connection: sqlite3.Connection) -> None:
        """Write the counts down."""
        connection.executemany(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (model, name) DO UPDATE SET n = n + excluded.n",
            [(model, name, n) for (model, name), n in self._counts.items() if n],
        )
