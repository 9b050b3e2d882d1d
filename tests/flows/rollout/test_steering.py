"""People pause, resume, skip and abort a rollout: state in the registry, in one transaction with the plan."""

from datetime import timedelta

import msgspec
import pytest
from rollout_worlds import START, World, a_config, a_version

from flows.rollout.begin import begin_rollout
from flows.rollout.tick import tick
from registry.assignment import TOTAL
from registry.errors import PlanConflict, StageConflict
from registry.records.plan import Guards
from registry.records.rollout import Step
from registry.steering import abort, pause, resume, skip
from registry.store.registry import Registry

WHO = {"actor": "ann", "reason": "black friday"}
STEPS = tuple(Step(share=share, min_s=3600, max_s=7200) for share in (0, 100_000, TOTAL))


class Stand:
    """A registry in memory, a router, and a rollout."""

    def __init__(self, *, require_approval=False, steps=STEPS):
        self.registry = Registry.open("sqlite://")
        for name in ("v1.0.0", "v1.1.0"):
            self.registry.register_version(a_version(name))
        self.registry.install_first("churn", "v1.0.0", guards=Guards(), salt="c", actor="t", reason="t", at=START)
        self.config, self.router = a_config(require_approval=require_approval), World(self.registry)
        self.begin(steps)

    def begin(self, steps):
        self.id = begin_rollout(
            self.config, self.registry, model="churn", challenger="v1.1.0", decision=None, actor="ann", reason="test",
            at=START, steps=steps,
        ).id  # fmt: skip

    def tick(self, hours=0.0):
        return tick(self.registry, self.router, "churn", self.config, at(hours)).kind

    def do(self, deed, hours=0.0):
        return deed(self.registry, "churn", at=at(hours), **WHO)

    def sign(self):
        for actor, role in (("ann", "ml_lead"), ("bob", "business_owner")):
            self.registry.sign(self.id, actor=actor, role=role, reason="read it", at=START)

    @property
    def rollout(self):
        return self.registry.rollout(self.id)

    @property
    def plan(self):
        return self.registry.plan("churn")


def at(hours):
    return START + timedelta(hours=hours)


@pytest.fixture
def stand():
    stand = Stand()
    yield stand
    stand.registry.close()


@pytest.fixture
def guarded():
    stand = Stand(require_approval=True)
    yield stand
    stand.registry.close()


def test_a_pause_holds_plan_and_rollout_in_one_change_and_counts_as_no_stay(stand):
    stand.tick()
    stand.tick(0.5)
    epoch = stand.plan.epoch
    held = stand.do(pause, 0.5)
    assert (held.rollout.status, held.plan.paused, held.plan.epoch) == ("paused", True, epoch + 1)
    assert stand.registry.audit(limit=2)[0].reason == "black friday"
    assert [stand.tick(hours) for hours in (9, 99)] == ["hold", "hold"]
    going = stand.do(resume, 99)
    assert (going.rollout.status, going.plan.paused) == ("running", False)
    assert [stand.tick(hours) for hours in (99.4, 99.5)] == ["hold", "advance"]


def test_pausing_twice_is_one_pause(stand):
    first, second = stand.do(pause), stand.do(pause)

    assert first == second
    assert stand.do(resume).rollout.revision == stand.do(resume).rollout.revision


def test_a_bad_challenger_is_taken_off_while_it_is_paused(stand):
    stand.tick()
    stand.do(pause)
    stand.router.now = "bad"

    assert stand.tick() == "roll_back"
    assert (stand.rollout.status, stand.plan.paused) == ("rolled_back", False)


def test_a_question_survives_a_pause(guarded):
    guarded.tick()
    assert guarded.tick(1) == "wait"
    asked = guarded.rollout.waiting
    guarded.do(pause, 2)
    guarded.sign()
    assert guarded.tick(3) == "hold", "nobody's consent moves what is paused"

    assert guarded.do(resume, 4).rollout.status == "waiting_approval"
    assert guarded.rollout.waiting == asked
    assert guarded.tick(5) == "advance"


def test_a_step_that_is_skipped_says_who_did_it(stand):
    stand.tick()
    stand.do(skip, 0.1)
    result = stand.rollout.results[0]

    assert (stand.rollout.step, stand.plan.weight_of("challenger")) == (1, 100_000)
    assert (result.by, result.outcome, result.said) == ("ann", "inconclusive", "ann: black friday")


def test_skipping_the_last_step_promotes_and_begins_the_watch(stand):
    stand.tick()
    for _ in range(3):
        stand.do(skip)

    assert stand.rollout.status == "succeeded"
    assert stand.registry.champion("churn").version == "v1.1.0"
    assert stand.registry.watch("churn").former == "v1.0.0"


def test_the_gate_is_not_skipped(guarded):
    guarded.tick()
    with pytest.raises(StageConflict, match="as ml_lead, then as business_owner"):
        guarded.do(skip)
    assert guarded.tick(1) == "wait"
    with pytest.raises(StageConflict, match="have not"):
        guarded.do(skip)
    guarded.sign()

    assert guarded.do(skip).rollout.step == 1
    assert guarded.do(skip).rollout.step == 2, "who has let it in has agreed to its steps"


def test_what_is_paused_is_not_skipped(stand):
    stand.do(pause)

    with pytest.raises(StageConflict, match="Resume it first"):
        stand.do(skip)


def test_a_step_without_verdict_may_be_left_by_one_person():
    asked = Stand(steps=tuple(Step(share=s.share, min_s=0, max_s=0, on_timeout="ask") for s in STEPS))
    asked.router.now = "few"
    asked.tick()

    assert asked.tick() == "wait"
    assert asked.rollout.waiting.question == "inconclusive"
    assert asked.do(skip).rollout.step == 1


def test_an_abort_gives_everybody_back_and_says_nothing_against_the_challenger(stand):
    stand.tick()
    stand.do(skip)
    done = stand.do(abort)

    assert (done.rollout.status, done.plan.phase) == ("aborted", f"{stand.id}.aborted")
    assert (done.plan.challengers, done.plan.version_of("champion")) == ((), "v1.0.0")
    assert stand.registry.version("churn", "v1.1.0").stage == "staging"
    assert stand.registry.incidents("churn") == []
    assert [stand.tick(hours) for hours in (1, 99)] == ["none", "none"]


@pytest.mark.parametrize("deed", [pause, resume, skip, abort])
def test_without_a_rollout_nothing_is_steered(stand, deed):
    stand.do(abort)

    with pytest.raises(StageConflict, match="has no active rollout"):
        stand.do(deed)


@pytest.mark.parametrize("deed", [pause, skip, abort])
def test_of_two_people_at_once_one_is_refused(stand, deed, monkeypatch):
    stand.tick()
    stale = stand.rollout
    stand.do(skip)
    monkeypatch.setattr(stand.registry, "active_rollout", lambda model: stale)

    with pytest.raises((PlanConflict, StageConflict)):
        stand.do(deed)
    assert stand.rollout.step == 1


def test_nobody_answers_in_time_and_the_rollout_ends(guarded):
    guarded.tick()
    guarded.tick(1)

    assert guarded.tick(3.9) == "hold"
    assert guarded.tick(4) == "abort"
    assert (guarded.rollout.status, guarded.plan.weight_of("challenger")) == ("aborted", 0)


@pytest.mark.parametrize(
    ("shares", "kinds"),
    [
        ((TOTAL,), ["hold", "start", "promote"]),
        ((0,), ["start", "wait", "promote"]),
        ((500_000,), ["hold", "start", "promote"]),
        ((0, 100_000, TOTAL), ["start", "wait", "advance", "advance", "promote"]),
        ((100_000, 500_000, TOTAL), ["hold", "start", "advance", "advance", "promote"]),
    ],
)
def test_every_strategy_asks_people_once(shares, kinds):
    stand = Stand(require_approval=True, steps=tuple(Step(share=s, min_s=0, max_s=0) for s in shares))
    seen = []
    for hour in range(len(kinds)):
        seen.append(stand.tick(hour / 10))
        if stand.rollout.status == "waiting_approval":
            stand.sign()

    assert (seen, stand.rollout.status) == (kinds, "succeeded")
    assert [one.outcome for one in stand.rollout.results] == ["successful"] * len(shares)
    stand.registry.close()


@pytest.mark.parametrize("require_approval", [False, True])
def test_what_begins_while_traffic_is_paused_says_so_and_waits_for_a_resume(require_approval):
    steps = STEPS[1:] if require_approval else STEPS
    stand = Stand(require_approval=require_approval, steps=steps)
    stand.do(abort)
    plan = stand.plan
    stand.registry.publish_plan(
        msgspec.structs.replace(plan, epoch=plan.epoch + 1, paused=True, actor="eve", reason="black friday")
    )
    stand.begin(steps)

    assert (stand.rollout.status, stand.tick(1)) == ("paused", "hold")
    assert stand.rollout.said == f"eve holds it since plan {plan.epoch + 1}: black friday"
    if require_approval:
        stand.do(resume, 2)
        assert (stand.rollout.status, stand.tick(2)) == ("waiting_approval", "hold")
        stand.sign()
    else:
        stand.do(resume, 2)
    assert stand.tick(3) == "start"


def test_nobodys_consent_moves_a_rollout_whose_traffic_is_paused_by_a_plan():
    stand = Stand(require_approval=True, steps=STEPS[1:])
    plan = stand.plan
    stand.registry.publish_plan(msgspec.structs.replace(plan, epoch=plan.epoch + 1, paused=True))
    stand.sign()

    assert stand.tick(1) == "hold"
    stand.do(resume, 2)
    assert stand.tick(3) == "start"
