"""How much of the table is one batch: rows or a stretch of time."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from flows.config.durations import parse, text
from flows.replay.errors import ReplayRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    Size of one batch; exactly one of both is set.

    Attributes:
        rows: Number of rows.
        duration: Stretch of virtual time.
    """

    rows: int | None = None
    duration: timedelta | None = None

    @classmethod
    def of(cls, said: str) -> Self:
        """
        Read "500rows" or "1w".

        Raises:
            ReplayRefused: If it is neither.

        Example:
            >>> str(Batch.of("500 rows")), str(Batch.of("7d"))
            ('500rows', '1w')
        """
        counted = re.fullmatch(r"(\d+)\s*rows?", said.strip())
        if counted and int(counted[1]) > 0:
            return cls(rows=int(counted[1]))
        try:
            duration = parse(said)
        except ValueError:
            duration = timedelta()
        if not duration:
            raise ReplayRefused(
                f"{said!r} is no batch.", "It is neither rows nor time.", "Write 500rows, 6h, 1d or 1w."
            )
        return cls(duration=duration)

    def __str__(self) -> str:
        return f"{self.rows}rows" if self.duration is None else text(self.duration)
