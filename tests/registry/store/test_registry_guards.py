"""Whoever writes SQL past the registry is refused by the database itself, SQLite and Postgres alike."""

import pytest
from postgres_making import BOTH
from registry_making import NOON, a_rollout, install
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
    "status, revision, document, created_at FROM rollouts",
}


@BOTH
@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_the_database_itself_refuses(url, statement):
    with Registry.open(url) as registry:
        install(registry, "v1.1.0")
        registry.start_rollout(a_rollout(), actor="ann", reason="go", at=NOON)
        registry.approve("r-0001", actor="bob", role="ml_lead", reason="fine", at=NOON, decision_digest="d")
        before = registry.versions("churn"), registry.plans("churn"), registry.audit(), registry.approvals("r-0001")
        plain = create_engine(url)
        with pytest.raises(DBAPIError), plain.begin() as connection:
            connection.execute(text(statement))
        plain.dispose()

        assert before == (
            registry.versions("churn"),
            registry.plans("churn"),
            registry.audit(),
            registry.approvals("r-0001"),
        )
        assert registry.verify_audit() == []


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.parametrize("table", ["audit_entries", "traffic_plans", "approvals"])
def test_postgres_refuses_to_empty_a_table_at_once(url, table):
    with Registry.open(url) as registry:
        install(registry)
        plain = create_engine(url)
        with pytest.raises(DBAPIError, match="append-only"), plain.begin() as connection:
            connection.execute(text(f"TRUNCATE {table} CASCADE"))
        plain.dispose()

        assert registry.verify_audit() == []
