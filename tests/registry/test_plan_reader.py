"""The router's reader is light, quick, and survives every state of the database."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from registry_making import WHO, a_plan, a_version, install

from registry.errors import InvalidRecord, StoreUnavailable
from registry.reader import PlanReader
from registry.store.registry import Registry


@pytest.fixture
def reader(url):
    with PlanReader(url) as opened:
        yield opened


def test_a_new_plan_is_seen_once(registry, reader):
    first = install(registry)

    assert reader.changed()
    assert reader.plan("churn") == first
    assert not reader.changed()
    second = registry.publish_plan(a_plan(2))
    assert reader.changed()
    assert reader.plan("churn") == second
    assert not reader.changed()


def test_a_change_without_a_plan_is_no_change(registry, reader):
    install(registry)
    reader.changed()
    registry.register_version(a_version("v1.1.0"))

    assert not reader.changed()


def test_models_are_those_with_a_plan(registry, reader):
    registry.register_version(a_version(model="price"))
    install(registry)

    assert reader.models() == ["churn"]
    assert reader.plan("price") is None


def test_a_version_is_read_with_its_present_stage(registry, reader):
    install(registry)
    registry.register_version(a_version("v1.1.0"))
    registry.set_stage("churn", "v1.1.0", "canary", **WHO)

    assert reader.version("churn", "v1.1.0") == registry.version("churn", "v1.1.0")
    assert reader.version("churn", "v1.0.0").stage == "production"
    assert reader.version("churn", "v9.0.0") is None


def test_an_idle_poll_costs_microseconds(registry, reader, database):
    install(registry)
    reader.changed()
    started = time.perf_counter()
    for _ in range(200):
        reader.changed()

    assert (time.perf_counter() - started) / 200 < 0.001


def test_reading_goes_on_while_somebody_writes(registry, reader, database):
    first = install(registry)
    with closing(sqlite3.connect(database, isolation_level=None)) as plain:
        plain.execute("BEGIN IMMEDIATE")
        plain.execute("UPDATE model_versions SET stage = 'archived'")

        assert reader.changed()
        assert reader.plan("churn") == first
        assert reader.version("churn", "v1.0.0").stage == "production"


def test_reading_works_after_the_last_writer_has_left(url):
    with Registry.open(url) as registry:
        first = install(registry)

    with PlanReader(url) as reader:
        assert reader.changed()
        assert reader.plan("churn") == first


def test_a_missing_database_is_reported_and_found_once_it_is_there(tmp_path):
    url = f"sqlite:///{tmp_path}/later/registry.sqlite"
    with PlanReader(url) as reader:
        for question in (reader.changed, reader.models, lambda: reader.plan("churn")):
            with pytest.raises(StoreUnavailable, match="No such file"):
                question()
        with Registry.open(url) as registry:
            first = install(registry)
            assert reader.changed()
            assert reader.plan("churn") == first


def test_a_database_without_tables_is_reported(tmp_path):
    path = tmp_path / "registry.sqlite"
    sqlite3.connect(path).close()
    path.touch()

    with PlanReader(f"sqlite:///{path}") as reader, pytest.raises(StoreUnavailable, match="no such table"):
        reader.changed()


def test_a_file_that_is_no_database_is_reported(tmp_path):
    path = tmp_path / "registry.sqlite"
    path.write_bytes(b"nonsense" * 200)

    with PlanReader(f"sqlite:///{path}") as reader, pytest.raises(StoreUnavailable, match="not a database"):
        reader.plan("churn")


def test_a_locked_database_is_reported_soon_and_read_again_later(url, database, registry):
    first = install(registry)
    registry.close()
    with closing(sqlite3.connect(database, isolation_level=None)) as plain:
        plain.execute("PRAGMA journal_mode = DELETE")
        plain.execute("BEGIN EXCLUSIVE")
        with PlanReader(url) as reader:
            started = time.perf_counter()
            with pytest.raises(StoreUnavailable, match="locked"):
                reader.plan("churn")
            assert time.perf_counter() - started < 1
            plain.execute("ROLLBACK")
            assert reader.plan("churn") == first


def test_a_replaced_database_is_noticed(registry, reader, database, tmp_path):
    install(registry)
    assert reader.changed()
    with Registry.open(f"sqlite:///{tmp_path}/backup.sqlite") as backup:
        restored = install(backup, champion="v2.0.0")
    registry.close()
    for leftover in (f"{database}-wal", f"{database}-shm"):
        Path(leftover).unlink(missing_ok=True)
    (tmp_path / "backup.sqlite").replace(database)

    assert reader.changed()
    assert reader.plan("churn") == restored


def test_a_plan_that_was_made_unreadable_is_refused(registry, reader, database):
    install(registry)
    with closing(sqlite3.connect(database)) as plain, plain:
        plain.execute("DROP TRIGGER traffic_plans_no_update")
        plain.execute("UPDATE traffic_plans SET document = '{}'")

    with pytest.raises(InvalidRecord, match="A stored TrafficPlan cannot be read"):
        reader.plan("churn")


def test_the_reader_cannot_write(database, registry, reader):
    install(registry)

    with pytest.raises(StoreUnavailable, match="readonly"):
        reader._rows("DELETE FROM models")


@pytest.mark.parametrize("name", ["with space.sqlite", "per%20cent.sqlite", "hash#tag.sqlite", "ümlaut.sqlite"])
def test_any_file_name_is_read(tmp_path, name):
    url = f"sqlite:///{tmp_path}/{name}"
    with Registry.open(url) as registry:
        first = install(registry)

    with PlanReader(url) as reader:
        assert reader.plan("churn") == first


def test_reading_loads_neither_sqlalchemy_nor_bentoml(database, url, registry):
    install(registry)
    code = (
        "import sys; from registry.reader import PlanReader; r = PlanReader(sys.argv[1]);"
        "assert r.changed() and r.models() == ['churn'] and r.plan('churn') and r.version('churn', 'v1.0.0');"
        "bad = {'sqlalchemy', 'alembic', 'bentoml', 'pydantic', 'xgboost'} & set(sys.modules); sys.exit(str(bad or 0))"
    )
    done = subprocess.run([sys.executable, "-c", code, url], check=False, timeout=60, capture_output=True, text=True)

    assert done.stderr.strip() == "0", done.stderr


def test_another_database_is_read_by_sqlalchemy(monkeypatch, url, database, registry):
    monkeypatch.setattr("registry.reader._sqlite_path", lambda url: None)
    first = install(registry)
    with PlanReader(url) as reader:
        assert reader.changed()
        assert not reader.changed()
        registry.publish_plan(a_plan(2))
        assert reader.changed()
        assert reader.models() == ["churn"]
        assert reader.plan("churn").epoch == first.epoch + 1
        assert reader.version("churn", "v1.0.0").stage == "production"
        assert reader.plan("'; DROP TABLE models; --") is None


def test_another_database_that_is_away_is_reported_without_its_password(monkeypatch, tmp_path):
    monkeypatch.setattr("registry.reader._sqlite_path", lambda url: None)
    with PlanReader(f"sqlite:///{tmp_path}/empty.sqlite") as reader, pytest.raises(StoreUnavailable, match="no such"):
        reader.changed()


def test_a_reader_in_another_process_sees_a_plan_within_a_poll(url, registry):
    install(registry)
    code = (
        "import sys, time; from registry.reader import PlanReader; r = PlanReader(sys.argv[1]); r.changed();"
        "print('ready', flush=True)\n"
        "while not r.changed(): time.sleep(0.01)\n"
        "print(r.plan('churn').epoch, flush=True)"
    )
    peer = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
    assert peer.stdout is not None
    assert peer.stdout.readline() == "ready\n"
    registry.publish_plan(a_plan(2))

    assert peer.communicate(timeout=10)[0] == "2\n"


def test_a_copy_of_the_database_alone_is_enough(registry, tmp_path, database):
    install(registry)
    registry.close()
    shutil.copy(database, tmp_path / "copy.sqlite")

    with PlanReader(f"sqlite:///{tmp_path}/copy.sqlite") as reader:
        assert reader.models() == ["churn"]
