"""Whoever writes SQL past the registry is refused by the database itself, SQLite and Postgres alike."""

import shutil
from contextlib import ExitStack

import pytest
from postgres_making import fresh_database
from registry_making import (
    NOON,
    WHO,
    a_decision,
    a_notice,
    a_rollout,
    a_watch,
    an_event,
    install,
    succeed,
)
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from registry.store.registry import Registry

SAME = "model, '{version}', major, minor, patch, 'staging', document, created_at"
ONE = "FROM model_versions WHERE version = 'v1.1.0'"
STATEMENTS = {
    "a second production": "UPDATE model_versions SET stage = 'production' WHERE version = 'v1.1.0'",
    "a production among new rows": "INSERT INTO model_versions "
    f"SELECT model, 'v9.0.0', 9, 0, 0, 'production', document, created_at {ONE}",
    "an unknown stage": "UPDATE model_versions SET stage = 'best' WHERE version = 'v1.1.0'",
    "a duplicate version": f"INSERT INTO model_versions SELECT {SAME.format(version='v1.1.0')} {ONE}",
    "the same number spelled differently": f"INSERT INTO model_versions SELECT {SAME.format(version='v01.1.0')} {ONE}",
    "a version edited": "UPDATE model_versions SET document = '{}'",
    "a version deleted": "DELETE FROM model_versions",
    "an audit entry edited": "UPDATE audit_entries SET actor = 'eve' WHERE sequence = 2",
    "an audit entry deleted": "DELETE FROM audit_entries WHERE sequence = 2",
    "the trail's end cut off": "DELETE FROM audit_entries WHERE sequence = (SELECT max(sequence) FROM audit_entries)",
    "the head of the trail deleted": "DELETE FROM audit_head",
    "a second head": "INSERT INTO audit_head VALUES (2, 0, 'x')",
    "a plan edited": "UPDATE traffic_plans SET document = '{}'",
    "a plan deleted": "DELETE FROM traffic_plans",
    "an epoch twice": "INSERT INTO traffic_plans SELECT number + 100, model, epoch, champion, document, created_at "
    "FROM traffic_plans",
    "an approval edited": "UPDATE approvals SET actor = 'eve'",
    "an approval deleted": "DELETE FROM approvals",
    "a second active rollout": "INSERT INTO rollouts SELECT number + 100, 'r-9999', model, challenger, "
    "status, revision, document, created_at FROM rollouts WHERE status = 'running'",
    "a rollout deleted": "DELETE FROM rollouts",
    "a rollout of another version": "UPDATE rollouts SET challenger = 'v1.0.0'",
    "a model renamed": "UPDATE models SET name = 'other'",
    "a model deleted": "DELETE FROM models",
    "an event deleted": "DELETE FROM model_retraining_events",
    "an event with another reason": "UPDATE model_retraining_events SET trigger_reason = 'x'",
    "a decision edited": "UPDATE decisions SET document = '{}'",
    "a decision deleted": "DELETE FROM decisions",
    "a head that follows nothing": "UPDATE audit_head SET hash = 'x'",
    "a head that goes back": "UPDATE audit_head SET sequence = 0",
    "a second active watch": "INSERT INTO watches SELECT number + 100, 'w-9999', model, version, 'active', document, "
    "began_at FROM watches WHERE status = 'active'",
    "a watch that begins again": "UPDATE watches SET status = 'active' WHERE status = 'rolled_back'",
    "a watch that ends twice": "UPDATE watches SET status = 'passed' WHERE status = 'rolled_back'",
    "a watch of another version": "UPDATE watches SET version = 'v1.1.0'",
    "an unknown state of a watch": "UPDATE watches SET status = 'asleep' WHERE status = 'active'",
    "a watch deleted": "DELETE FROM watches",
    "an incident edited": "UPDATE incidents SET document = '{}'",
    "an incident deleted": "DELETE FROM incidents",
    "a second incident of an epoch": "INSERT INTO incidents SELECT number + 100, 'i-9999', model, epoch, document, at "
    "FROM incidents",
    "a notice that says something else": "UPDATE notices SET document = '{}'",
    "a notice renamed": "UPDATE notices SET key = 'x' WHERE number = 1",
    "an unknown state of a notice": "UPDATE notices SET status = 'lost'",
    "a notice deleted": "DELETE FROM notices",
}
TABLES = ["audit_entries", "traffic_plans", "approvals", "model_versions", "model_retraining_events", "decisions"]
TABLES += ["watches", "incidents", "notices"]
# SQLite's REPLACE deletes the row that it meets, and asks no trigger of DELETE.
REPLACING = {
    "a second production": "UPDATE OR REPLACE model_versions SET stage = 'production' WHERE version = 'v1.1.0'",
    "a production among new rows": "INSERT OR REPLACE INTO model_versions "
    f"SELECT model, 'v9.0.0', 9, 0, 0, 'production', document, created_at {ONE}",
    "a version": f"INSERT OR REPLACE INTO model_versions SELECT {SAME.format(version='v1.1.0')} {ONE}",
    "the same number spelled differently": "INSERT OR REPLACE INTO model_versions "
    f"SELECT {SAME.format(version='v01.1.0')} {ONE}",
    "a row by its number": "INSERT OR REPLACE INTO model_versions "
    "(rowid, model, version, major, minor, patch, stage, document, created_at) "
    f"SELECT rowid, model, 'v9.0.0', 9, 0, 0, 'staging', document, created_at {ONE}",
    "a row by renumbering": "UPDATE OR REPLACE model_versions SET rowid = 1 WHERE version = 'v1.1.0'",
    "an audit entry": "INSERT OR REPLACE INTO audit_entries SELECT * FROM audit_entries",
    "the head": "INSERT OR REPLACE INTO audit_head VALUES (1, 0, 'x')",
    "a plan": "INSERT OR REPLACE INTO traffic_plans SELECT * FROM traffic_plans",
    "an approval": "INSERT OR REPLACE INTO approvals "
    "SELECT number + 9, rollout_id, role, actor, 'other', decision_digest, at FROM approvals",
    "a rollout": "INSERT OR REPLACE INTO rollouts "
    "SELECT number + 9, 'r-9', model, challenger, status, revision, document, created_at FROM rollouts",
    "an event": "INSERT OR REPLACE INTO model_retraining_events SELECT * FROM model_retraining_events",
    "a decision": "INSERT OR REPLACE INTO decisions SELECT * FROM decisions",
    "a model": "INSERT OR REPLACE INTO models SELECT * FROM models",
    "a watch": "INSERT OR REPLACE INTO watches SELECT * FROM watches",
    "a watch by another one": "INSERT OR REPLACE INTO watches "
    "SELECT number + 100, 'w-9999', model, version, 'active', document, began_at FROM watches WHERE status = 'active'",
    "an incident": "INSERT OR REPLACE INTO incidents SELECT number + 100, 'i-9999', model, epoch, '{}', at "
    "FROM incidents",
    "a notice": "INSERT OR REPLACE INTO notices SELECT * FROM notices",
}


@pytest.fixture(scope="module")
def past(request, tmp_path_factory):
    """URL of a database with a history, and the registry that wrote it; no refused statement leaves a trace in it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            empty = request.getfixturevalue("empty_database")
            url = f"sqlite:///{shutil.copy(empty, tmp_path_factory.mktemp('past') / 'registry.sqlite')}"
        else:
            server, template = (request.getfixturevalue(name) for name in ("postgres", "postgres_template"))
            url = stack.enter_context(fresh_database(server, template))
        registry = stack.enter_context(Registry.open(url))
        with_history(registry)
        yield url, registry


@pytest.mark.parametrize("past", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_the_database_itself_refuses(past, statement):
    assert_refused(*past, statement)


@pytest.mark.parametrize("past", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", REPLACING.values(), ids=REPLACING.keys())
def test_the_database_itself_refuses_to_replace(past, statement):
    assert_refused(*past, statement)


def assert_refused(url, registry, statement):
    before = everything(registry)
    plain = create_engine(url)
    with pytest.raises(DBAPIError), plain.begin() as connection:
        connection.execute(text(statement))
    plain.dispose()

    assert everything(registry) == before
    assert registry.verify_audit() == []


def with_history(registry):
    """A champion, a watch that ended and one that goes on, an incident, notices, a rollout under way, and more."""
    install(registry, "v1.1.0", "v1.2.0", "v1.3.0")
    succeed(registry, "v1.1.0", "r-0101", watch=a_watch(), notices=[a_notice()])
    registry.roll_back("churn", **WHO)
    succeed(registry, "v1.2.0", "r-0102", watch=a_watch("w-0002", version="v1.2.0"))
    registry.start_rollout(a_rollout(champion="v1.2.0", challenger="v1.3.0"), actor="ann", reason="go", at=NOON)
    registry.sign("r-0001", actor="bob", role="ml_lead", reason="read it", at=NOON)
    registry.add_retraining_event(an_event())
    registry.save_decision(a_decision())


def everything(registry):
    told = registry.watches(), registry.incidents(), registry.notices()
    versions, plans, rollouts = registry.versions("churn"), registry.plans("churn"), registry.rollouts("churn")
    said = registry.approvals("r-0001"), registry.retraining_events(), registry.decisions("churn")
    return registry.models(), versions, plans, rollouts, said, told, registry.audit()


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.parametrize("table", TABLES)
def test_postgres_refuses_to_empty_a_table_at_once(url, table):
    with Registry.open(url) as registry:
        install(registry)
        plain = create_engine(url)
        with pytest.raises(DBAPIError, match="append-only"), plain.begin() as connection:
            connection.execute(text(f"TRUNCATE {table} CASCADE"))
        plain.dispose()

        assert registry.verify_audit() == []
