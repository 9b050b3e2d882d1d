"""Versions are immutable; only their stage moves, and only lawfully."""

import pytest
from registry_making import NOON, WHO, a_version, install

from registry.errors import AlreadyExists, InvalidRecord, NotFound, StageConflict


def test_a_registered_version_is_read_back_as_it_was(registry):
    version = a_version("v1.0.0", metrics={"auc": 0.8, "brier": 0.1}, parent="v0.9.0", dependencies={"xgboost": "3.2"})
    registry.register_version(version)

    assert registry.version("churn", "v1.0.0") == version


def test_versions_are_listed_newest_first_as_numbers(registry):
    for name in ("v1.9.0", "v1.10.0", "v2.0.0", "v1.9.10"):
        registry.register_version(a_version(name))

    assert [v.version for v in registry.versions("churn")] == ["v2.0.0", "v1.10.0", "v1.9.10", "v1.9.0"]


def test_versions_can_be_listed_by_stage(registry):
    install(registry, "v1.1.0", "v1.2.0")
    registry.set_stage("churn", "v1.2.0", "shadow", **WHO)

    assert [v.version for v in registry.versions("churn", "shadow")] == ["v1.2.0"]
    assert [v.version for v in registry.versions("churn", "production")] == ["v1.0.0"]
    assert registry.versions("unheard-of") == []


def test_models_are_listed_by_name(registry):
    for model in ("price", "churn"):
        registry.register_version(a_version(model=model))

    assert registry.models() == ["churn", "price"]


def test_the_same_version_is_refused_and_the_first_is_kept(registry):
    registry.register_version(a_version(seed=1))

    with pytest.raises(AlreadyExists, match=r"churn v1\.0\.0 was not registered"):
        registry.register_version(a_version(seed=2))
    assert registry.version("churn", "v1.0.0").seed == 1
    assert len(registry.audit()) == 1


def test_a_version_that_does_not_start_in_staging_is_refused(registry):
    with pytest.raises(StageConflict, match="every version starts in staging"):
        registry.register_version(a_version(stage="production"))
    assert registry.models() == []


@pytest.mark.parametrize(
    "wrong", [{"params": {"x": object()}}, {"seed": "seven"}, {"duration_s": float("nan")}, {"created_at": "today"}]
)
def test_a_version_that_could_not_be_read_back_is_refused(registry, wrong):
    with pytest.raises(InvalidRecord, match="The ModelVersion was refused"):
        registry.register_version(a_version(**wrong))
    assert registry.models() == []


def test_an_unknown_version_is_refused_with_those_that_are_known(registry):
    registry.register_version(a_version("v1.0.0"))

    with pytest.raises(NotFound, match=r"churn has no version v7\.0\.0. Why: Known: v1\.0\.0"):
        registry.version("churn", "v7.0.0")
    with pytest.raises(NotFound, match=r"no model 'chrun'\. Why: Known: churn"):
        registry.version("chrun", "v1.0.0")


def test_a_model_without_production_has_no_champion(registry):
    registry.register_version(a_version())

    assert registry.champion("churn") is None
    assert registry.champion("unheard-of") is None


def test_a_stage_moves_with_its_reason_in_the_audit_trail(registry):
    registry.register_version(a_version())
    registry.set_stage("churn", "v1.0.0", "rejected", actor="bob", reason="worse", at=NOON)

    entry = registry.audit(limit=1)[0]
    assert registry.version("churn", "v1.0.0").stage == "rejected"
    assert (entry.actor, entry.action, entry.subject, entry.reason) == ("bob", "version.moved", "v1.0.0", "worse")
    assert (entry.before, entry.after) == ({"stage": "staging"}, {"stage": "rejected"})


@pytest.mark.parametrize("stage", ["staging", "shadow", "canary", "archived", "rejected", "production"])
def test_the_champion_is_never_moved_by_hand(registry, stage):
    install(registry)

    with pytest.raises(StageConflict, match="It is in production"):
        registry.set_stage("churn", "v1.0.0", stage, **WHO)
    assert registry.champion("churn").version == "v1.0.0"


@pytest.mark.parametrize("stage", ["staging", "shadow", "canary", "archived", "rejected"])
def test_nothing_is_moved_to_production_by_hand(registry, stage):
    install(registry, "v1.1.0")
    if stage != "staging":
        registry.set_stage("churn", "v1.1.0", stage, **WHO)

    with pytest.raises(StageConflict, match="was not moved to production"):
        registry.set_stage("churn", "v1.1.0", "production", **WHO)
    assert registry.version("churn", "v1.1.0").stage == stage


def test_an_archived_version_must_pass_staging_again(registry):
    registry.register_version(a_version())
    registry.set_stage("churn", "v1.0.0", "archived", **WHO)

    with pytest.raises(StageConflict, match="From archived it may go to staging"):
        registry.set_stage("churn", "v1.0.0", "canary", **WHO)


def test_a_change_without_an_actor_is_refused_and_changes_nothing(registry):
    registry.register_version(a_version())

    with pytest.raises(InvalidRecord, match="actor is empty"):
        registry.set_stage("churn", "v1.0.0", "shadow", actor=" ", reason="", at=NOON)
    assert registry.version("churn", "v1.0.0").stage == "staging"
