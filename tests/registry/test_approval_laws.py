"""Laws of the gate: who signs, in which order and how their names are written changes nothing."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_making import NOON, WHO, a_rollout, install

from registry.approval import ROLES, is_approved
from registry.errors import Refusal
from registry.people import likeness, mixes_alphabets, person
from registry.records.rollout import Gate, Waiting
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


LOOK_THE_SAME = (
    "\u0410nn Lee",  # Cyrillic A
    "Ann L\u0435\u0435",
    "\u0391nn Lee",  # Greek Alpha
    "\u1d00nn Lee",  # small capital
    "Ann Lee\u3164",  # a filler of Hangul
    "Ann Lee\u2800",  # the blank of Braille
    "A\ufe0fnn Lee",  # a variation selector
    "A\u034fnn Lee",  # a joiner
    "Ann Lee.",
    "Ann-Lee",
)


@pytest.mark.parametrize("name", LOOK_THE_SAME, ids=ascii)
def test_names_that_look_the_same_are_one_person_at_the_gate(name):
    yes = [{"role": "ml_lead", "actor": "Ann Lee", "decision_digest": "d"}]

    assert likeness(name) == likeness("Ann Lee")
    assert not is_approved([*yes, {"role": "business_owner", "actor": name, "decision_digest": "d"}], "d")


@pytest.mark.parametrize(
    "name", ["Zoë Ödegård", "Анна Петрова", "Ann 山田", "佐々木", "Ka\u02bbiulani", "김 Lee", "कुमार"]
)
def test_names_as_people_write_them_are_in_one_alphabet(name):
    assert not mixes_alphabets(name)
    assert likeness(name)


def test_a_name_in_two_alphabets_and_one_without_a_letter_are_refused(opened):
    opened.start_rollout(a_rollout(status="waiting_approval"), **WHO)

    for name, why in (("\u13aann", "mixes alphabets"), ("\u3164", "nobody is named"), ("...", "nobody is named")):
        with pytest.raises(Refusal, match=why):
            opened.sign("r-0001", actor=name, role="ml_lead", reason="read the report", at=NOON)


@pytest.mark.parametrize("reason", ["\u200b" * 6, "\u3164" * 6, "half of a pair \ud800"], ids=ascii)
def test_a_reason_that_says_nothing_or_cannot_be_kept_is_refused(opened, reason):
    opened.start_rollout(a_rollout(status="waiting_approval"), **WHO)

    with pytest.raises(Refusal, match="reason"):
        opened.sign("r-0001", actor="ann", role="ml_lead", reason=reason, at=NOON)


def test_a_yes_after_the_end_of_the_question_is_refused_although_nobody_has_looked(opened):
    asked = Waiting(question="begin", bound_to="d" * 64, since=NOON, said="may it?")
    opened.start_rollout(a_rollout(status="waiting_approval", waiting=asked, gate=Gate(expire_s=3600)), **WHO)
    said = {"reason": "read the report", "role": "ml_lead"}

    with pytest.raises(Refusal, match="expired on 2026-03-01 13:00"):
        opened.sign("r-0001", actor="ann", at=NOON + timedelta(hours=1), **said)
    assert opened.sign("r-0001", actor="ann", at=NOON + timedelta(minutes=59), **said).signed


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
