"""Entries that wait to be sent: one SQLite file, each entry on disk before its flow goes on."""

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from flows.tracking.entry import Entry
from registry.errors import StoreUnavailable
from registry.home import Settings

MOST_ENTRIES = 20_000
MOST_BYTES = 256 * 2**20
OLDEST = 180 * 86_400.0
LARGEST_FILE = 8 * 2**20
"""Bytes; a longer attachment is left out."""
ATTEMPTS = 5
"""An entry that a server has refused so often is set aside."""
_held: list[tuple[tuple[int, Path, int], sqlite3.Connection]] = []
_holding = threading.Lock()
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    part TEXT NOT NULL,
    document BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    noted REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    said TEXT NOT NULL DEFAULT '',
    UNIQUE (run, part)
);
CREATE TABLE IF NOT EXISTS files (
    number INTEGER NOT NULL REFERENCES entries (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (number, name)
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Waiting(NamedTuple):
    """An entry in the outbox."""

    number: int
    entry: Entry
    attempts: int


class Stock(NamedTuple):
    """
    What the outbox holds.

    Attributes:
        waiting: Entries to be sent; aside: entries that a server refused too often.
        bytes: Of both.
        oldest: When the oldest was noted, epoch seconds; None if there is none.
        dropped: Entries lost since the outbox exists, because it was full or they were too old.
        sent: Entries delivered since the outbox exists.
        said: Why the last entry that could not be sent was not.
    """

    waiting: int
    aside: int
    bytes: int
    oldest: float | None
    dropped: int
    sent: int
    said: str


class Outbox:
    """The entries of one state folder; several processes may write, one sends."""

    def __init__(self, settings: Settings, patience: float = 10.0) -> None:
        self.file = outbox_file(settings)
        self._patience = patience  # seconds to wait for another process

    def put(self, entry: Entry, files: Mapping[str, bytes] = _NO_FILES) -> bool:
        """
        Keep *entry*; on return it is on disk.

        Returns:
            Whether it is new; one that is there already stays as it is.

        Raises:
            StoreUnavailable: If it cannot be written.
        """
        kept = {name: content for name, content in files.items() if len(content) <= LARGEST_FILE}
        document = entry.to_json()
        size = len(document) + sum(map(len, kept.values()))
        with self._opened() as connection:
            fields = (entry.run, entry.part, document, size, time.time())
            done = connection.execute(
                "INSERT OR IGNORE INTO entries (run, part, document, bytes, noted) VALUES (?, ?, ?, ?, ?)", fields
            )
            if not done.rowcount:
                return False
            rows = [(done.lastrowid, name, content) for name, content in kept.items()]
            connection.executemany("INSERT INTO files VALUES (?, ?, ?)", rows)
            _make_room(connection)
        return True

    def waiting(self, limit: int = 100, after: int = 0) -> list[Waiting]:
        """Entries to be sent, oldest first."""
        query = (
            "SELECT number, document, attempts FROM entries WHERE attempts < ? AND number > ? ORDER BY number LIMIT ?"
        )
        with self._opened() as connection:
            rows = connection.execute(query, (ATTEMPTS, after, limit)).fetchall()
        return [Waiting(number, Entry.from_json(document), attempts) for number, document, attempts in rows]

    def files(self, number: int) -> dict[str, bytes]:
        """Attachments of one entry."""
        with self._opened() as connection:
            return dict(connection.execute("SELECT name, content FROM files WHERE number = ?", (number,)))

    def sent(self, number: int) -> None:
        """Take out what was delivered."""
        with self._opened() as connection:
            connection.execute("DELETE FROM entries WHERE number = ?", (number,))
            _count(connection, "sent", 1)

    def refused(self, number: int, said: str) -> None:
        """Note one more attempt that failed for a reason of the entry's own."""
        with self._opened() as connection:
            connection.execute("UPDATE entries SET attempts = attempts + 1, said = ? WHERE number = ?", (said, number))

    def again(self) -> int:
        """Try entries that were set aside once more; return how many."""
        with self._opened() as connection:
            return connection.execute("UPDATE entries SET attempts = 0 WHERE attempts >= ?", (ATTEMPTS,)).rowcount

    def note(self, name: str, value: str) -> None:
        """Remember a fact."""
        with self._opened() as connection:
            _write(connection, name, value)

    def fact(self, name: str) -> str:
        """Recall a fact; empty if there is none."""
        with self._opened() as connection:
            return _read(connection, name)

    def origin(self) -> str:
        """Name of this state folder among others that send to the same server; made once."""
        with self._opened() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('origin', ?)", (secrets.token_hex(6),))
            return _read(connection, "origin")

    def stock(self) -> Stock:
        """Count what is there."""
        query = "SELECT count(*), sum(bytes), min(noted), sum(attempts >= ?) FROM entries"
        with self._opened() as connection:
            count, size, oldest, aside = connection.execute(query, (ATTEMPTS,)).fetchone()
            last = connection.execute("SELECT said FROM entries WHERE said != '' ORDER BY number DESC").fetchone()
            dropped, sent = (int(_read(connection, name) or 0) for name in ("dropped", "sent"))
        said = last[0] if last else ""
        return Stock(count - (aside or 0), aside or 0, size or 0, oldest, dropped, sent, said)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk at its end."""
        try:
            with contextlib.closing(self._connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(
                f"The outbox of runs for MLflow, {self.file}, cannot be used.",
                f"{type(error).__name__}: {error}.",
                "Look at rights and free space; a damaged file may be removed: only runs that were not sent are lost.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=self._patience, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._prepare(connection)
            _hold(self.file)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables; who does it at the same moment is waited for, as SQLite does not when it turns to WAL."""
        until = time.monotonic() + self._patience
        while not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
            try:
                connection.execute("PRAGMA auto_vacuum = FULL")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_TABLES)
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)


def _hold(file: Path) -> None:
    """
    Keep one idle connection to *file* open in this process.

    When the last one is closed, SQLite writes its log back: that waits for the disk three times as often.
    """
    here = os.getpid(), file, file.stat().st_ino
    with _holding:
        if _held and _held[-1][0] == here:
            return
        if _held and _held[-1][0][0] == here[0]:
            _held.pop()[1].close()  # one of a parent process stays: a child must not touch it
        idle = sqlite3.connect(file, check_same_thread=False)
        idle.execute("SELECT count(*) FROM facts").fetchone()
        _held.append((here, idle))


def outbox_file(settings: Settings) -> Path:
    """Where the outbox of a state folder lies."""
    return settings.home / "tracking" / "outbox.sqlite"


def _make_room(connection: sqlite3.Connection) -> None:
    """Drop the oldest entries beyond the limits, and count them."""
    count, size = connection.execute("SELECT count(*), sum(bytes) FROM entries").fetchone()
    doomed = [number for (number,) in connection.execute("SELECT number FROM entries WHERE noted < ?", (_horizon(),))]
    if count > MOST_ENTRIES or size > MOST_BYTES:
        doomed += _surplus(connection, count, size)
    connection.executemany("DELETE FROM entries WHERE number = ?", [(number,) for number in set(doomed)])
    if doomed:
        _count(connection, "dropped", len(set(doomed)))


def _surplus(connection: sqlite3.Connection, count: int, size: int) -> list[int]:
    found = []
    for number, one in connection.execute("SELECT number, bytes FROM entries ORDER BY number"):
        if count <= MOST_ENTRIES and size <= MOST_BYTES:
            break
        found.append(number)
        count, size = count - 1, size - one
    return found


def _horizon() -> float:
    return time.time() - OLDEST


def _count(connection: sqlite3.Connection, name: str, more: int) -> None:
    _write(connection, name, str(int(_read(connection, name) or 0) + more))


def _read(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _write(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
    )
