"""What every part of the registry needs: transactions, and records that survive them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from registry.errors import InvalidRecord
from registry.records.base import Kept
from registry.store.anchor import drop_anchor
from registry.store.engine import translated

AUDITED = "understudy_audited"
"""Under this name a connection keeps the end of the audit trail that its transaction has written."""


class Cause(NamedTuple):
    """Who asks for a change, why, and when (on the model's clock)."""

    actor: str
    reason: str
    at: datetime


class Store:
    """Holds the engine; parts of the registry build on it."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        snapshots = engine.dialect.name != "sqlite"  # which has no other kind
        self._readers = engine.execution_options(isolation_level="REPEATABLE READ") if snapshots else engine
        self._url = url

    @contextmanager
    def _reads(self) -> Iterator[Connection]:
        """See one snapshot."""
        with translated(self._url), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def _writes(self) -> Iterator[Connection]:
        """Change everything or nothing, alone."""
        with translated(self._url), self._engine.connect() as connection:
            writer = connection.execution_options(understudy_writes=True)
            writer.info.pop(AUDITED, None)
            with writer.begin():
                yield writer
            if AUDITED in writer.info:
                drop_anchor(self._url, writer.info.pop(AUDITED))


def kept(record: Kept) -> Kept:
    """
    Return *record* as it will be read back.

    Raises:
        InvalidRecord: If it would not survive: a field of the wrong type, or NaN where a number must be.
    """
    try:
        return type(record).from_json(record.to_json())
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeError) as error:
        raise InvalidRecord.of(
            f"The {type(record).__name__}", [str(error)], "Give every field its type; numbers must be finite."
        ) from error
