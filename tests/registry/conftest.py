"""
A registry of its own for every test, on SQLite; on Postgres too where a test says so, or with `-m long` wherever none
looks at the file.

Postgres is a private server that the tests start, or the one that TEST_POSTGRES_URL names (e.g.
"postgresql+psycopg://postgres@127.0.0.1/postgres"); without either, these tests are skipped.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_making import NOT_FOUND, fresh_database, started_server
from sqlalchemy import make_url

from registry.store.registry import Registry


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask SQLite now and Postgres in a long run, unless the test says which."""
    chosen = any("url" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    names = metafunc.fixturenames
    if "url" in names and "database" not in names and not chosen:
        metafunc.parametrize("url", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, made once."""
    path = tmp_path_factory.mktemp("empty") / "registry.sqlite"
    Registry.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a Postgres server."""
    with started_server() as server:
        if server is None:
            pytest.skip(NOT_FOUND)
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[str]:
    """Name of a migrated database without rows, made once."""
    with fresh_database(postgres) as url:
        Registry.open(url).close()
        yield str(make_url(url).database)


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "registry.sqlite"))


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('database')}"
        return
    server, template = (request.getfixturevalue(name) for name in ("postgres", "postgres_template"))
    with fresh_database(server, template) as fresh:
        yield fresh


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with Registry.open(url) as opened:
        yield opened
