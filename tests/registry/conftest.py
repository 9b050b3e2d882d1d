"""
A registry of its own for every test.

SQLite, or a fresh database on the Postgres server that TEST_POSTGRES_URL names
(e.g. "postgresql+psycopg://postgres@127.0.0.1/postgres") where a test does not look at the file.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from registry.store.registry import Registry

SERVER = os.environ.get("TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, made once."""
    path = tmp_path_factory.mktemp("empty") / "registry.sqlite"
    Registry.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "registry.sqlite"))


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if SERVER is None or "database" in request.fixturenames:
        yield f"sqlite:///{request.getfixturevalue('database')}"
        return
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with Registry.open(url) as opened:
        yield opened
