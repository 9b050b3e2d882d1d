"""A database that an earlier release has filled is opened, keeps everything, and can promote from then on."""

import json
from pathlib import Path

import msgspec
import pytest
from postgres_making import fresh_database
from registry_making import WHO, a_plan, a_watch
from sqlalchemy import column as a_column
from sqlalchemy import create_engine, insert, table, text

from registry.store.migrate import revision, upgrade
from registry.store.registry import Registry

# Written by the code of migration 0003: a promotion, a rollback, and a rollout at 10 % with one approval.
OLD = json.loads((Path(__file__).parent / "registry_0003.json").read_text())

ORDER = ["models", "model_versions", "traffic_plans", "rollouts", "approvals", "model_retraining_events"]
ORDER += ["decisions", "drift_reports", "audit_entries", "audit_head"]


@pytest.fixture(params=["sqlite", "postgres"])
def old(request, tmp_path):
    if request.param == "sqlite":
        yield filled(f"sqlite:///{tmp_path}/registry.sqlite")
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield filled(url)


def filled(url):
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, OLD["revision"])
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TIME ZONE 'UTC'"))
        for name in ORDER:
            put(connection, name, [without_number(row) for row in OLD["tables"][name]])
    engine.dispose()
    return url


def without_number(row):
    return {name: value for name, value in row.items() if name != "number"}  # the database counts on


def put(connection, name, rows):
    if name == "audit_head":  # there is one already, which only follows the trail
        for number, entry in enumerate(OLD["tables"]["audit_entries"], 1):
            row = {"n": number, "h": entry["hash"]}
            connection.execute(text("UPDATE audit_head SET sequence = :n, hash = :h"), row)
    elif rows:
        connection.execute(insert(table(name, *map(a_column, rows[0]))), rows)


def test_everything_is_still_there(old):
    with Registry.open(old) as registry:
        assert registry.verify_audit() == []
        assert len(registry.audit()) == len(OLD["tables"]["audit_entries"])
        assert {v.version: v.stage for v in registry.versions("churn")} == {
            "v1.0.0": "production",
            "v1.1.0": "archived",
            "v1.2.0": "canary",
            "v1.3.0": "staging",
        }
        rollout = registry.active_rollout("churn")
        assert (rollout.id, rollout.strategy, rollout.gate.roles) == (
            "r-0002",
            "custom",
            ("ml_lead", "business_owner"),
        )
        assert (registry.watches(), registry.incidents(), registry.notices(), registry.pulse_of("r-0002")) == (
            [],
            [],
            [],
            None,
        )
        assert [a["role"] for a in registry.approvals("r-0002")] == ["ml_lead"]


def test_its_rollout_is_promoted_and_watched_and_rolled_back(old):
    with Registry.open(old) as registry:
        rollout = registry.active_rollout("churn")
        done = msgspec.structs.replace(rollout, revision=rollout.revision + 1, status="succeeded")
        stages = {"v1.2.0": "production", "v1.0.0": "archived"}
        registry.move_rollout(
            done, plan=a_plan(5, champion="v1.2.0"), stages=stages, watch=a_watch(version="v1.2.0"), **WHO
        )
        assert registry.retraining_events("churn")[0].execution_metrics["rollout_id"] == "r-0002"
        registry.roll_back("churn", **WHO)

        assert registry.champion("churn").version == "v1.0.0"
        assert [w.status for w in registry.watches("churn")] == ["rolled_back"]
        assert registry.verify_audit() == []


def test_it_is_brought_up_to_date_once(old):
    Registry.open(old).close()
    engine = create_engine(old)
    with engine.connect() as connection:
        assert revision(connection) == "0004"
    engine.dispose()
