"""Databases: SQLite and Postgres (so TimescaleDB, too), read column by column through ADBC."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from flows.config.data import Data
from flows.data.sources.address import Address
from flows.data.sources.dialects import DIALECTS, Dialect
from flows.errors import DataError, FlowsError, Unreachable

_Cursor = Any


class Sql:
    """
    A table or a query of a database.

    Args:
        data: Names the address, and the table or query, and the column of the times.
        numeric: Columns that hold numbers, whatever type they come in.

    Raises:
        DataError: If the address cannot be one.
    """

    def __init__(self, data: Data, numeric: Sequence[str]) -> None:
        self._address = Address.of(str(data.source))
        self._dialect: Dialect = DIALECTS[self._address.scheme]
        self._table, self._query, self._time = data.table, data.query, data.time
        self._numeric = frozenset(numeric)

    def describe(self) -> str:
        """Name host, database and table; never a password."""
        return f"{self._address.shown} {self._table or 'query'}"

    def version(self) -> str:
        """Databases do not tell; what was read is hashed."""
        return ""

    def read(self, columns: Sequence[str], since: float | None, until: float | None) -> pl.DataFrame:
        """
        Read only these columns and, where the times are no text, only these rows; in the order of time.

        Raises:
            Unreachable: If the database does not answer.
            DataError: If it refuses, or there is no such table.
        """
        with self._cursor() as cursor:
            kinds = self._kinds(cursor, columns)
            chosen = [self._dialect.column(self._dialect.quoted(name), kinds[name]) for name in columns]
            frame = self._fetched(cursor, self._select(chosen, self._bounds(kinds, since, until)))
            declared = self._dialect.declared(cursor, self._table) if self._table else {}
        return _sorted(_cast_back(frame, declared, self._numeric), self._time)

    @property
    def _from(self) -> str:
        if self._query is not None:
            return f"({self._query.strip().rstrip(';')}) AS asked"
        return ".".join(self._dialect.quoted(part) for part in str(self._table).split("."))

    def _select(self, columns: Sequence[str], conditions: Sequence[str]) -> str:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(columns)} FROM {self._from}{where}"  # noqa: S608  names are quoted, moments are ours

    def _bounds(self, kinds: pl.Schema, since: float | None, until: float | None) -> list[str]:
        if self._time is None or self._time not in kinds:
            return []
        time, kind = self._dialect.quoted(self._time), kinds[self._time]
        bounds = [self._dialect.bound(time, ">=", kind, since)] if since is not None else []
        bounds += [self._dialect.bound(time, "<=", kind, until)] if until is not None else []
        return [condition for condition in bounds if condition is not None]

    def _kinds(self, cursor: _Cursor, columns: Sequence[str]) -> pl.Schema:
        """Types of these columns alone: others may have types that nobody can read."""
        try:
            return self._fetched(cursor, self._probe(*columns)).schema
        except Exception:
            absent = [name for name in columns if not self._has(cursor, name)]
            if not absent or len(absent) == len(columns):
                raise
            raise DataError(
                f"{self.describe()} was not read.",
                f"It has no column {', '.join(absent)}, or this user may not read it.",
                "Correct the names in the configuration, or the table.",
            ) from None

    def _has(self, cursor: _Cursor, column: str) -> bool:
        cursor.connection.rollback()  # Postgres refuses everything after a mistake
        try:
            self._fetched(cursor, self._probe(column))
        except Exception:  # noqa: BLE001  whatever it is, it is said of the whole
            return False
        return True

    def _probe(self, *columns: str) -> str:
        return self._select([self._dialect.quoted(name) for name in columns], ["1 = 0"])

    @contextmanager
    def _cursor(self) -> Iterator[_Cursor]:
        connect: Callable[[Address], Any] = self._dialect.connect
        try:
            connection = connect(self._address)
        except FlowsError:
            raise
        except Exception as error:  # noqa: BLE001  drivers raise what they like
            raise self._unreachable(error) from None  # its own words may show the password
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except FlowsError:
            raise
        except (Exception, PanicException) as error:  # noqa: BLE001
            raise self._refused(error) from None

    def _fetched(self, cursor: _Cursor, statement: str) -> pl.DataFrame:
        self._dialect.prepare(cursor)
        cursor.execute(statement)
        return pl.DataFrame(cursor.fetch_arrow())

    def _unreachable(self, error: BaseException) -> Unreachable:
        return Unreachable(
            f"{self._address.shown} was not read.",
            f"{self._address.without_secrets(str(error))}.",
            "Start the database, or correct data.source: host, port, name and password.",
        )

    def _refused(self, error: BaseException) -> FlowsError:
        said = self._address.without_secrets(str(error))
        if self._dialect.lost(error, said):
            return self._unreachable(error)
        return DataError(f"{self.describe()} was not read.", f"{said}.", self._dialect.mend(said))


def _cast_back(frame: pl.DataFrame, declared: dict[str, pl.DataType], numeric: frozenset[str]) -> pl.DataFrame:
    """Give columns their declared types; one with a value that does not fit is left as it is."""
    wanted: dict[str, pl.DataType] = {
        name: pl.Float64() for name in numeric if name in frame.columns and frame[name].dtype == pl.String
    }
    wanted |= {name: kind for name, kind in declared.items() if name in frame.columns and name not in wanted}
    return frame.with_columns([_cast(frame[name], kind) for name, kind in wanted.items()])


def _cast(column: pl.Series, kind: pl.DataType) -> pl.Series:
    if column.dtype == kind:
        return column
    try:
        if column.dtype == pl.String and isinstance(kind, pl.Datetime):
            return column.str.to_datetime(time_zone=kind.time_zone)
        return column.cast(kind)
    except PolarsError:
        return column


def _sorted(frame: pl.DataFrame, time: str | None) -> pl.DataFrame:
    """The same rows in the same order: a database promises none."""
    if time is None or time not in frame.columns:
        return frame
    others = [name for name in frame.columns if name != time] if frame[time].is_duplicated().any() else []
    return frame.sort([time, *others], nulls_last=True)
