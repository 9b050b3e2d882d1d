"""Whatever the registry is told to do leaves who, what, why, when, before and after in the trail; looks do not."""

import inspect

import msgspec
import pytest
from registry_making import (
    NOON,
    WHO,
    a_decision,
    a_notice,
    a_plan,
    a_rollout,
    a_version,
    a_watch,
    an_event,
    install,
    succeed,
)

from registry.store.base import Store
from registry.store.registry import Registry
from registry.store.retention import Keep


def begun(registry):
    install(registry, "v1.1.0")
    return registry.start_rollout(a_rollout(), **WHO)


def moved(registry, **changes):
    registry.move_rollout(msgspec.structs.replace(begun(registry), revision=2, **changes), **WHO)


def resumed(registry):
    install(registry, "v1.1.0")
    paused = registry.start_rollout(a_rollout(status="paused"), **WHO)
    registry.move_rollout(msgspec.structs.replace(paused, revision=2, status="running"), **WHO)


def promoted(registry):
    install(registry, "v1.1.0")
    registry.add_retraining_event(an_event(retrained_version="v1.1.0"))
    succeed(registry, "v1.1.0", watch=a_watch(), notices=[a_notice()])


def watched(registry):
    promoted(registry)
    registry.move_watch(msgspec.structs.replace(a_watch(), status="passed", looks=1), **WHO)


def rolled_back(registry):
    promoted(registry)
    registry.roll_back("churn", **WHO)


def signed(registry, **said):
    begun(registry)
    registry.sign("r-0001", role="ml_lead", **WHO | said)


def retrained(registry):
    registry.add_retraining_event(an_event())
    registry.update_retraining_event(an_event(execution_attempted=True))


def archived(registry):
    install(registry, "v1.1.0", "v1.2.0")
    registry.archive("churn", "v1.1.0", **WHO)
    registry.set_stage("churn", "v1.2.0", "archived", **WHO)
    registry.give_up("churn", Keep(1, 0), **WHO)


def pruned(registry):
    registry.save_drift_report("churn", NOON, {})
    registry.prune_drift_reports("churn", keep=0, **WHO)


# The methods that are tried, what is done, and what the trail must say of it.
OPERATIONS = {
    "register_version install_first": (install, {"version.registered", "version.moved", "plan.published"}),
    "set_stage archive give_up": (archived, {"version.moved", "artifact.deleted"}),
    "publish_plan": (lambda r: (install(r), r.publish_plan(a_plan(2))), {"plan.published"}),
    "start_rollout": (begun, {"rollout.started"}),
    "move_rollout to pause": (lambda r: moved(r, status="paused"), {"rollout.paused"}),
    "move_rollout to resume": (resumed, {"rollout.resumed"}),
    "move_rollout to skip": (lambda r: moved(r, step=1), {"rollout.moved"}),
    "move_rollout to ask": (lambda r: moved(r, status="waiting_approval"), {"rollout.asked"}),
    "move_rollout to abort": (lambda r: moved(r, status="aborted"), {"rollout.aborted"}),
    "move_rollout to promote": (promoted, {"rollout.promoted", "watch.began", "retraining.promoted"}),
    "sign yes": (signed, {"rollout.approved"}),
    "sign no": (lambda r: signed(r, answer="reject"), {"rollout.declined", "rollout.aborted"}),
    "roll_back": (rolled_back, {"version.moved", "plan.published", "watch.rolled_back", "incident.written"}),
    "move_watch": (watched, {"watch.passed"}),
    "add_retraining_event update_retraining_event": (retrained, {"retraining.triggered", "retraining.updated"}),
    "save_decision": (lambda r: r.save_decision(a_decision()), {"decision.saved"}),
    "prune_drift_reports": (pruned, {"history.pruned"}),
    "record": (
        lambda r: r.record(model="churn", action="schedule.changed", subject="monitor", **WHO),
        {"schedule.changed"},
    ),
}
# What is only seen, or sent, is no decision: there are thousands a day, and none of them moves a caller.
UNAUDITED = {"pulse", "add_notice", "mark_notice", "save_drift_report"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_what_why_and_when_are_in_the_trail(registry, name):
    act, actions = OPERATIONS[name]
    act(registry)
    entries = registry.audit()

    assert actions <= {entry.action for entry in entries}
    assert all(entry.actor and entry.model and entry.subject and entry.at == NOON for entry in entries)
    assert all(entry.reason for entry in entries if not entry.action.startswith("retraining.updated"))
    assert registry.verify_audit() == []


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith(("move_", "roll_back"))])
def test_every_change_of_a_state_says_what_was_before_and_after(registry, name):
    OPERATIONS[name][0](registry)
    changes = [e for e in registry.audit() if e.action.split(".")[0] in ("rollout", "watch", "version", "plan")]
    told = [e for e in changes if not e.action.endswith((".started", ".began", ".registered"))]

    assert all(entry.before != entry.after and entry.after for entry in told)
    assert all(entry.before for entry in told if entry.subject != "epoch 1")


def test_no_method_that_writes_was_forgotten():
    tried = {word for name in OPERATIONS for word in name.split()}
    writing = {
        name
        for name, method in inspect.getmembers(Registry, inspect.isfunction)
        if not name.startswith("_") and not hasattr(Store, name) and "_writes()" in inspect.getsource(method)
    }

    assert writing - UNAUDITED <= tried
    assert writing >= UNAUDITED


def test_what_is_only_seen_leaves_no_entry(registry):
    begun(registry)
    before = registry.audit()
    registry.pulse("r-0001", step=0, baked_s=1.0, at=NOON)
    registry.add_notice(a_notice())
    registry.mark_notice("r-0001:promote:2", status="sent", attempts=1, next_at=NOON)
    registry.save_drift_report("churn", NOON, {})

    assert registry.audit() == before


def test_a_person_without_a_name_changes_nothing(registry):
    from registry.errors import InvalidRecord

    install(registry)
    before = registry.audit()
    with pytest.raises(InvalidRecord, match="its actor is empty"):
        registry.record(model="churn", action="a", subject="s", **WHO | {"actor": " "})
    registry.register_version(a_version("v2.0.0"))

    assert len(registry.audit()) == len(before) + 1
