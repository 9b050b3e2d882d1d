"""`understudy approve`: see what is asked, say yes or no, and be told all that is wrong."""

import pytest
from cli_making import NOON, WHO

from registry.home import Settings
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Gate, Rollout, Step
from registry.store.registry import Registry

READ = ("--reason", "read the report")


@pytest.fixture
def asked(furnished):
    """A rollout that asks people; as ml_lead only ann may sign."""
    rollout = Rollout(
        id="r-0001",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=100_000, min_s=0, max_s=1), Step(share=1_000_000, min_s=0, max_s=1)),
        policy=PromotionPolicy(metric="loss"),
        salt="churn.r-0001",
        status="waiting_approval",
        gate=Gate(approvers={"ml_lead": ("ann",)}),
        step_started_at=NOON,
        created_at=NOON,
    )
    with Registry.open(Settings().registry_url) as registry:
        registry.start_rollout(rollout, **WHO)
    return furnished


def approvals():
    with Registry.open(Settings().registry_url) as registry:
        return [(one["actor"], one["role"]) for one in registry.approvals("r-0001")]


def test_two_people_agree(asked):
    first = asked("approve", "churn", "--role", "ml_lead", "--actor", "ann", *READ)
    assert "ann agreed to r-0001 as ml_lead; still missing: business_owner." in first.out

    second = asked("approve", "churn", "--role", "business_owner", "--actor", "bob", "--json", *READ)

    assert second.json == {"rollout": "r-0001", "status": "waiting_approval", "approved": True, "missing": []}
    assert approvals() == [("ann", "ml_lead"), ("bob", "business_owner")]


def test_what_is_asked_is_shown_with_eleven_points_and_nothing_is_signed(asked):
    shown = asked("approve", "churn", "--show")

    assert shown.code == 0
    for said in ("May it begin, with 10 % of callers?", "Who signs", "ann", "Checklist", "strategy custom"):
        assert said in shown.out
    found = asked("approve", "churn", "--show", "--json").json
    assert len(found["checklist"]) == 11
    assert found["gate"]["missing"] == ["ml_lead", "business_owner"]
    assert approvals() == []


def test_a_no_ends_the_rollout(asked):
    said = asked("approve", "churn", "--role", "business_owner", "--actor", "bob", "--reject", *READ)

    assert said.out.strip() == "bob said no to r-0001 as business_owner: it has ended, v1.0.0 stays the champion."
    assert "no active rollout" in asked("approve", "churn", "--show").refused()


def test_all_mistakes_are_told_at_once_and_nothing_is_signed(asked):
    said = asked("approve", "churn", "--role", "king", "--reason", "ok", "--actor", "bob", "--digest", "feed" * 4)

    for mistake in ("'king' is no role", "'ok' is too short", "for another report"):
        assert mistake in said.refused()
    assert approvals() == []


def test_who_may_not_sign_is_told_whom_to_ask(asked):
    said = asked("approve", "churn", "--role", "ml_lead", "--actor", "bob", *READ).refused()

    assert "'bob' may not sign as ml_lead" in said
    assert "Ask ann." in said


@pytest.mark.parametrize(
    ("words", "missing"),
    [((), "--role and --reason are missing"), (READ, "--role is missing"), (("--role", "ml_lead"), "--reason is")],
)
def test_what_is_missing_is_named_and_how_to_look_first(asked, words, missing):
    said = asked("approve", "churn", *words).refused()

    assert missing in said
    assert "understudy approve churn --show" in said


def test_a_digest_that_was_shown_is_taken(asked):
    digest = asked("approve", "churn", "--show", "--json").json["gate"]["bound_to"]

    said = asked("approve", "churn", "--role", "ml_lead", "--actor", "ann", "--digest", digest[:16], *READ)

    assert said.code == 0
    assert approvals() == [("ann", "ml_lead")]
