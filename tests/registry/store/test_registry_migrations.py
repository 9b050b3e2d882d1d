"""The tables are made once, by whoever comes first, and match what the code expects."""

import logging
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres_making import BOTH, fresh_database
from ready_tables import ready_tables
from registry_making import a_version, install
from sqlalchemy import create_engine

from registry.errors import StoreUnavailable
from registry.store import migrate
from registry.store.registry import Registry
from registry.store.tables import metadata


@BOTH
def test_the_migrations_make_exactly_the_tables_of_the_code(url, registry):
    engine = create_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert differences == []


def test_the_head_in_the_code_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_opening_makes_the_folder_and_the_tables(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path}/deep/down/registry.sqlite") as registry:
        assert registry.models() == []


def test_tables_that_other_tests_get_at_once_are_those_of_the_migrations(tmp_path):
    Registry.open(f"sqlite:///{tmp_path}/made.sqlite").close()
    with ready_tables():
        Registry.open(f"sqlite:///{tmp_path}/copied.sqlite").close()
    made, copied = (sqlite3.connect(tmp_path / f"{name}.sqlite") for name in ("made", "copied"))
    with closing(made), closing(copied):
        assert list(copied.iterdump()) == list(made.iterdump())


def test_opening_again_keeps_everything(url):
    with Registry.open(url) as registry:
        plan = install(registry)
    with Registry.open(url) as registry:
        assert registry.plan("churn") == plan


def test_opening_an_up_to_date_database_is_quick(url):
    Registry.open(url).close()
    best = min(_opening_time(url) for _ in range(5))

    assert best < 0.1


def _opening_time(url):
    started = time.perf_counter()
    Registry.open(url).close()
    return time.perf_counter() - started


def test_a_database_in_memory_works_as_well():
    with Registry.open("sqlite://") as registry:
        install(registry)
        assert registry.verify_audit() == []


def test_migrating_says_nothing(tmp_path, capfd, caplog):
    with caplog.at_level(logging.WARNING):
        Registry.open(f"sqlite:///{tmp_path}/registry.sqlite").close()

    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_four_processes_open_a_fresh_database_at_once(tmp_path):
    url = f"sqlite:///{tmp_path}/registry.sqlite"

    assert four_open(url) == [0, 0, 0, 0]
    assert models_after_a_registration(url) == ["churn"]


def test_four_processes_open_a_fresh_database_of_a_server_at_once(postgres):
    with fresh_database(postgres) as url:
        assert four_open(url) == [0, 0, 0, 0]
        assert models_after_a_registration(url) == ["churn"]


def four_open(url):
    code = "import sys; from registry.store.registry import Registry; Registry.open(sys.argv[1]).close()"
    peers = [subprocess.Popen([sys.executable, "-W", "error", "-c", code, url], stderr=-1) for _ in range(4)]
    for peer in peers:
        sys.stderr.write(peer.communicate(timeout=60)[1].decode())
    return [peer.returncode for peer in peers]


def models_after_a_registration(url):
    with Registry.open(url) as registry:
        registry.register_version(a_version())
        return registry.models()


def test_an_up_to_date_database_is_opened_without_alembic(url, registry):
    code = (
        "import sys; from registry.store.registry import Registry; Registry.open(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, url], check=False, timeout=60).returncode == 0


def test_a_database_of_a_newer_understudy_is_refused_and_left_alone(url, database):
    with closing(sqlite3.connect(database)) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailable, match="Upgrade Understudy"):
        Registry.open(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("not a url", "Could not parse"),
        ("nosuchdb://host/name", "Can't load plugin"),
        ("sqlite:////proc/nowhere/registry.sqlite", "No such file|Permission|Not a directory"),
        ("postgresql+psycopg://ann:secret@127.0.0.1:1/registry", "."),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(url, why):
    with pytest.raises(StoreUnavailable, match=why) as refusal:
        Registry.open(url)
    assert "secret" not in str(refusal.value)
    assert "UNDERSTUDY_DATABASE_URL" in refusal.value.mend


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "registry.sqlite"
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)

    with pytest.raises(StoreUnavailable, match="not a database"):
        Registry.open(f"sqlite:///{path}")


def test_a_database_that_stays_locked_is_reported_not_waited_for_for_ever(url, database, registry, monkeypatch):
    monkeypatch.setattr("registry.store.engine.BUSY_MS", 50)
    impatient = Registry.open(url)
    with closing(sqlite3.connect(database, isolation_level=None)) as plain:
        plain.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            impatient.register_version(a_version())
        assert impatient.models() == []
    impatient.register_version(a_version())
    impatient.close()
