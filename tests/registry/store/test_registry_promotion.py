"""A promotion, or a rollback, commits all that belongs to it, or nothing."""

import msgspec
import pytest
from postgres_making import BOTH
from registry_making import (
    WHO,
    a_notice,
    a_plan,
    a_rollout,
    a_version,
    a_watch,
    an_event,
    an_incident,
    install,
    succeed,
)

from registry.errors import InvalidRecord, PlanConflict, StageConflict

PROMOTED = {"v1.1.0": "production", "v1.0.0": "archived"}


@BOTH
def test_a_promotion_begins_the_watch_and_keeps_the_notices(registry):
    install(registry, "v1.1.0")
    succeed(registry, "v1.1.0", watch=a_watch(), notices=[a_notice(), a_notice("other")])

    assert registry.watch("churn") == a_watch()
    assert [n.key for n in registry.notices("churn")] == ["other", "r-0001:promote:2"]
    assert [e.action for e in registry.audit(limit=3)] == ["watch.began", "plan.published", "rollout.promoted"]
    assert registry.incidents() == []


def test_a_promotion_closes_the_event_that_trained_the_version(registry):
    install(registry, "v1.1.0")
    event = an_event(retrained_version="v1.1.0", execution_metrics={"auc": 0.9}, notes="Trained.")
    registry.add_retraining_event(event)
    registry.add_retraining_event(an_event("retrain_20260301_002", retrained_version="v1.2.0"))
    succeed(registry, "v1.1.0")
    closed = registry.retraining_event(event.id)

    assert closed.execution_metrics == {"auc": 0.9, "promoted_at": "2026-03-01T12:00:00Z", "rollout_id": "r-0001"}
    assert closed.notes == "Trained. Promoted by r-0001."
    assert registry.retraining_event("retrain_20260301_002").notes == ""
    assert registry.audit(action="retraining.promoted")[0].subject == event.id


def test_a_promotion_replaces_the_watch_before_it(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0", watch=a_watch())
    succeed(registry, "v1.2.0", watch=a_watch("w-0002", version="v1.2.0", former="v1.1.0"))

    assert {w.id: w.status for w in registry.watches("churn")} == {"w-0001": "replaced", "w-0002": "active"}
    assert registry.watch("churn").version == "v1.2.0"


def test_a_watch_whose_number_was_taken_meanwhile_gets_the_next(registry):
    install(registry, "v1.1.0", "v1.2.0")
    succeed(registry, "v1.1.0", watch=a_watch())
    succeed(registry, "v1.2.0", watch=a_watch(version="v1.2.0", former="v1.1.0"))

    assert [w.id for w in registry.watches()] == ["w-0002", "w-0001"]
    assert registry.next_watch_id("churn") == "w-0003"


@BOTH
def test_a_rollback_of_the_rollout_itself_is_written_up(registry):
    install(registry, "v1.1.0")
    shown = rolled_back(registry)
    (found,) = registry.incidents("churn")

    assert (found.id, found.kind, found.version, found.restored) == ("i-0001", "rollout", "v1.1.0", "v1.0.0")
    assert (found.rollout_id, found.epoch, found.cause, found.actor) == ("r-0001", 3, "a test", "ann")
    assert found.facts["share_ppm"] == 100_000
    assert registry.incident("i-0001") == found
    assert registry.next_incident_id() == "i-0002"
    assert shown.status == "rolled_back"


def test_an_incident_of_the_caller_is_kept_instead(registry):
    install(registry, "v1.1.0")
    rolled_back(registry, incident=an_incident(epoch=3, facts={"requests": 400}))

    assert [i.facts for i in registry.incidents()] == [{"requests": 400}]


def test_nothing_is_written_up_before_anybody_was_answered(registry):
    install(registry, "v1.1.0")
    waiting = registry.start_rollout(a_rollout(status="waiting_approval"), **WHO)
    registry.move_rollout(msgspec.structs.replace(waiting, status="rolled_back", revision=2), **WHO)

    assert registry.incidents() == []


def test_an_abort_is_no_incident(registry):
    install(registry, "v1.1.0")
    rolled_back(registry, status="aborted")

    assert registry.incidents() == []
    assert registry.audit(action="rollout.aborted")


@pytest.mark.parametrize(
    ("along", "why"),
    [
        ({"watch": a_watch(version="v1.2.0")}, r"over churn v1\.2\.0, which it does not promote"),
        ({"watch": a_watch(status="passed")}, "begins passed"),
        ({"incident": an_incident()}, "takes nothing off"),
    ],
)
def test_what_does_not_belong_to_a_promotion_is_refused(registry, along, why):
    install(registry, "v1.1.0")

    with pytest.raises(InvalidRecord, match=why):
        succeed(registry, "v1.1.0", **along)
    assert registry.champion("churn").version == "v1.0.0"


def test_a_failure_in_the_last_step_undoes_the_whole_promotion(registry, monkeypatch):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(), **WHO)
    before = registry.audit()

    def fail(*_: object) -> None:
        raise StageConflict("Nothing was changed.", "The last step failed.", "Try again.")

    monkeypatch.setattr("registry.store.rollouts.add_notices", fail)
    with pytest.raises(StageConflict):
        registry.move_rollout(
            msgspec.structs.replace(started, revision=2, status="succeeded"),
            plan=a_plan(2, champion="v1.1.0"),
            stages=PROMOTED,
            watch=a_watch(),
            **WHO,
        )
    assert (registry.watches(), registry.audit(), registry.plan("churn").epoch) == ([], before, 1)


def test_who_was_too_late_hears_who_was_first(registry):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(), **WHO)
    bob = WHO | {"actor": "bob", "reason": "it is good"}
    won = msgspec.structs.replace(started, revision=2, status="succeeded", said="promoted")
    registry.move_rollout(won, plan=a_plan(2, champion="v1.1.0"), stages=PROMOTED, **bob)

    with pytest.raises(
        PlanConflict, match=r"succeeded: promoted\); bob was first, at 2026-03-01T12:00:00Z: it is good"
    ):
        registry.move_rollout(won, plan=a_plan(2, champion="v1.1.0"), stages=PROMOTED, **WHO)


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ("running", "paused", "rollout.paused"),
        ("paused", "running", "rollout.resumed"),
        ("running", "waiting_approval", "rollout.asked"),
        ("waiting_approval", "running", "rollout.moved"),
        ("running", "running", "rollout.moved"),
    ],
)
def test_the_trail_names_what_happened(registry, before, after, action):
    install(registry, "v1.1.0")
    started = registry.start_rollout(a_rollout(status=before), **WHO)
    registry.move_rollout(msgspec.structs.replace(started, revision=2, status=after), **WHO)
    entry = registry.audit(limit=1)[0]

    assert (entry.action, entry.before["status"], entry.after["status"]) == (action, before, after)


def rolled_back(registry, status="rolled_back", **along):
    """A rollout that began, and takes its challenger off by itself."""
    started = registry.start_rollout(a_rollout(), **WHO)
    split = msgspec.structs.replace(started, revision=2, step=1)
    registry.move_rollout(split, plan=a_plan(2, challenger="v1.1.0", share=100_000), stages={"v1.1.0": "canary"}, **WHO)
    ended = msgspec.structs.replace(split, revision=3, status=status)
    stage = "rejected" if status == "rolled_back" else "staging"
    return registry.move_rollout(ended, plan=a_plan(3), stages={"v1.1.0": stage}, **WHO, **along)


def test_a_version_registered_later_is_closed_by_its_newest_event(registry):
    install(registry, "v1.1.0")
    registry.register_version(a_version("v1.3.0"))
    for day in (1, 2):
        name, at = f"retrain_2026030{day}_001", WHO["at"].replace(day=day)
        registry.add_retraining_event(an_event(name, retrained_version="v1.1.0", triggered_at=at))
    succeed(registry, "v1.1.0")

    assert [bool(e.notes) for e in registry.retraining_events("churn")] == [True, False]
