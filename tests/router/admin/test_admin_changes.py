"""Every change is one plan and one line of the trail, by whoever held the token; sent twice it happens once."""

import asyncio
import json

import httpx
import msgspec
import pytest
from admin_making import SAID, SHARED, bearer
from router_live import AT, plan_after

from registry.approval import ROLES
from registry.assignment import TOTAL
from registry.records.plan import Arm, Slice
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step

KEYS = [f"key-{n}" for n in range(500)]


@pytest.fixture
def canary(registry):
    return registry.publish_plan(plan_after(registry, 100_000))


def begin(registry, *, approval=False):
    steps = tuple(Step(share=share, min_s=0, max_s=10) for share in (0, 100_000, 500_000))
    rollout = Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=steps,
        policy=PromotionPolicy(metric="brier", require_approval=approval),
        salt="r-0001",
        step_started_at=AT,
        created_at=AT,
    )
    return registry.start_rollout(rollout, actor="test", reason="test", at=AT)


def epochs(registry):
    return [plan.epoch for plan in registry.plans("m")]


def test_the_name_of_the_token_is_who_did_it(holders, registry):
    assert holders["operator"].post("/v1/models/m/pause", json={"reason": "night"}).json()["actor"] == "the-operator"
    claimed = holders["operator"].post("/v1/models/m/resume", json=SAID).json()

    assert (claimed["actor"], claimed["reason"]) == ("the-operator", "holiday (said by ann)")
    assert [entry.actor for entry in registry.audit(limit=2)] == ["the-operator"] * 2


def test_a_published_plan_is_its_publishers_whoever_it_names(holders, registry):
    answer = holders["approver"].put("/v1/models/m/plan", content=plan_after(registry, 100_000).to_json())

    assert (answer.status_code, answer.json()["actor"]) == (200, "the-approver")
    assert registry.audit(limit=1)[0].reason == "test (said by test)"


@pytest.mark.parametrize("verb", ["rollback", "pause", "advance"])
def test_every_change_has_an_entry_with_who_why_before_and_after(admin, registry, canary, verb):
    body = SAID | ({"share": 0.2} if verb == "advance" else {})
    answer = admin.post(f"/v1/models/m/{verb}", json=body)

    trail = registry.audit(limit=2)  # a rollback is written up as well
    entry = next(one for one in trail if one.action == "plan.published")
    assert answer.status_code == 200, answer.text
    assert (entry.actor, entry.reason) == ("ann", "holiday")
    assert entry.at > AT
    assert (entry.before["epoch"], entry.after["epoch"]) == (2, 3)
    assert entry.before != entry.after
    assert admin.get("/v1/audit", params={"limit": "1"}).json()["entries"][0]["hash"] == trail[0].hash
    assert admin.get("/v1/audit/verify").json() == {"intact": True, "findings": []}


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ({"actor": "ann", "reason": "x", "force": True}, "'force': unknown field"),
        ({"actor": 5, "reason": "x"}, "actor is 5, expected a text"),
        ({"actor": "ann", "reason": "x" * 2001}, "reason is 'xxx"),
        ({"actor": "a\0b", "reason": "x"}, "actor is 'a\\x00b'"),
        ({"actor": "ann", "reason": "x", "epoch": "2"}, "epoch is '2', expected a number"),
    ],
)
def test_a_mistake_is_named_with_field_value_and_expectation(admin, registry, body, mistake):
    answer = admin.post("/v1/models/m/pause", json=body)

    assert answer.status_code == 422
    assert mistake in answer.json()["why"]
    assert epochs(registry) == [1]


def test_a_change_that_means_another_plan_than_the_one_in_force_is_a_conflict(admin, registry, canary):
    for verb in ("pause", "rollback", "advance"):
        answer = admin.post(
            f"/v1/models/m/{verb}", json=SAID | {"epoch": 1, **({"share": 0.1} if verb == "advance" else {})}
        )
        assert answer.status_code == 409, verb
        assert "Plan 2 is in force, published by test" in answer.json()["why"]

    assert admin.post("/v1/models/m/pause", json=SAID | {"epoch": 2}).status_code == 200
    assert epochs(registry) == [3, 2, 1]


def test_a_body_larger_than_any_plan_is_refused(admin):
    assert admin.put("/v1/models/m/plan", content=b" " * (8 << 20) + b"1").status_code == 413
    assert admin.post("/v1/models/m/pause", content=b" " * (8 << 20) + b"1").status_code == 413


def test_a_change_sent_again_under_its_key_is_answered_again_and_made_once(admin, registry, canary):
    key = {"Idempotency-Key": "k1"}
    first, again = (admin.post("/v1/models/m/advance", json=SAID | {"share": 0.3}, headers=key) for _ in range(2))

    assert first.json() == again.json()
    assert (first.headers.get("idempotent-replay"), again.headers["idempotent-replay"]) == (None, "true")
    assert epochs(registry) == [3, 2, 1]
    other = admin.post("/v1/models/m/advance", json=SAID | {"share": 0.4}, headers=key)
    assert (other.status_code, other.json()["why"]) == (422, "Its Idempotency-Key came before with another body.")


def test_a_key_whose_change_was_refused_is_free_again(admin, registry, canary):
    key = {"Idempotency-Key": "k1"}
    body = SAID | {"epoch": 3, "share": 0.3}
    assert admin.post("/v1/models/m/advance", json=body, headers=key).status_code == 409
    registry.publish_plan(plan_after(registry, 100_000))

    assert admin.post("/v1/models/m/advance", json=body, headers=key).status_code == 200


def test_a_rollback_sent_twice_is_one_rollback(admin, registry, canary):
    first, again = (admin.post("/v1/models/m/rollback", json=SAID) for _ in range(2))

    assert first.json() == again.json()
    assert first.json()["arms"] == [{"variant": "champion", "version": "v1.0.0"}]
    assert epochs(registry) == [3, 2, 1]


def test_the_same_words_end_a_rollout_that_began_after_the_last_rollback(admin, registry, canary):
    admin.post("/v1/models/m/rollback", json=SAID)
    begin(registry)

    admin.post("/v1/models/m/rollback", json=SAID)

    assert registry.active_rollout("m") is None
    assert registry.champion("m").version == "v1.0.0"


def promoted(registry):
    begin(registry)
    moved = msgspec.structs.replace(registry.rollout("r-0001"), revision=2, status="succeeded")
    alone = (Slice(variant="champion", weight=TOTAL),)
    arms = (Arm(variant="champion", version="v1.1.0"),)
    new = plan_after(registry, 0, slices=alone, arms=arms, phase="r-0001.promoted")
    stages = {"v1.1.0": "production", "v1.0.0": "archived"}
    registry.move_rollout(moved, plan=new, stages=stages, actor="test", reason="test", at=AT)


def test_two_people_and_one_incident_are_one_rollback(admin, registry):
    promoted(registry)
    registry.publish_plan(
        plan_after(
            registry,
            100_000,
            arms=(Arm(variant="champion", version="v1.1.0"), Arm(variant="challenger", version="v1.0.0")),
        )
    )
    answers = [admin.post("/v1/models/m/rollback", json={"actor": who, "reason": "errors"}).json() for who in "ab"]

    assert answers[0] == answers[1]
    assert registry.champion("m").version == "v1.1.0"


def test_the_champion_goes_back_when_no_challenger_was_there_and_only_once(admin, registry):
    promoted(registry)
    answers = [admin.post("/v1/models/m/rollback", json=SAID).json() for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert registry.champion("m").version == "v1.0.0"


def test_only_an_approver_chooses_what_comes_back(holders, registry):
    promoted(registry)
    body = SAID | {"to": "v1.0.0"}

    assert holders["operator"].post("/v1/models/m/rollback", json=body).status_code == 403
    assert registry.champion("m").version == "v1.1.0"
    assert holders["approver"].post("/v1/models/m/rollback", json=body).status_code == 200
    assert registry.champion("m").version == "v1.0.0"


def test_a_share_changes_within_the_home_of_its_challenger(admin, registry, canary):
    wider = admin.post("/v1/models/m/advance", json=SAID | {"share": 0.4, "variant": "challenger"})

    assert wider.status_code == 200, wider.text
    plan = registry.plan("m")
    assert (plan.weight_of("challenger"), plan.phase, plan.salt) == (400_000, "share.3", canary.salt)
    before = {key for key in KEYS if canary.assign(key).variant == "challenger"}
    after = {key for key in KEYS if plan.assign(key).variant == "challenger"}
    assert before < after


def test_of_two_challengers_one_is_named_and_the_other_left_alone(admin, registry):
    slices = (("b", 100_000), ("champion", 400_000), ("c", 200_000), ("champion", 300_000))
    arms = (("champion", "v1.0.0"), ("b", "v1.1.0"), ("c", "v1.1.0"))
    registry.publish_plan(
        plan_after(
            registry,
            0,
            slices=tuple(Slice(variant=v, weight=w) for v, w in slices),
            arms=tuple(Arm(variant=v, version=w) for v, w in arms),
        )
    )
    refusals = [
        ({"share": 0.1}, "There are 2 challengers."),
        ({"share": 0.1, "variant": "d"}, "'d' is no challenger."),
        ({"share": 0.6, "variant": "b"}, "0.6 is more than its home of 0.5."),
        ({}, "No rollout is active, and no share was named."),
    ]
    for body, why in refusals:
        answer = admin.post("/v1/models/m/advance", json=SAID | body)
        assert (answer.status_code, answer.json()["why"]) == (409, why)
    assert admin.post("/v1/models/m/advance", json=SAID | {"share": 0.5, "variant": "b"}).status_code == 200

    plan = registry.plan("m")
    assert (plan.weight_of("b"), plan.weight_of("c"), sum(s.weight for s in plan.slices)) == (500_000, 200_000, TOTAL)


@pytest.mark.parametrize("share", [-0.1, 1.1, "half", True, [], 1e400])
def test_a_share_that_is_none_is_refused(admin, registry, canary, share):
    answer = admin.post("/v1/models/m/advance", content=json.dumps(SAID | {"share": share}))

    assert answer.status_code == 422
    assert epochs(registry) == [2, 1]


def test_a_rollout_is_stepped_to_its_end_and_the_end_takes_an_approver(holders, registry):
    begin(registry)
    plans = [holders["operator"].post("/v1/models/m/advance", json=SAID) for _ in range(3)]

    assert [plan.status_code for plan in plans] == [200, 200, 200]
    assert [plan.json()["phase"] for plan in plans] == ["r-0001.0", "r-0001.1", "r-0001.2"]
    assert registry.version("m", "v1.1.0").stage == "canary"
    assert holders["operator"].post("/v1/models/m/advance", json=SAID).status_code == 403
    assert holders["approver"].post("/v1/models/m/advance", json=SAID).json()["phase"] == "r-0001.promoted"
    assert (registry.champion("m").version, registry.rollout("r-0001").status) == ("v1.1.0", "succeeded")
    assert registry.verify_audit() == []


def test_the_flows_hear_of_everything_that_people_do_to_a_rollout(admin, registry, keeper):
    begin(registry)
    for verb in ("advance", "pause", "pause", "resume"):
        assert admin.post(f"/v1/models/m/{verb}", json=SAID).status_code == 200

    heard = [note["said"] for note in reversed(keeper.notes("m", 10)) if note["kind"] == "steered"]

    assert heard == [f"r-0001: by plan {epoch}" for epoch in (2, 3, 4)]


def test_a_step_with_callers_waits_for_the_people_who_must_agree(admin, registry):
    begin(registry, approval=True)
    assert admin.post("/v1/models/m/advance", json=SAID).status_code == 200  # shadow: no caller is answered

    refused = admin.post("/v1/models/m/advance", json=SAID)
    assert (refused.status_code, refused.json()["why"]) == (
        409,
        "The people who must agree before it goes on have not.",
    )
    for role, actor in zip(ROLES, ("ann", "bob"), strict=True):
        registry.sign("r-0001", actor=actor, role=role, reason="read it", at=AT)

    assert admin.post("/v1/models/m/advance", json=SAID).json()["phase"] == "r-0001.1"


def test_a_paused_rollout_and_a_share_beside_a_rollout_are_refused(admin, registry):
    begin(registry)
    admin.post("/v1/models/m/advance", json=SAID)
    assert admin.post("/v1/models/m/advance", json=SAID | {"share": 0.5}).json()["why"] == "Its steps decide the share."
    admin.post("/v1/models/m/pause", json=SAID)

    assert admin.post("/v1/models/m/advance", json=SAID).json()["why"] == "It is paused."
    assert registry.rollout("r-0001").step == 0


def test_nobody_answers_where_no_worker_runs(admin):
    for path in ("/v1/workers", "/v1/models/m/breakers"):
        answer = admin.get(path)
        assert (answer.status_code, answer.json()["error"]) == (503, "No state can be shown.")


def together(admin, count, bodies):
    async def ask():
        transport = httpx.ASGITransport(admin.app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://admin", headers=bearer(SHARED)) as client:
            return await asyncio.gather(*(client.post("/v1/models/m/rollback", json=bodies(n)) for n in range(count)))

    return asyncio.run(ask())


@pytest.mark.parametrize("bodies", [lambda n: SAID, lambda n: {"actor": f"ann{n}", "reason": "errors"}])
def test_many_rollbacks_at_the_same_moment_are_one(admin, registry, bodies):
    promoted(registry)
    arms = (Arm(variant="champion", version="v1.1.0"), Arm(variant="challenger", version="v1.0.0"))
    registry.publish_plan(plan_after(registry, 100_000, arms=arms))
    answers = together(admin, 20, bodies)

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["epoch"] for answer in answers} == {4}
    assert (registry.champion("m").version, epochs(registry)) == ("v1.1.0", [4, 3, 2, 1])
