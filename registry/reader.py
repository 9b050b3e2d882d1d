"""How the router reads plans: without a framework in embedded mode, never waiting long, never writing."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec

from registry.errors import StoreUnavailable
from registry.records.base import Kept, unreadable
from registry.records.plan import TrafficPlan
from registry.records.version import ModelVersion

WAIT_S = 0.05


class _Source(Protocol):
    def changed(self) -> bool: ...

    def rows(self, query: str, *values: str) -> Sequence[Sequence[Any]]: ...

    def close(self) -> None: ...


class PlanReader:
    """
    Read plans and versions.

    Every method raises `StoreUnavailable` while the database is missing, locked or broken,
    and works again as soon as it is back; a document that makes no sense raises
    `InvalidRecord`. May be shared by threads.

    Args:
        url: SQLAlchemy URL of the registry; SQLite is read by the standard library alone.
    """

    def __init__(self, url: str) -> None:
        path = _sqlite_path(url)
        self._source: _Source = _ServerSource(url) if path is None else _FileSource(path)
        self._lock = threading.Lock()

    def changed(self) -> bool:
        """Say whether any plan was published since the last call; True on the first. Costs microseconds."""
        with self._lock:
            return self._source.changed()

    def models(self) -> list[str]:
        """List every model that has a plan, by name."""
        return [str(name) for (name,) in self._rows("SELECT DISTINCT model FROM traffic_plans ORDER BY model")]

    def plan(self, model: str) -> TrafficPlan | None:
        """Return the newest plan of *model*, or None before the first."""
        query = "SELECT document FROM traffic_plans WHERE model = ? ORDER BY epoch DESC LIMIT 1"
        rows = self._rows(query, model)
        return _decoded(TrafficPlan, rows[0][0]) if rows else None

    def version(self, model: str, version: str) -> ModelVersion | None:
        """Return one version with its present stage, or None."""
        rows = self._rows("SELECT document, stage FROM model_versions WHERE model = ? AND version = ?", model, version)
        if not rows:
            return None
        document, stage = rows[0]
        return msgspec.structs.replace(_decoded(ModelVersion, document), stage=stage)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, query: str, *values: str) -> Sequence[Sequence[Any]]:
        with self._lock:
            return self._source.rows(query, *values)


class _FileSource:
    """A read-only connection that notices when its file is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._seen: tuple[int, int] | None = None

    def changed(self) -> bool:
        connection = self._open()
        try:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if self._seen is not None and self._seen[0] == version:
                return False
            newest = connection.execute("SELECT coalesce(max(number), 0) FROM traffic_plans").fetchone()[0]
        except sqlite3.Error as error:
            raise self._failed(error) from error
        before, self._seen = self._seen, (version, newest)
        return before is None or before[1] != newest

    def rows(self, query: str, *values: str) -> Sequence[Sequence[Any]]:
        connection = self._open()
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._seen = self._file = None

    def _open(self) -> sqlite3.Connection:
        try:
            status = self._path.stat()
            if self._connection is None or self._file != (status.st_dev, status.st_ino):
                self.close()
                address = f"{self._path.absolute().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(
                    address, uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=False
                )
                self._file = (status.st_dev, status.st_ino)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        return self._connection

    def _failed(self, error: Exception) -> StoreUnavailable:
        self.close()  # the next call starts afresh, and then reports a change
        return _unavailable(str(self._path), error)


class _ServerSource:
    """Any other database, by SQLAlchemy."""

    def __init__(self, url: str) -> None:
        from registry.store.engine import make_engine, shown

        self._engine = make_engine(url)
        self._name = shown(url)
        self._seen: int | None = None

    def changed(self) -> bool:
        # Counted, not the newest number: numbers are dealt before transactions commit.
        count = int(self.rows("SELECT count(*) FROM traffic_plans")[0][0])
        before, self._seen = self._seen, count
        return before != count

    def rows(self, query: str, *values: str) -> Sequence[Sequence[Any]]:
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        names = [f"value_{index}" for index in range(len(values))]
        for name in names:
            query = query.replace("?", f":{name}", 1)
        try:
            with self._engine.connect() as connection:
                return connection.execute(text(query), dict(zip(names, values, strict=True))).fetchall()
        except SQLAlchemyError as error:
            self._seen = None
            raise _unavailable(self._name, error) from error

    def close(self) -> None:
        self._engine.dispose()


def _decoded(kind: type[Kept], document: str) -> Kept:
    try:
        return kind.from_json(document)
    except msgspec.MsgspecError as error:
        raise unreadable(kind.__name__, error) from error


def _sqlite_path(url: str) -> Path | None:
    scheme, _, rest = url.partition("://")
    if scheme.split("+")[0] != "sqlite":
        return None
    return Path(rest.removeprefix("/").partition("?")[0])


def _unavailable(name: str, error: Exception) -> StoreUnavailable:
    said = (str(getattr(error, "orig", None) or error).strip() or type(error).__name__).splitlines()[0]
    return StoreUnavailable(
        f"The registry at {name} cannot be read.",
        f"{said.rstrip('.')}.",
        "Start it with `understudy up`; until then the last good plan is served.",
    )
