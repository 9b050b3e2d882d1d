"""Where databases differ."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import polars as pl

from flows.data.sources.address import Address
from flows.errors import DataError


class Dialect(Protocol):
    """How one kind of database is asked."""

    def connect(self, address: Address) -> Any:
        """Open a connection of the DB-API, for reading."""
        ...

    def prepare(self, cursor: Any) -> None:
        """Set what the next statement needs."""
        ...

    def declared(self, cursor: Any, table: str) -> dict[str, pl.DataType]:
        """Look up the types that the table was declared with, where the driver does not keep them."""
        ...

    def quoted(self, name: str) -> str:
        """Write a name so that it can be nothing else."""
        ...

    def column(self, column: str, kind: pl.DataType) -> str:
        """Write what is selected, so that it comes in a type that is known."""
        ...

    def bound(self, column: str, sign: str, kind: pl.DataType, at: float) -> str | None:
        """Write a condition over times of this type; None if they are not compared in the order of time."""
        ...

    def lost(self, error: BaseException, said: str) -> bool:
        """Whether the database is away, rather than unwilling."""
        ...

    def mend(self, said: str) -> str:
        """Advise."""
        ...


class Sqlite:
    """
    SQLite keeps few types; those that a table was declared with are given back.

    Its driver tells the types by the first rows, so it is made to look at all of them.
    """

    _TYPES = (
        (("BOOL",), pl.Boolean()),
        (("TIMESTAMP", "DATETIME"), pl.Datetime("us")),
        (("DOUBLE", "FLOAT", "REAL", "NUMERIC", "DECIMAL"), pl.Float64()),
    )

    def connect(self, address: Address) -> Any:
        """Open the file; one that is not there is not made."""
        from adbc_driver_sqlite import dbapi

        file = Path(address.uri)
        if not file.is_file():
            raise DataError(f"{address.shown} was not read.", f"There is no file {file}.", "Correct data.source.")
        try:
            file.open("rb").close()
        except OSError as error:  # the driver only says that it failed
            why = f"{file}: {error.strerror or error}."
            raise DataError(f"{address.shown} was not read.", why, "Allow it to be read.") from error
        return dbapi.connect(f"file:{quote(str(file))}?mode=ro")

    def prepare(self, cursor: Any) -> None:
        """Look at all rows before the types are chosen."""
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "100000000"})

    def declared(self, cursor: Any, table: str) -> dict[str, pl.DataType]:
        """Read the declaration; for a view, only what comes from its tables unchanged."""
        name = table.rsplit(".", 1)[-1].replace("'", "''")
        cursor.execute(f"SELECT name, upper(type) AS kind FROM pragma_table_info('{name}')")  # noqa: S608
        rows = pl.DataFrame(cursor.fetch_arrow()).rows()
        return {column: kind for column, said in rows for words, kind in self._TYPES if said and said.startswith(words)}

    def quoted(self, name: str) -> str:
        """In backticks: of a name in double quotes that it does not know, SQLite makes a text."""
        return "`" + name.replace("`", "``") + "`"

    def column(self, column: str, kind: pl.DataType) -> str:  # noqa: ARG002
        """As it is."""
        return column

    def bound(self, column: str, sign: str, kind: pl.DataType, at: float) -> str | None:  # noqa: ARG002
        """Numbers only: any value may have any type, and text holds times in any of many forms."""
        return f"(typeof({column}) NOT IN ('integer', 'real') OR {column} {sign} {at!r})"

    def lost(self, error: BaseException, said: str) -> bool:  # noqa: ARG002
        """A file that another process has locked may be free soon."""
        return "locked" in said or "busy" in said.lower()

    def mend(self, said: str) -> str:
        """Advise."""
        return "Correct data.table or data.query; " + (
            "is the file a SQLite database?"
            if "not a database" in said
            else "`.tables` in sqlite3 lists what is there."
        )


class Postgres:
    """Postgres, and all that speaks its protocol."""

    def connect(self, address: Address) -> Any:
        """Connect; a server that does not answer is given up after ten seconds."""
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

        return dbapi.connect(address.uri)

    def prepare(self, cursor: Any) -> None:
        """Nothing is needed."""

    def declared(self, cursor: Any, table: str) -> dict[str, pl.DataType]:  # noqa: ARG002
        """The driver keeps the types."""
        return {}

    def quoted(self, name: str) -> str:
        """In double quotes, capitals as they are."""
        return '"' + name.replace('"', '""') + '"'

    def column(self, column: str, kind: pl.DataType) -> str:
        """Decimals as doubles; identifiers, JSON and the like as text."""
        if not isinstance(kind, pl.BaseExtension | pl.Binary):
            return column
        decimal = isinstance(kind, pl.BaseExtension) and '"numeric"' in (kind.ext_metadata() or "")
        return f"{column}::{'float8' if decimal else 'text'} AS {column}"

    def bound(self, column: str, sign: str, kind: pl.DataType, at: float) -> str | None:
        """Numbers, dates and timestamps, those without a zone in UTC."""
        if kind.is_numeric() or isinstance(kind, pl.BaseExtension):  # decimals
            return f"{column} {sign} {at!r}"
        moment = datetime.fromtimestamp(at, UTC)
        if isinstance(kind, pl.Datetime):
            literal = (
                f"timestamptz '{moment.isoformat()}'"
                if kind.time_zone
                else f"timestamp '{moment:%Y-%m-%d %H:%M:%S.%f}'"
            )
            return f"{column} {sign} {literal}"
        return f"{column} {sign} date '{moment:%Y-%m-%d}'" if kind == pl.Date else None

    def lost(self, error: BaseException, said: str) -> bool:
        """Whether the connection broke, or the server goes down."""
        state = str(getattr(error, "sqlstate", None) or "")
        return state[:2] == "08" or state[:3] == "57P" or "server closed the connection" in said

    def mend(self, said: str) -> str:
        """Advise."""
        if "permission denied" in said:
            return "Let this user read it: GRANT SELECT."
        return 'Correct data.table or data.query; names with capitals are written as in "Sales".'


DIALECTS: dict[str, Dialect] = {"sqlite": Sqlite(), "postgres": Postgres(), "postgresql": Postgres()}
