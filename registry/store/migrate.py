"""Bring a database up to date, once, whoever comes first."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from registry.errors import StoreUnavailable

HEAD = "0004"
_ANY_NUMBER = 722_411_943  # the same in every process: who migrates holds this Postgres lock


def revision(connection: Connection) -> str | None:
    """Read which migration the database has, without loading alembic."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """
    Apply what is missing, inside the caller's write transaction.

    Raises:
        StoreUnavailable: If the database was written by a newer Understudy.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ANY_NUMBER})
    if revision(connection) == to:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise StoreUnavailable(
            "The registry was not opened.",
            f"Its tables are of an unknown revision: {error}.",
            "Upgrade Understudy to at least the version that wrote it.",
        ) from error
