"""Plans are immutable and numbered without gaps; who comes second is told so."""

import pytest
from registry_making import WHO, a_plan, a_version, install

from registry.errors import InvalidRecord, NotFound, PlanConflict, StageConflict


def test_the_newest_plan_is_the_plan(registry):
    install(registry, "v1.1.0")
    second = registry.publish_plan(a_plan(2, challenger="v1.1.0", share=100_000))

    assert registry.plan("churn") == second
    assert [plan.epoch for plan in registry.plans("churn")] == [2, 1]
    assert [plan.epoch for plan in registry.plans("churn", limit=1)] == [2]


def test_a_model_without_plans_has_none(registry):
    registry.register_version(a_version())

    assert registry.plan("churn") is None
    assert registry.plans("unheard-of") == []


@pytest.mark.parametrize("epoch", [1, 3, 1000])
def test_publishing_over_an_unread_plan_is_refused_and_changes_nothing(registry, epoch):
    first = install(registry)

    with pytest.raises(PlanConflict, match=f"Epoch {epoch} .*The newest is epoch 1, published by ann"):
        registry.publish_plan(a_plan(epoch))
    assert registry.plans("churn") == [first]


def test_an_arm_or_shadow_that_is_not_registered_is_refused(registry):
    install(registry)

    with pytest.raises(NotFound, match=r"v9\.0\.0"):
        registry.publish_plan(a_plan(2, challenger="v9.0.0", share=1))
    with pytest.raises(NotFound, match=r"v8\.0\.0"):
        registry.publish_plan(a_plan(2, shadows=("v8.0.0",)))
    with pytest.raises(NotFound, match="no model 'price'"):
        registry.publish_plan(a_plan(1, model="price"))


def test_a_plan_cannot_change_the_champion(registry):
    install(registry, "v1.1.0")

    with pytest.raises(StageConflict, match=r"champion is v1\.1\.0, but v1\.0\.0 is in production"):
        registry.publish_plan(a_plan(2, champion="v1.1.0"))


def test_before_the_first_champion_any_registered_version_may_stand_in(registry):
    registry.register_version(a_version())

    assert registry.publish_plan(a_plan(1)).epoch == 1


def test_a_plan_with_a_float_for_a_weight_is_refused(registry):
    install(registry)
    plan = a_plan(2, slices=(type(a_plan().slices[0])(variant="champion", weight=1_000_000.0),))

    with pytest.raises(InvalidRecord, match="The TrafficPlan was refused"):
        registry.publish_plan(plan)


def test_publishing_leaves_both_plans_in_the_audit_trail(registry):
    install(registry, "v1.1.0")
    registry.publish_plan(a_plan(2, challenger="v1.1.0", share=100_000))

    entry = registry.audit(limit=1)[0]
    assert (entry.action, entry.subject) == ("plan.published", "epoch 2")
    assert entry.before["weights"] == {"champion": 1_000_000}
    assert entry.after["weights"] == {"champion": 900_000, "challenger": 100_000}
    assert entry.after["digest"] == registry.plan("churn").digest()


def test_plans_of_two_models_do_not_disturb_each_other(registry):
    install(registry)
    registry.register_version(a_version(model="price"))
    registry.publish_plan(a_plan(1, model="price"))

    assert registry.plan("churn").epoch == registry.plan("price").epoch == 1


def test_installing_the_first_champion_starts_at_epoch_one(registry):
    plan = install(registry)

    assert (plan.epoch, plan.phase, plan.weight_of("champion")) == (1, "first", 1_000_000)
    assert registry.champion("churn").version == "v1.0.0"


def test_a_second_first_champion_is_refused(registry):
    plan = install(registry, "v1.1.0")

    with pytest.raises(StageConflict, match=r"v1\.0\.0 is in production already"):
        registry.install_first("churn", "v1.1.0", guards=plan.guards, salt="again", **WHO)
    assert registry.plans("churn") == [plan]


def test_a_salt_that_no_plan_can_have_installs_nothing(registry):
    registry.register_version(a_version())

    with pytest.raises(InvalidRecord, match="contains ':'"):
        registry.install_first("churn", "v1.0.0", guards=a_plan().guards, salt="a:b", **WHO)
    assert registry.champion("churn") is None
    assert [entry.action for entry in registry.audit()] == ["version.registered"]
