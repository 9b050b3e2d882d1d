"""Signing over HTTP: the token says who it is; the registry decides, as it does everywhere."""

import asyncio

import httpx
import pytest
from admin_making import TOKENS, Admin, bearer
from router_live import AT

from registry.records.policy import PromotionPolicy
from registry.records.rollout import Gate, Rollout, Step
from router.admin import admin_app

PATH = "/v1/models/m/approvals"
YES = {"decision": "approve", "reason": "read the report"}
PEOPLE = {"ann": "n" * 16, "bob": "b" * 16}


@pytest.fixture
def asked(registry):
    steps = (Step(share=100_000, min_s=0, max_s=10), Step(share=1_000_000, min_s=0, max_s=10))
    rollout = Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=steps,
        policy=PromotionPolicy(metric="brier"),
        salt="r-0001",
        status="waiting_approval",
        gate=Gate(approvers={"ml_lead": ("ann", "the-approver")}),
        step_started_at=AT,
        created_at=AT,
    )
    return registry.start_rollout(rollout, actor="test", reason="test", at=AT)


@pytest.fixture
def people(settings, keeper):
    lines = [f"the-{role} {role} {token}\n" for role, token in TOKENS.items()]
    lines += [f"{name} approver {token}\n" for name, token in PEOPLE.items()]
    settings.tokens_file.write_text("".join(lines))
    admin = Admin(admin_app(keeper, "secret", settings))
    return {name: admin.holding(token) for name, token in (TOKENS | PEOPLE).items()} | {"shared": admin}


def test_two_people_sign_with_their_own_tokens(people, asked, registry, keeper):
    assert people["ann"].post(PATH, json=YES | {"role": "ml_lead"}).json()["missing"] == ["business_owner"]
    shown = people["viewer"].get(PATH).json()
    assert (shown["gate"]["question"], shown["decision"]) == ("begin", None)
    assert [(one["actor"], one["role"]) for one in shown["gate"]["signed"]] == [("ann", "ml_lead")]

    answer = people["bob"].post(PATH, json=YES | {"role": "business_owner", "digest": shown["gate"]["bound_to"]})

    assert (answer.status_code, answer.json()["complete"]) == (200, True)
    assert [one["actor"] for one in registry.approvals("r-0001")] == ["ann", "bob"]
    assert {entry.after["via"] for entry in registry.audit(action="rollout.approved")} == {"token"}
    assert [note["kind"] for note in keeper.notes("m", 10)] == ["agreed"]


def test_the_flows_hear_of_a_no_too(people, asked, registry, keeper):
    said = YES | {"role": "ml_lead", "decision": "reject"}

    assert people["ann"].post(PATH, json=said).status_code == 200
    assert [note["kind"] for note in keeper.notes("m", 10)] == ["steered"]


def test_nobody_signs_with_the_name_of_another(people, asked, registry):
    refused = people["ann"].post(PATH, json=YES | {"role": "business_owner", "actor": "bob"})

    assert (refused.status_code, refused.json()["why"]) == (
        403,
        "The token is that of ann, but the request says 'bob'.",
    )
    assert people["ann"].post(PATH, json=YES | {"role": "ml_lead"}, headers={"X-Actor": "bob"}).status_code == 403
    assert registry.approvals("r-0001") == []


def test_the_shared_token_vouches_for_nobody_and_must_say_who(people, asked, registry):
    assert "actor missing" in people["shared"].post(PATH, json=YES | {"role": "ml_lead"}).json()["why"]
    assert people["shared"].post(PATH, json=YES | {"role": "ml_lead", "actor": "ann"}).status_code == 200
    assert registry.approvals("r-0001")[0]["actor"] == "ann"


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_only_approvers_sign(people, asked, who):
    assert people[who].post(PATH, json=YES | {"role": "ml_lead"}).status_code == 403
    assert people[who].get(PATH).status_code == 200


def test_who_may_not_sign_is_forbidden_and_noted(people, asked, registry):
    refused = people["bob"].post(PATH, json=YES | {"role": "ml_lead"})

    assert (refused.status_code, refused.json()["why"]) == (403, "'bob' may not sign as ml_lead.")
    assert registry.audit(action="approval.refused")[0].actor == "bob"


@pytest.mark.parametrize(
    ("body", "mistakes"),
    [
        ({}, ["reason missing"]),
        ({"reason": "long enough"}, ["role is None", "decision is None"]),
        (YES | {"role": "ml_lead", "decision": "perhaps"}, ["decision is 'perhaps'"]),
        (YES | {"role": "king", "reason": "why"}, ["'why' is too short", "'king' is no role"]),
        (YES | {"role": "ml_lead", "digest": "f" * 64}, ["for another report"]),
        (YES | {"role": "ml_lead", "digest": 7}, ["digest is 7"]),
        (YES | {"role": "ml_lead", "colour": "red"}, ["unknown field"]),
    ],
)
def test_all_that_is_wrong_is_named(people, asked, registry, body, mistakes):
    refused = people["ann"].post(PATH, json=body)

    assert refused.status_code == 422
    for mistake in mistakes:
        assert mistake in refused.json()["why"]
    assert registry.approvals("r-0001") == []


def test_a_no_ends_the_rollout(people, asked, registry):
    answer = people["bob"].post(PATH, json=YES | {"role": "business_owner", "decision": "reject"})

    assert (answer.status_code, answer.json()["status"]) == (200, "aborted")
    assert people["bob"].get(PATH).status_code == 404
    assert people["bob"].post(PATH, json=YES | {"role": "business_owner"}).status_code == 404


def test_of_many_answers_at_once_one_person_gets_one_role(people, asked, registry):
    async def storm():
        transport = httpx.ASGITransport(people["ann"].app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://admin", headers=bearer(PEOPLE["ann"])
        ) as ann:
            roles = ["ml_lead", "business_owner"] * 8
            return await asyncio.gather(*(ann.post(PATH, json=YES | {"role": role}) for role in roles))

    answers = asyncio.run(storm())

    assert sorted({answer.status_code for answer in answers}) == [200, 403]
    assert len(registry.approvals("r-0001")) == 1
