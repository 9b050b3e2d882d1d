"""There is always a way back, and doing it twice is no way forward."""

import msgspec
import pytest
from registry_making import NOON, WHO, a_plan, a_rollout, a_version, install, succeed

from registry.errors import NotFound, PlanConflict, StageConflict
from registry.records.plan import Guards
from registry.store.retention import Keep


def test_an_active_rollout_ends_and_its_challenger_is_rejected(registry):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(), **WHO)
    registry.move_rollout(
        msgspec.structs.replace(started, revision=2, step=1),
        plan=a_plan(2, challenger="v1.1.0", share=100_000, guards=Guards(deadline_ms=9.0), enrolment=90),
        stages={"v1.1.0": "canary"},
        **WHO,
    )

    plan = registry.roll_back("churn", **WHO | {"reason": "errors"})
    rollout = registry.rollout("r-0001")
    assert (rollout.status, rollout.said, rollout.revision) == ("rolled_back", "errors", 3)
    assert registry.version("churn", "v1.1.0").stage == "rejected"
    assert registry.champion("churn").version == "v1.0.0"
    assert (plan.epoch, plan.phase, plan.rollout_id) == (3, "r-0001.rolled_back", "r-0001")
    assert (plan.weight_of("champion"), plan.challengers, plan.shadows) == (1_000_000, (), ())
    assert (plan.guards.deadline_ms, plan.enrolment, plan.paused) == (9.0, 90, False)
    assert registry.plan("churn") == plan


@pytest.mark.parametrize(("actor", "outcome"), [("router", "failed"), ("watch", "failed"), ("ann", "inconclusive")])
def test_the_step_under_way_has_a_result_that_says_who_ended_it(registry, actor, outcome):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(), **WHO)
    registry.move_rollout(msgspec.structs.replace(started, revision=2, step=1), **WHO)

    registry.roll_back("churn", **WHO | {"actor": actor, "reason": "mean loss 0.4 against 0.2"})
    rollout = registry.rollout("r-0001")
    assert rollout.outcome == outcome
    assert [(one.step, one.outcome, one.by, one.said) for one in rollout.results] == [
        (1, outcome, actor, "mean loss 0.4 against 0.2")
    ]


def test_a_rollout_that_still_waits_can_be_rolled_back(registry):
    install(registry, "v1.1.0")
    registry.start_rollout(a_rollout(status="waiting_approval"), **WHO)
    registry.roll_back("churn", **WHO)

    assert registry.rollout("r-0001").status == "rolled_back"


def test_a_flow_that_has_not_seen_the_rollback_cannot_advance(registry):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(), **WHO)
    registry.roll_back("churn", **WHO)

    with pytest.raises(Exception, match="does not follow 2"):
        registry.move_rollout(msgspec.structs.replace(started, revision=2, step=1), **WHO)


def test_without_a_rollout_the_champion_before_returns(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    plan = registry.roll_back("churn", **WHO)

    assert registry.champion("churn").version == plan.version_of("champion") == "v1.0.0"
    assert registry.version("churn", "v1.1.0").stage == "archived"
    assert plan.phase == "rollback.3"
    assert plan.rollout_id is None


def test_rolling_back_twice_never_brings_the_bad_version_back(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    registry.roll_back("churn", **WHO)

    with pytest.raises(StageConflict, match=r"No champion came before v1\.0\.0"):
        registry.roll_back("churn", **WHO)
    assert registry.champion("churn").version == "v1.0.0"


def test_rolling_back_twice_goes_two_champions_back(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    succeed(registry, "v1.2.0")

    assert registry.roll_back("churn", **WHO).version_of("champion") == "v1.1.0"
    assert registry.roll_back("churn", **WHO).version_of("champion") == "v1.0.0"


def test_a_named_former_champion_returns_and_ends_the_rollout(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    registry.start_rollout(a_rollout("r-0002", champion="v1.1.0", challenger="v1.2.0"), **WHO)
    plan = registry.roll_back("churn", to="v1.0.0", **WHO)

    assert plan.version_of("champion") == registry.champion("churn").version == "v1.0.0"
    assert registry.active_rollout("churn") is None
    stages = {v.version: v.stage for v in registry.versions("churn")}
    assert stages == {"v1.0.0": "production", "v1.1.0": "archived", "v1.2.0": "rejected"}


def test_naming_the_bad_version_brings_it_back_on_purpose(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    registry.roll_back("churn", **WHO)

    assert registry.roll_back("churn", to="v1.1.0", **WHO).version_of("champion") == "v1.1.0"


def test_a_version_that_was_never_champion_is_no_way_back(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")

    with pytest.raises(StageConflict, match=r"v1\.2\.0 was never the champion; former champions: v1\.0\.0"):
        registry.roll_back("churn", to="v1.2.0", **WHO)
    with pytest.raises(NotFound):
        registry.roll_back("churn", to="v9.0.0", **WHO)


def test_rolling_back_to_the_champion_itself_is_refused(registry):
    install(registry)

    with pytest.raises(StageConflict, match=r"v1\.0\.0 is the champion already"):
        registry.roll_back("churn", to="v1.0.0", **WHO)


def test_naming_the_champion_ends_the_rollout(registry):
    install(registry, "v1.1.0")
    registry.start_rollout(a_rollout(), **WHO)

    assert registry.roll_back("churn", to="v1.0.0", **WHO).version_of("champion") == "v1.0.0"
    assert registry.rollout("r-0001").status == "rolled_back"


def test_a_refused_rollback_leaves_the_rollout_running(registry):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(), **WHO)

    with pytest.raises(StageConflict):
        registry.roll_back("churn", to="v1.1.0", **WHO)
    assert registry.active_rollout("churn") == started


def test_without_any_champion_there_is_nothing_to_roll_back(registry):
    with pytest.raises(NotFound, match="no model 'churn'"):
        registry.roll_back("churn", **WHO)


def test_a_rejected_former_champion_does_not_return(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    registry.set_stage("churn", "v1.0.0", "staging", **WHO)
    registry.set_stage("churn", "v1.0.0", "rejected", **WHO)

    with pytest.raises(StageConflict, match=r"v1\.0\.0 was not moved to production. Why: It is in rejected"):
        registry.roll_back("churn", **WHO)


def test_any_archived_version_may_come_back(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    registry.set_stage("churn", "v1.2.0", "archived", **WHO)

    assert registry.returning("churn", to="v1.2.0") == "v1.2.0"
    assert registry.roll_back("churn", to="v1.2.0", **WHO).version_of("champion") == "v1.2.0"


def test_a_version_that_failed_its_validation_does_not_come_back(registry):
    install(registry)
    registry.register_version(a_version("v1.1.0", validation={"passed": False, "checks": []}))
    registry.set_stage("churn", "v1.1.0", "archived", **WHO)

    with pytest.raises(StageConflict, match=r"v1\.1\.0 did not pass its validation"):
        registry.roll_back("churn", to="v1.1.0", **WHO)


def test_a_refusal_names_who_may_come_back(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    registry.set_stage("churn", "v1.2.0", "rejected", **WHO)

    with pytest.raises(StageConflict, match=r"It is in rejected.*Name one of these with --to: v1\.0\.0\."):
        registry.roll_back("churn", to="v1.2.0", **WHO)


def test_a_version_whose_artifact_is_gone_does_not_come_back(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    registry.set_stage("churn", "v1.2.0", "archived", **WHO)
    registry.give_up("churn", Keep(0, 0), **WHO)

    with pytest.raises(StageConflict, match="deleted by retention"):
        registry.roll_back("churn", to="v1.2.0", **WHO)


def test_an_incident_says_what_was_taken_off_and_by_whom(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")
    plan = registry.roll_back("churn", facts={"errors": 7}, **WHO | {"reason": "wrong prices"})
    (found,) = registry.incidents("churn")

    assert (found.id, found.kind, found.actor, found.cause) == ("i-0001", "person", "ann", "wrong prices")
    assert (found.version, found.restored, found.epoch, found.at) == ("v1.1.0", "v1.0.0", plan.epoch, NOON)
    assert found.facts == {"errors": 7}
    assert registry.audit(action="incident.written")[0].subject == "i-0001"


@pytest.mark.parametrize(
    ("actor", "kind"), [("router", "guard"), ("watch", "watch"), ("rollout", "rollout"), ("ann", "person")]
)
def test_who_took_it_off_is_read_from_the_name(registry, actor, kind):
    install(registry, "v1.1.0")
    registry.start_rollout(a_rollout(), **WHO)
    registry.roll_back("churn", **WHO | {"actor": actor})

    assert [(i.kind, i.version, i.rollout_id) for i in registry.incidents()] == [(kind, "v1.1.0", "r-0001")]


def test_a_refused_rollback_is_no_incident(registry):
    install(registry)

    with pytest.raises(StageConflict):
        registry.roll_back("churn", **WHO)
    assert (registry.incidents(), registry.notices()) == ([], [])


def test_of_two_who_looked_at_the_same_plan_one_rolls_back(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    succeed(registry, "v1.2.0")
    registry.roll_back("churn", seen=3, **WHO | {"actor": "bob", "reason": "prices"})

    with pytest.raises(PlanConflict, match=r"bob rolled it back .* prices; v1\.1\.0 answers everybody by plan 4"):
        registry.roll_back("churn", seen=3, **WHO)
    assert registry.champion("churn").version == "v1.1.0"
    assert len(registry.incidents()) == 1


def test_a_promotion_in_between_does_not_hold_up_a_rollback(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")

    assert registry.roll_back("churn", seen=1, **WHO).version_of("champion") == "v1.0.0"


def test_whoever_wants_another_version_is_not_held_up(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")
    succeed(registry, "v1.2.0")
    registry.roll_back("churn", **WHO)

    assert registry.roll_back("churn", to="v1.0.0", seen=3, **WHO).version_of("champion") == "v1.0.0"
