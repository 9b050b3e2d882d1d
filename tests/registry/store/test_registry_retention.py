"""Old artifacts go, records and history stay; nothing that is needed, or may be, is given up."""

import msgspec
import pytest
from postgres_making import BOTH
from registry_making import NOON, WHO, a_plan, a_rollout, a_version, install, succeed
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from registry.errors import NotFound, StageConflict
from registry.store.migrate import upgrade
from registry.store.registry import Registry
from registry.store.retention import Keep

NONE = Keep(archived=0, rejected=0)


def reject(registry, *versions):
    for version in versions:
        registry.register_version(a_version(version))
        registry.set_stage("churn", version, "rejected", **WHO)


def reign(registry, *champions):
    """Each becomes champion after the other."""
    install(registry, *champions[1:], champion=champions[0])
    for champion in champions[1:]:
        succeed(registry, champion)


def given_up(fates):
    return [fate.version.version for fate in fates if fate.delete]


def test_only_the_oldest_archived_and_rejected_versions_go(registry):
    reign(registry, "v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0")
    reject(registry, "v1.5.0", "v1.6.0", "v1.7.0")

    assert given_up(registry.fates("churn", Keep(archived=2, rejected=1))) == ["v1.1.0", "v1.0.0", "v1.6.0", "v1.5.0"]
    assert given_up(registry.fates("churn", Keep(archived=9, rejected=9))) == []


def test_even_when_nothing_is_kept_the_champion_and_the_way_back_stay(registry):
    reign(registry, "v1.0.0", "v1.1.0", "v1.2.0")
    fates = registry.give_up("churn", NONE, **WHO)

    assert given_up(fates) == ["v1.0.0"]
    assert {fate.version.version: fate.why for fate in fates if not fate.delete} == {
        "v1.1.0": "a rollback would bring it back"
    }
    assert registry.roll_back("churn", **WHO).version_of("champion") == "v1.1.0"


def test_the_parent_of_the_champion_stays(registry):
    registry.register_version(a_version("v0.9.0"))
    registry.set_stage("churn", "v0.9.0", "archived", **WHO)
    registry.register_version(a_version("v1.0.0", parent="v0.9.0"))
    registry.install_first("churn", "v1.0.0", guards=a_plan().guards, salt="s", **WHO)

    assert [fate.why for fate in registry.fates("churn", NONE)] == ["the champion descends from it"]


def test_what_is_in_a_plan_in_a_rollout_or_held_by_a_router_stays(registry):
    install(registry, "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0")
    registry.start_rollout(a_rollout(), **WHO)
    registry.publish_plan(a_plan(2, challenger="v1.2.0", share=1000, shadows=("v1.3.0",)))
    for version in ("v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"):
        registry.set_stage("churn", version, "rejected", **WHO)

    assert {fate.version.version: fate.why for fate in registry.fates("churn", NONE, held=["v1.4.0"])} == {
        "v1.1.0": "it is in a rollout",
        "v1.2.0": "it is in the newest plan",
        "v1.3.0": "it is in the newest plan",
        "v1.4.0": "a router may still hold it",
    }


@BOTH
def test_who_was_given_up_is_marked_once_audited_and_keeps_its_record(registry):
    reign(registry, "v1.0.0", "v1.1.0", "v1.2.0")
    before = registry.version("churn", "v1.0.0")
    registry.give_up("churn", NONE, **WHO)

    (entry,) = registry.audit("churn", action="artifact.deleted")
    assert registry.version("churn", "v1.0.0") == msgspec.structs.replace(before, artifact_deleted_at=NOON)
    assert (entry.subject, entry.actor, entry.before) == ("v1.0.0", "ann", {"artifact_digest": "0" * 64})
    assert given_up(registry.give_up("churn", NONE, **WHO)) == []
    assert registry.verify_audit() == []


@BOTH
@pytest.mark.parametrize("statement", ["UPDATE deleted_artifacts SET actor = 'eve'", "DELETE FROM deleted_artifacts"])
def test_the_database_refuses_to_forget_a_deletion(url, registry, statement):
    reign(registry, "v1.0.0", "v1.1.0", "v1.2.0")
    registry.give_up("churn", NONE, **WHO)
    plain = create_engine(url)
    with pytest.raises(DBAPIError, match="append-only"), plain.begin() as connection:
        connection.execute(text(statement))
    plain.dispose()

    assert registry.version("churn", "v1.0.0").artifact_deleted_at == NOON


def test_nobody_gives_callers_to_a_version_whose_bytes_are_gone(registry):
    reign(registry, "v1.0.0", "v1.1.0", "v1.2.0")
    reject(registry, "v1.3.0")
    registry.give_up("churn", NONE, **WHO)
    ways = [
        lambda: registry.roll_back("churn", to="v1.0.0", **WHO),
        lambda: registry.returning("churn", to="v1.0.0"),
        lambda: registry.set_stage("churn", "v1.0.0", "staging", **WHO),
        lambda: registry.set_stage("churn", "v1.3.0", "staging", **WHO),
        lambda: registry.start_rollout(a_rollout("r-0009", champion="v1.2.0", challenger="v1.0.0"), **WHO),
        lambda: registry.publish_plan(a_plan(4, champion="v1.2.0", challenger="v1.0.0", share=1000)),
        lambda: registry.publish_plan(a_plan(4, champion="v1.2.0", shadows=("v1.3.0",))),
    ]
    for way in ways:
        with pytest.raises(
            StageConflict, match=r"deleted by retention on 2026-03-01 12:00 UTC.*understudy train churn"
        ):
            way()
    registry.set_stage("churn", "v1.3.0", "archived", **WHO)
    assert registry.version("churn", "v1.3.0").stage == "archived"


def test_an_unknown_model_is_refused(registry):
    with pytest.raises(NotFound):
        registry.give_up("nobody", NONE, **WHO)


@BOTH
def test_a_registry_of_before_retention_is_brought_up_to_date(url):
    plain = create_engine(url)
    with plain.begin() as connection:
        upgrade(connection, "0001")
        connection.execute(text("INSERT INTO models VALUES ('old', '2026-03-01 12:00:00.000000')"))
    plain.dispose()

    with Registry.open(url) as registry:
        install(registry)
        assert registry.models() == ["churn", "old"]
        assert registry.champion("churn").artifact_deleted_at is None
        assert registry.verify_audit() == []


def test_a_version_that_nobody_uses_is_archived_and_a_dry_run_changes_nothing(registry):
    install(registry, "v1.1.0")
    before = registry.audit()
    assert registry.archive("churn", "v1.1.0", dry_run=True, **WHO).stage == "staging"
    assert registry.audit() == before
    registry.archive("churn", "v1.1.0", **WHO)

    assert registry.version("churn", "v1.1.0").stage == "archived"
    assert registry.audit()[0].action == "version.moved"


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_in_use_is_not_archived(registry, dry_run):
    reign(registry, "v1.0.0", "v1.1.0")
    registry.register_version(a_version("v1.2.0"))
    registry.register_version(a_version("v1.3.0"))
    registry.start_rollout(a_rollout("r-0009", champion="v1.1.0", challenger="v1.2.0"), **WHO)
    registry.publish_plan(a_plan(3, champion="v1.1.0", challenger="v1.3.0", share=1000))
    whys = {"v1.1.0": "in production", "v1.0.0": "A rollback", "v1.2.0": "in a rollout", "v1.3.0": "newest plan"}
    for version, why in whys.items():
        with pytest.raises(StageConflict, match=why):
            registry.archive("churn", version, dry_run=dry_run, **WHO)


def test_an_archived_version_is_not_archived_again(registry):
    reign(registry, "v1.0.0", "v1.1.0", "v1.2.0")

    with pytest.raises(StageConflict, match="is in archived"):
        registry.archive("churn", "v1.0.0", **WHO)
