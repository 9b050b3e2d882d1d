"""A Postgres server of the tests' own: in a folder that goes with it, on a socket that nobody else knows."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

BOTH = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
"""For tests of the registry that ask both databases in the default suite, too."""
NOT_FOUND = "no Postgres: neither TEST_POSTGRES_URL nor the programs initdb and pg_ctl were found"
_QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=16MB"
_ROOM = 1_000_000_000


def binaries() -> Path | None:
    """Folder of `initdb` and `pg_ctl`, where Debian hides them or on the path."""
    found = shutil.which("initdb")
    hidden = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)]
    folders = [*hidden, *([Path(found).parent] if found else [])]
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@contextmanager
def started_server() -> Iterator[str | None]:
    """
    Start a server and stop it again.

    Yields:
        SQLAlchemy URL of its database `postgres`; that of TEST_POSTGRES_URL if it is set; None without programs.
    """
    named, programs = os.environ.get("TEST_POSTGRES_URL"), binaries()
    if named or programs is None:
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="understudy-postgres-", dir=_memory()))
    user = _user()
    try:
        if user:
            shutil.chown(folder, user)
        _run(user, programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-c listen_addresses='' -k {folder} {_QUICK}"
        _run(user, programs / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            _run(user, programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_database(server: str, template: str | None = None) -> Iterator[str]:
    """Make a database on *server*, a copy of *template* if one is named, and drop it again; yields its URL."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    copied = f" TEMPLATE {template} STRATEGY file_copy" if template else ""
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}{copied}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def _memory() -> str | None:
    """Where files are in memory, if there is room: making a database is 3 times faster there."""
    shared = "/dev/shm"
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _ROOM else None


def _user() -> str | None:
    """Postgres refuses to run as root; its packages make a user for it."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(user: str | None, *words: str | Path) -> None:
    who = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    done = subprocess.run([*map(str, words)], check=False, capture_output=True, text=True, timeout=60, cwd="/", **who)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr or done.stdout}")
