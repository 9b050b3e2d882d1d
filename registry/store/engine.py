"""Connections: short write transactions that queue up instead of failing."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from registry.errors import AlreadyExists, InvalidRecord, PlanConflict, RegistryError, StageConflict, StoreUnavailable
from registry.records.base import unreadable

BUSY_MS = 10_000

# SQLite names the columns of a unique constraint, Postgres its name.
_CLASHES: tuple[tuple[tuple[str, ...], type[RegistryError], str], ...] = (
    (("one_production", "model_versions.model\n"), StageConflict, "another version is in production"),
    (("one_active_rollout", "rollouts.model\n"), StageConflict, "another rollout of the model is active"),
    (("one_active_watch", "watches.model\n"), StageConflict, "another watch of the model is active"),
    (("one_plan_per_epoch", "traffic_plans is append-only"), PlanConflict, "the epoch is taken"),
)

_FULL = ("disk is full", "No space left")
_DAMAGED = ("not a database", "malformed")


def make_engine(url: str, patience_s: float | None = None) -> Engine:
    """
    Prepare connections to *url*; none is opened yet.

    Args:
        url: SQLAlchemy URL.
        patience_s: How long a writer waits for another one, and for a server to answer; by default 10 s for
            SQLite, and whatever Postgres is set to.

    Raises:
        StoreUnavailable: If the URL makes no sense, its driver is missing, or the
            folder of an embedded database cannot be made.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True, connect_args=_impatient(patience_s))
        if parsed.database in (None, "", ":memory:"):
            engine = create_engine(parsed, poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed)
    except (ArgumentError, ImportError, OSError, SQLAlchemyError) as error:
        raise unavailable(url, error) from error
    busy_ms = BUSY_MS if patience_s is None else round(patience_s * 1000)
    event.listen(engine, "connect", lambda connection, _: _prepare(connection, busy_ms))
    event.listen(engine, "begin", _begin)
    return engine


def _impatient(patience_s: float | None) -> dict[str, Any]:
    if patience_s is None:
        return {}
    wait_ms = round(patience_s * 1000)
    return {"connect_timeout": max(2, round(patience_s)), "options": f"-c lock_timeout={wait_ms}"}  # libpq: 2 s or more


def unavailable(url: str, error: Exception) -> StoreUnavailable:
    """Say which database did not answer, without its password."""
    why = said(error)
    if any(sign in why for sign in _DAMAGED):
        mend = "Bring back the file's last backup; moved away, an empty registry takes its place."
    elif any(sign in why for sign in _FULL):
        mend = "Make room on that disk, then do it again."
    else:
        mend = "Set UNDERSTUDY_HOME to a folder that you may write to, or correct UNDERSTUDY_DATABASE_URL; "
        mend += "`understudy doctor` checks both."
    return StoreUnavailable(f"The registry at {shown(url)} cannot be used; nothing was changed.", why, mend)


def said(error: Exception) -> str:
    """Repeat the first line of what the database said, as a sentence."""
    cause = getattr(error, "orig", None) or error
    first = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    return f"{first.rstrip('.')}."


def shown(url: str) -> str:
    """Hide the password of *url*."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(not a database URL)"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn what the database says into refusals."""
    try:
        yield
    except IntegrityError as error:
        raise _clash(error) from error
    except (DBAPIError, PoolTimeout) as error:
        raise unavailable(url, error) from error
    except msgspec.MsgspecError as error:
        raise unreadable("document", error) from error


def _clash(error: IntegrityError) -> RegistryError:
    marked = f"{error.orig}\n"
    mend = "Read the newest state and decide again."
    for marks, refusal, why in _CLASHES:
        if any(mark in marked for mark in marks):
            return refusal("Nothing was changed.", f"{why[0].upper()}{why[1:]}.", mend)
    taken = "unique" in marked.lower()
    return (AlreadyExists if taken else InvalidRecord)("Nothing was changed.", said(error), mend)


def _prepare(connection: sqlite3.Connection, busy_ms: int) -> None:
    connection.isolation_level = None  # the driver's own transactions come too late
    connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _use_wal(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switching needs the file alone and does not wait for it; who comes second finds it done."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("understudy_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
