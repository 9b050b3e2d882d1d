"""The approval gate: who may sign, what counts, and what a no does."""

import msgspec
import pytest
from registry_making import NOON, WHO, a_decision, a_plan, a_rollout, install

from registry.approval import approval_digest, is_agreed
from registry.errors import ApprovalForbidden, ApprovalRefused, NotFound, StageConflict
from registry.records.rollout import Gate

ASKED = {"reason": "read the report", "at": NOON}


@pytest.fixture
def asked(registry):
    """A rollout that waits for people."""
    install(registry, "v1.1.0")
    registry.save_decision(a_decision())
    return begun(registry)


def begun(registry, **changes):
    wanted = a_rollout(**{"status": "waiting_approval", "decision_id": "d-1"} | changes)
    return registry.start_rollout(wanted, **WHO)


def sign(registry, actor, role, **said):
    return registry.sign("r-0001", actor=actor, role=role, **ASKED | said)


def actions(registry):
    return [entry.action for entry in reversed(registry.audit()) if entry.action.startswith(("approval", "rollout"))]


def test_two_people_in_two_roles_open_the_gate(registry, asked):
    first = sign(registry, "ann", "ml_lead")
    assert (first.complete, first.missing) == (False, ("business_owner",))

    assert sign(registry, "bob", "business_owner").complete
    assert is_agreed(registry, registry.rollout("r-0001"))
    given = registry.approvals("r-0001")
    assert [(one["actor"], one["role"], one["at"]) for one in given] == [
        ("ann", "ml_lead", "2026-03-01T12:00:00Z"),
        ("bob", "business_owner", "2026-03-01T12:00:00Z"),
    ]
    assert actions(registry)[1:] == ["rollout.approved", "rollout.approved"]
    assert registry.verify_audit() == []


def test_saying_yes_twice_changes_nothing(registry, asked):
    sign(registry, "ann", "ml_lead")
    before = (registry.approvals("r-0001"), registry.audit(), registry.notices())

    sign(registry, " ANN", "ml_lead", reason="I said so already")

    assert (registry.approvals("r-0001"), registry.audit(), registry.notices()) == before


@pytest.mark.parametrize("again", ["ann", "Ann ", "ANN", "\u200bann", "\uff41nn"])
def test_one_person_is_not_two_however_the_name_is_written(registry, asked, again):
    sign(registry, "ann", "ml_lead")

    with pytest.raises(ApprovalForbidden, match=r"already agreed as ml_lead.*Another person"):
        sign(registry, again, "business_owner")
    assert registry.gate("r-0001").missing == ("business_owner",)
    assert actions(registry)[-1] == "approval.refused"


def test_only_people_on_the_list_may_sign(registry):
    install(registry, "v1.1.0")
    begun(registry, decision_id=None, gate=Gate(approvers={"ml_lead": ("Ann Lee", "cleo")}))

    with pytest.raises(ApprovalForbidden, match=r"'bob' may not sign as ml_lead\. Mend: Ask Ann Lee or cleo\."):
        sign(registry, "bob", "ml_lead")
    assert sign(registry, "ann  lee", "ml_lead").missing == ("business_owner",)
    refused = registry.audit(action="approval.refused")[0]
    assert (refused.actor, refused.subject, refused.after["why"]) == (
        "bob",
        "r-0001",
        ["'bob' may not sign as ml_lead"],
    )


def test_all_mistakes_are_told_at_once(registry, asked):
    with pytest.raises(ApprovalRefused) as refused:
        registry.sign("r-0001", actor=" ", role="intern", reason="ok", at=NOON, answer="maybe", digest="feed" * 16)

    said = str(refused.value)
    for mistake in ("nobody is named", "'maybe'", "'ok' is too short", "'intern' is no role", "another report"):
        assert mistake in said
    assert "ml_lead, business_owner" in said
    assert actions(registry) == ["rollout.started"]


@pytest.mark.parametrize("changes", [{"actor": "x" * 129}, {"actor": "a\x07b"}, {"reason": "x" * 2001}])
def test_what_cannot_be_kept_is_refused(registry, asked, changes):
    with pytest.raises(ApprovalRefused):
        registry.sign("r-0001", **{"actor": "ann", "role": "ml_lead"} | ASKED | changes)
    assert registry.approvals("r-0001") == []


def test_a_sign_off_may_name_what_was_read(registry, asked):
    digest = approval_digest(registry, asked)

    with pytest.raises(ApprovalRefused, match=r"too short"):
        sign(registry, "ann", "ml_lead", digest=digest[:8])
    assert sign(registry, "ann", "ml_lead", digest=digest[:12].upper()).signed[0].bound_to == digest


def test_a_changed_decision_takes_all_sign_offs_back(registry, asked):
    sign(registry, "ann", "ml_lead")
    old = sign(registry, "bob", "business_owner").bound_to
    registry.save_decision(a_decision("d-2", headline="It is better still."))
    registry.move_rollout(msgspec.structs.replace(asked, revision=2, decision_id="d-2"), **WHO)

    state = registry.gate("r-0001")
    assert (state.complete, state.signed, len(state.stale)) == (False, (), 2)
    with pytest.raises(ApprovalRefused, match="for another report"):
        sign(registry, "ann", "ml_lead", digest=old)


@pytest.mark.parametrize("changes", [{"step": 0}, {"gate": Gate(roles=("ml_lead",))}, {"strategy": "ab"}])
def test_the_digest_covers_step_gate_and_strategy(registry, asked, changes):
    assert approval_digest(registry, msgspec.structs.replace(asked, **changes)) != approval_digest(registry, asked)


@pytest.mark.parametrize("changes", [{"revision": 7}, {"said": "asks"}, {"status": "paused"}])
def test_the_digest_does_not_cover_what_people_do_not_read(registry, asked, changes):
    assert approval_digest(registry, msgspec.structs.replace(asked, **changes)) == approval_digest(registry, asked)


def test_a_no_before_the_first_step_ends_the_rollout(registry, asked):
    state = sign(registry, "bob", "business_owner", answer="reject", reason="black friday")

    ended = registry.rollout("r-0001")
    assert (ended.status, ended.said) == ("aborted", "bob said no as business_owner: black friday")
    assert (state.status, registry.champion("churn").version) == ("aborted", "v1.0.0")
    assert registry.plan("churn").epoch == 1
    assert actions(registry)[1:] == ["rollout.declined", "rollout.aborted"]
    assert registry.audit(action="rollout.declined")[0].reason == "black friday"
    assert [one.kind for one in registry.notices()] == ["rollout.aborted"]


def test_a_no_while_a_canary_runs_gives_all_callers_back(registry):
    install(registry, "v1.1.0")
    started = begun(registry, decision_id=None, status="running")
    serving = a_plan(2, challenger="v1.1.0", share=100_000, rollout_id="r-0001")
    moved = msgspec.structs.replace(started, revision=2, step=1, status="waiting_approval")
    registry.move_rollout(moved, plan=serving, stages={"v1.1.0": "canary"}, **WHO)

    sign(registry, "bob", "business_owner", answer="reject")

    plan = registry.plan("churn")
    assert (plan.epoch, plan.challengers, plan.shadows, plan.phase) == (3, (), (), "r-0001.aborted")
    assert registry.version("churn", "v1.1.0").stage == "staging"
    assert registry.active_rollout("churn") is None
    assert [(one.step, one.by) for one in registry.rollout("r-0001").results] == [(1, "bob")]
    assert registry.verify_audit() == []


def test_a_no_needs_the_right_person_too(registry):
    install(registry, "v1.1.0")
    begun(registry, decision_id=None, gate=Gate(approvers={"ml_lead": ("ann",)}))

    with pytest.raises(ApprovalForbidden):
        sign(registry, "bob", "ml_lead", answer="reject")
    assert registry.active_rollout("churn") is not None


def test_a_rollout_that_is_over_takes_no_answer(registry, asked):
    sign(registry, "ann", "ml_lead", answer="reject")

    with pytest.raises(StageConflict, match=r"of bob to r-0001 was not noted\. Why: r-0001 is aborted"):
        sign(registry, "bob", "business_owner")
    with pytest.raises(NotFound):
        registry.sign("r-0009", actor="ann", role="ml_lead", **ASKED)


def test_three_roles_need_three_people(registry):
    install(registry, "v1.1.0")
    begun(registry, decision_id=None, gate=Gate(roles=("ml_lead", "business_owner", "risk")))
    for actor, role in (("ann", "ml_lead"), ("bob", "business_owner")):
        assert not sign(registry, actor, role).complete
    with pytest.raises(ApprovalForbidden):
        sign(registry, "bob", "risk")

    assert sign(registry, "cleo", "risk").complete
