"""A rollout moves with its plan and its stages, or not at all."""

import msgspec
import pytest
from registry_making import WHO, a_plan, a_rollout, a_version, install, succeed

from registry.errors import AlreadyExists, InvalidRecord, NotFound, PlanConflict, StageConflict
from registry.store import rollouts


def moved(rollout, **changes):
    return msgspec.structs.replace(rollout, revision=rollout.revision + 1, **changes)


@pytest.fixture
def started(registry):
    install(registry, "v1.1.0", "v1.2.0")
    return registry.start_rollout(a_rollout(), **WHO)


def test_a_started_rollout_is_active_and_read_back_as_it_was(registry, started):
    assert registry.active_rollout("churn") == registry.rollout("r-0001") == started
    assert registry.rollouts() == registry.rollouts("churn") == [started]
    assert registry.rollouts("price") == []
    assert registry.active_rollout("price") is None


def test_rollouts_are_numbered_per_registry(registry, started):
    assert registry.next_rollout_id("churn") == registry.next_rollout_id("price") == "r-0002"


def test_the_next_number_is_one_that_nobody_has_taken(registry):
    install(registry, "v1.1.0")
    registry.start_rollout(a_rollout("r-0002"), **WHO)

    assert registry.next_rollout_id("churn") == "r-0003"


def test_a_second_active_rollout_is_refused(registry, started):
    with pytest.raises(StageConflict, match=r"r-0001 of v1\.1\.0 is running"):
        registry.start_rollout(a_rollout("r-0002", challenger="v1.2.0"), **WHO)
    assert registry.rollouts() == [started]


@pytest.mark.parametrize("status", ["waiting_approval", "paused"])
def test_a_waiting_or_paused_rollout_is_active_too(registry, started, status):
    registry.move_rollout(moved(started, status=status), **WHO)

    with pytest.raises(StageConflict, match=status):
        registry.start_rollout(a_rollout("r-0002", challenger="v1.2.0"), **WHO)


def test_an_archived_challenger_is_in_staging_with_its_rollout_or_not_at_all(registry, monkeypatch):
    install(registry, "v1.1.0")
    registry.set_stage("churn", "v1.1.0", "archived", **WHO)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as dies, pytest.raises(KeyboardInterrupt):
        dies.setattr(rollouts, "_note", killed)  # the last thing that a start writes
        registry.start_rollout(a_rollout(), **WHO)
    before = registry.version("churn", "v1.1.0").stage, registry.rollouts()
    registry.start_rollout(a_rollout(), **WHO)

    assert before == ("archived", [])
    assert registry.version("churn", "v1.1.0").stage == "staging"
    assert [one.action for one in registry.audit("churn", limit=2)] == ["rollout.started", "version.moved"]


def test_an_id_that_is_taken_is_refused(registry, started):
    registry.move_rollout(moved(started, status="aborted"), **WHO)

    with pytest.raises(AlreadyExists, match="Its id is taken"):
        registry.start_rollout(a_rollout("r-0001"), **WHO)


def test_a_rollout_against_a_former_champion_is_refused(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0")

    with pytest.raises(StageConflict, match=r"against v1\.0\.0, but v1\.1\.0 is in production"):
        registry.start_rollout(a_rollout("r-0002", challenger="v1.2.0"), **WHO)


def test_a_rejected_challenger_is_refused(registry):
    install(registry, "v1.1.0")
    registry.set_stage("churn", "v1.1.0", "rejected", **WHO)

    with pytest.raises(StageConflict, match="was rejected"):
        registry.start_rollout(a_rollout(), **WHO)


def test_a_rollout_that_starts_in_the_middle_is_refused(registry):
    install(registry, "v1.1.0")

    for wrong in (a_rollout(revision=3), a_rollout(status="succeeded")):
        with pytest.raises(InvalidRecord, match="Start at revision 1"):
            registry.start_rollout(wrong, **WHO)


def test_a_move_commits_rollout_plan_and_stage_together(registry, started):
    plan = a_plan(2, challenger="v1.1.0", share=100_000)
    registry.move_rollout(moved(started, step=1), plan=plan, stages={"v1.1.0": "canary"}, **WHO)

    assert registry.rollout("r-0001").step == 1
    assert registry.plan("churn") == plan
    assert registry.version("churn", "v1.1.0").stage == "canary"
    assert [e.action for e in registry.audit(limit=3)] == ["plan.published", "rollout.moved", "version.moved"]


def test_a_move_whose_plan_comes_second_changes_nothing(registry, started):
    registry.publish_plan(a_plan(2))
    before = registry.audit()

    with pytest.raises(PlanConflict, match="The newest is epoch 2"):
        registry.move_rollout(moved(started, step=0), plan=a_plan(2), stages={"v1.1.0": "shadow"}, **WHO)
    assert registry.rollout("r-0001") == started
    assert registry.version("churn", "v1.1.0").stage == "staging"
    assert registry.audit() == before


@pytest.mark.parametrize("revision", [1, 3])
def test_a_move_from_an_unread_revision_is_refused(registry, started, revision):
    with pytest.raises(PlanConflict, match=f"evision {revision} does not follow 1"):
        registry.move_rollout(msgspec.structs.replace(started, revision=revision), **WHO)
    assert registry.rollout("r-0001") == started


def test_a_rollout_that_is_over_does_not_move(registry, started):
    over = registry.move_rollout(moved(started, status="aborted", said="no budget"), **WHO)

    with pytest.raises(StageConflict, match="r-0001 is aborted: no budget"):
        registry.move_rollout(moved(over, status="running"), **WHO)


def test_an_unknown_rollout_is_refused_with_those_that_are_known(registry, started):
    with pytest.raises(NotFound, match=r"no rollout 'r-0009'\. Why: Newest: r-0001"):
        registry.rollout("r-0009")
    with pytest.raises(NotFound):
        registry.move_rollout(a_rollout("r-0009", revision=2), **WHO)


@pytest.mark.parametrize("change", [{"challenger": "v1.2.0"}, {"champion": "v1.2.0"}])
def test_a_rollout_never_changes_who_it_is_about(registry, started, change):
    with pytest.raises(InvalidRecord, match="changed"):
        registry.move_rollout(moved(started, **change), **WHO)


def test_a_success_swaps_production_in_the_same_transaction(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0")

    assert registry.champion("churn").version == "v1.1.0"
    assert registry.version("churn", "v1.0.0").stage == "archived"
    assert registry.plan("churn").version_of("champion") == "v1.1.0"
    assert registry.active_rollout("churn") is None


def test_a_promotion_archives_the_champion_even_if_nobody_says_so(registry, started):
    registry.move_rollout(
        moved(started, status="succeeded"),
        plan=a_plan(2, champion="v1.1.0"),
        stages={"v1.1.0": "production"},
        **WHO,
    )

    assert [v.version for v in registry.versions("churn", "production")] == ["v1.1.0"]
    assert registry.version("churn", "v1.0.0").stage == "archived"


@pytest.mark.parametrize(
    ("stages", "plan"),
    [
        ({"v1.1.0": "production", "v1.0.0": "archived"}, None),
        ({"v1.2.0": "production"}, a_plan(2, champion="v1.2.0")),
        ({"v1.1.0": "production", "v1.2.0": "production"}, a_plan(2, champion="v1.1.0")),
        ({"v1.1.0": "production"}, a_plan(2, champion="v1.0.0")),
        ({"v1.0.0": "archived"}, a_plan(2, champion="v1.0.0")),
        ({"v1.0.0": "production"}, a_plan(2, champion="v1.0.0")),
        ({"v1.1.0": "staging"}, None),
    ],
    ids=[
        "without a plan",
        "of a third version",
        "of two",
        "with a plan of the old champion",
        "to nobody",
        "of the champion itself",
        "to where it is",
    ],
)
def test_an_unlawful_move_changes_nothing(registry, started, stages, plan):
    before = (registry.versions("churn"), registry.audit(), registry.plan("churn"))

    with pytest.raises(StageConflict):
        registry.move_rollout(moved(started), plan=plan, stages=stages, **WHO)
    assert (registry.versions("churn"), registry.audit(), registry.plan("churn")) == before
    assert registry.rollout("r-0001") == started


def test_a_plan_of_another_model_is_refused(registry, started):
    registry.register_version(a_version(model="price"))

    with pytest.raises(InvalidRecord, match="it is of price, not churn"):
        registry.move_rollout(moved(started), plan=a_plan(1, model="price"), **WHO)
