"""Laws of the gate: who signs, in which order and how their names are written changes nothing."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_making import NOON, WHO, a_rollout, install

from registry.approval import ROLES, is_approved, person
from registry.errors import Refusal
from registry.records.rollout import Gate
from registry.store.registry import Registry

NAMES = ["ann", "Ann ", "ANN", "bob", " Bob", "cleo", "c\u200bleo"]
SIGNED = st.fixed_dictionaries(
    {
        "role": st.sampled_from([*ROLES, "risk"]),
        "actor": st.sampled_from(NAMES),
        "decision_digest": st.sampled_from("de"),
    }
)
WISHES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([*ROLES, "risk", "king"]), st.sampled_from(["fine by me", "ok"])),
    max_size=12,
)


@given(approvals=st.lists(SIGNED, max_size=8), roles=st.sampled_from([ROLES, (*ROLES, "risk"), ("risk",)]))
def test_it_is_approved_if_and_only_if_the_roles_can_be_given_to_different_people(approvals, roles):
    said = {(one["role"], person(one["actor"])) for one in approvals if one["decision_digest"] == "d"}
    possible = any(
        all(pair in said for pair in zip(roles, people, strict=True))
        for people in permutations({name for _, name in said}, len(roles))
    )

    assert is_approved(approvals, "d", roles) == possible


@given(approvals=st.lists(SIGNED, max_size=6), data=st.data())
def test_the_order_of_sign_offs_does_not_matter(approvals, data):
    other = data.draw(st.permutations(approvals))

    assert is_approved(other, "d") == is_approved(approvals, "d")


@given(approvals=st.lists(SIGNED, max_size=6), more=SIGNED)
def test_another_yes_never_takes_an_approval_away(approvals, more):
    assert not is_approved(approvals, "d") or is_approved([*approvals, more], "d")


@given(name=st.text(max_size=20))
def test_folding_a_name_twice_is_folding_it_once(name):
    assert person(person(name)) == person(name)
    assert person(f"  {name}\t") == person(name)
    assert person(f"\u200b{name}") == person(name)


@pytest.fixture
def opened(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as registry:
        install(registry, "v1.1.0")
        yield registry


def test_whatever_people_try_the_gate_opens_for_three_different_ones_only(opened):
    gate = Gate(roles=(*ROLES, "risk"), approvers={"risk": ("Cleo", "Bob")})

    @settings(max_examples=40)
    @given(wishes=WISHES)
    def tried(wishes):
        if (before := opened.active_rollout("churn")) is not None:
            opened.sign(before.id, actor="end", role=ROLES[0], reason="the next one", answer="reject", at=NOON)
        name = opened.next_rollout_id("churn")
        opened.start_rollout(a_rollout(name, status="waiting_approval", gate=gate), **WHO)
        for actor, role, reason in wishes:
            try_to_sign(opened, name, actor, role, reason)
        given_by = [(one["role"], person(one["actor"])) for one in opened.approvals(name)]
        people = [who for _, who in given_by]
        assert len(people) == len(set(people))
        assert {role for role, _ in given_by} <= set(gate.roles)
        assert all(who in ("cleo", "bob") for role, who in given_by if role == "risk")
        assert opened.gate(name).complete == ({role for role, _ in given_by} == set(gate.roles))

    tried()
    assert opened.verify_audit() == []


def try_to_sign(registry, name, actor, role, reason):
    try:
        registry.sign(name, actor=actor, role=role, reason=reason, at=NOON)
    except Refusal as refusal:
        assert refusal.why.endswith(".")
        assert refusal.mend
