"""The one Protocol behind which every origin of rows stands."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import polars as pl


@runtime_checkable
class Source(Protocol):
    """
    Somewhere rows come from.

    Name an object of your own as `data.source: python:package.module:attribute`, e.g. one that asks a feature store.
    """

    def describe(self) -> str:
        """Name it for people; no passwords."""
        ...

    def version(self) -> str:
        """
        Name the state that `read` reads: another name for other rows.

        Empty if the source cannot tell; the rows that were read are hashed then.
        """
        ...

    def read(self, columns: Sequence[str], since: float | None, until: float | None) -> pl.DataFrame:
        """
        Read rows.

        Args:
            columns: That are needed; further ones do no harm. One that the source lacks may be left out.
            since, until: Earliest and latest time of the rows, both included, in epoch seconds; None: no bound.
                A hint: further rows do no harm, missing ones do.

        Returns:
            One row per event, with the types that `flows.data.prepare` takes.
        """
        ...
