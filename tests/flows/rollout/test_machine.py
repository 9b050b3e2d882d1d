from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.rollout.machine import Evidence, Look, next_move
from flows.rollout.plans import CHALLENGER, promotion_plan, step_plan
from registry.assignment import TOTAL
from registry.records.plan import CHAMPION, Arm, Slice, TrafficPlan
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.verdict import Decision, Finding

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
PLENTY = Evidence(seen=10_000, labelled=10_000)
NAN = float("nan")
STEPS = tuple(Step(share=share, min_s=86_400, max_s=2 * 86_400) for share in (0, 100_000, 500_000, TOTAL))


def rollout(step=0, status="running", *, steps=STEPS, require_approval=False, on_timeout="hold") -> Rollout:
    return Rollout(
        id="r-0001",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=tuple(msgspec.structs.replace(one, on_timeout=on_timeout) for one in steps),
        policy=PromotionPolicy(metric="auc", require_approval=require_approval),
        salt="churn.r-0001",
        status=status,
        step=step,
        step_started_at=START,
        created_at=START,
    )


def decision(outcome="promote", estimate=0.1) -> Decision:
    finding = Finding(name="loss", passed=None, said="", estimate=estimate)
    return Decision(
        id="d",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        kind="split",
        outcome=outcome,
        headline=f"it is {outcome}",
        findings=(finding,),
        policy=PromotionPolicy(metric="auc"),
        created_at=START,
    )


def look(verdict, after=DAY, evidence=PLENTY, approved=False, **more):
    baked = max(after.total_seconds(), 0.0)
    return Look(now=START + after, baked_s=baked, decision=verdict, evidence=evidence, approved=approved, **more)


def kind(state, verdict, after=DAY, evidence=PLENTY, approved=False, **more):
    return next_move(state, look(verdict, after, evidence, approved, **more)).kind


def test_a_rollout_begins_with_its_first_step():
    assert kind(rollout(-1), None, after=timedelta(0), evidence=Evidence()) == "start"


def test_a_good_step_goes_on_after_its_shortest_stay():
    assert kind(rollout(1), decision(), after=DAY - timedelta(seconds=1)) == "hold"
    assert kind(rollout(1), decision(), after=DAY) == "advance"


def test_too_few_labels_hold_a_good_step():
    assert kind(rollout(1), decision(), evidence=Evidence(seen=1000, labelled=99)) == "hold"


@pytest.mark.parametrize("status", ["running", "paused", "waiting_approval"])
def test_a_worse_challenger_is_rolled_back_at_once_in_any_state(status):
    assert kind(rollout(1, status), decision("reject"), after=timedelta(0)) == "roll_back"


@pytest.mark.parametrize(
    ("on_timeout", "expected"), [("hold", "hold"), ("advance", "advance"), ("roll_back", "roll_back")]
)
def test_an_inconclusive_step_is_decided_after_its_longest_stay(on_timeout, expected):
    state = rollout(1, on_timeout=on_timeout)

    assert kind(state, decision("continue"), after=2 * DAY - timedelta(seconds=1)) == "hold"
    assert kind(state, decision("continue"), after=2 * DAY) == on_timeout


@pytest.mark.parametrize("verdict", [None, decision("invalid"), decision(estimate=NAN), decision("continue", NAN)])
def test_no_data_a_mismatch_or_nan_never_advances_even_after_the_longest_stay(verdict):
    assert kind(rollout(1, on_timeout="advance"), verdict, after=9 * DAY) == "hold"


@pytest.mark.parametrize("evidence", [Evidence(), Evidence(seen=0, labelled=5000), Evidence(seen=5000, labelled=0)])
def test_without_evidence_nothing_advances_even_after_the_longest_stay(evidence):
    for step in range(len(STEPS)):
        assert kind(rollout(step, on_timeout="advance"), decision(), after=9 * DAY, evidence=evidence) == "hold"


def test_a_mismatch_does_not_block_the_way_back():
    assert kind(rollout(1, on_timeout="roll_back"), decision("invalid"), after=2 * DAY) == "roll_back"


def test_the_last_step_promotes():
    assert kind(rollout(3), decision("continue")) == "promote"


def test_at_full_share_nobody_is_left_to_compare_with_and_the_step_only_bakes():
    assert kind(rollout(3), None) == "promote"
    assert kind(rollout(3), decision("continue", NAN), after=DAY / 2) == "hold"


def test_people_are_asked_before_the_first_caller_is_answered_but_not_before_the_shadow():
    assert kind(rollout(-1, require_approval=True), None) == "start"
    assert kind(rollout(0, require_approval=True), decision()) == "wait"
    assert kind(rollout(1, require_approval=True), decision()) == "advance"


def test_a_rollout_that_waits_moves_only_when_approved():
    assert kind(rollout(-1, "waiting_approval"), None) == "hold"
    assert kind(rollout(-1, "waiting_approval"), None, approved=True) == "start"
    assert kind(rollout(0, "waiting_approval"), decision(), approved=True) == "advance"


def test_a_small_live_improvement_is_for_people_to_judge():
    assert kind(rollout(1), decision("needs_approval")) == "wait"
    assert kind(rollout(1, "waiting_approval"), decision("needs_approval"), approved=True) == "advance"


@pytest.mark.parametrize("status", ["succeeded", "rolled_back", "aborted"])
def test_a_rollout_that_is_over_stays_over(status):
    assert kind(rollout(1, status), decision("reject"), after=9 * DAY) == "hold"


def test_a_clock_that_runs_backwards_holds():
    assert kind(rollout(1), decision(), after=-9 * DAY) == "hold"


# Laws over random histories: whatever the world says, these hold.

verdicts = st.one_of(
    st.none(),
    st.builds(
        decision,
        st.sampled_from(["promote", "needs_approval", "continue", "reject", "invalid"]),
        st.sampled_from([0.1, -0.1, NAN]),
    ),
)
worlds = st.lists(
    st.tuples(
        verdicts,
        st.builds(Evidence, st.sampled_from([0, 1, 5000]), st.sampled_from([0, 99, 100, 5000])),
        st.integers(-3600, 3 * 86_400),
        st.booleans(),
        st.sampled_from([None, None, None, "paused", "running"]),
    ),
    max_size=25,
)
shares = st.lists(st.integers(0, TOTAL), min_size=1, max_size=5).map(sorted)


def first_plan() -> TrafficPlan:
    return TrafficPlan(
        model="churn",
        epoch=1,
        phase="first",
        salt="churn",
        slices=(Slice(variant=CHAMPION, weight=TOTAL),),
        arms=(Arm(variant=CHAMPION, version="v1.0.0"),),
        created_at=START,
        actor="a",
        reason="r",
    )


def apply(state, plan, move, now):
    """What `tick` commits, without a database."""
    said = {"actor": "a", "reason": "r", "at": now}
    if move.kind in ("start", "advance"):
        moved = msgspec.structs.replace(state, step=move.step, step_started_at=now, status="running")
        return moved, step_plan(state, move.step, plan, **said)
    if move.kind == "promote":
        return msgspec.structs.replace(state, status="succeeded"), promotion_plan(state, plan, **said)
    ended = {"roll_back": "rolled_back", "wait": "waiting_approval"}.get(move.kind, state.status)
    return msgspec.structs.replace(state, status=ended), plan


@given(
    shares=shares,
    world=worlds,
    on_timeout=st.sampled_from(["advance", "hold", "roll_back"]),
    require_approval=st.booleans(),
)
def test_the_laws_of_a_rollout_hold_in_every_history(shares, world, on_timeout, require_approval):
    steps = tuple(Step(share=share, min_s=3600, max_s=7200) for share in shares)
    state = rollout(-1, steps=steps, on_timeout=on_timeout, require_approval=require_approval)
    plan, now, ever_approved = first_plan(), START, False
    for verdict, evidence, seconds, approved, person in world:
        if person and state.active and state.status != "waiting_approval":
            state = msgspec.structs.replace(state, status=person)
        ever_approved |= approved
        now += timedelta(seconds=seconds)
        before, earlier = state, plan
        move = next_move(state, look(verdict, now - state.step_started_at, evidence, approved))
        state, plan = apply(state, plan, move, now)

        check_the_pace(before, state, earlier, plan)
        check_the_ground(before, move, evidence, now, approved)
        check_the_shares(state, earlier, plan, move)
        if require_approval and plan.weight_of(CHALLENGER) + (plan.version_of(CHAMPION) == state.challenger):
            assert ever_approved, "no caller is answered before people agreed"


def check_the_pace(before, state, earlier, plan):
    assert 0 <= state.step - before.step <= 1, "one step per tick, never back"
    assert plan.epoch - earlier.epoch <= 1, "one plan per tick"


def check_the_ground(before, move, evidence, now, approved):
    if before.status == "paused" or (before.status == "waiting_approval" and not approved):
        assert move.kind in ("hold", "roll_back"), "held means held"
    if move.kind in ("advance", "promote"):
        assert evidence.seen > 0, "nothing is concluded from nothing"
        assert (now - before.step_started_at).total_seconds() >= 3600, "never before its shortest stay"
    if move.kind == "promote":
        assert before.step == len(before.steps) - 1, "promotion only after the last step"


def check_the_shares(state, earlier, plan, move):
    if move.kind == "promote":
        assert plan.version_of(CHAMPION) == state.challenger
    elif state.active:
        committed = state.steps[state.step].share if state.step >= 0 else 0
        assert plan.weight_of(CHALLENGER) == committed, "never more than the committed step"
        assert plan.weight_of(CHALLENGER) >= earlier.weight_of(CHALLENGER), "shares never shrink"


@given(key=st.text(), share=st.integers(1, TOTAL), more=st.integers(0, TOTAL))
def test_a_growing_canary_keeps_every_caller_it_has(key, share, more):
    steps = (Step(share=share, min_s=0, max_s=0), Step(share=min(share + more, TOTAL), min_s=0, max_s=0))
    state = rollout(0, steps=steps)
    narrow, wide = (step_plan(state, n, first_plan(), actor="a", reason="r", at=START) for n in (0, 1))

    if narrow.assign(key).variant == CHALLENGER:
        assert wide.assign(key).variant == CHALLENGER


def test_a_shadow_step_answers_nobody_and_copies_everything():
    plan = step_plan(rollout(), 0, first_plan(), actor="a", reason="r", at=START)

    assert plan.shadows == ("v1.1.0",)
    assert (plan.weight_of(CHAMPION), plan.challengers) == (TOTAL, ())


def test_a_promotion_deals_every_key_afresh():
    before = step_plan(rollout(), 3, first_plan(), actor="a", reason="r", at=START)
    after = promotion_plan(rollout(), before, actor="a", reason="r", at=START)

    assert after.salt != before.salt
    assert after.arms == (Arm(variant=CHAMPION, version="v1.1.0"),)
