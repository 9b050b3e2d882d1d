"""Only watched time bakes, and the next look is due exactly when time alone moves something."""

import itertools
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_worlds import START, World, a_config, a_version

from flows.rollout.baking import baking
from flows.rollout.begin import begin_rollout
from flows.rollout.due import NOTHING_DUE, due_at
from flows.rollout.tick import tick
from registry.records.plan import Guards
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step, Waiting
from registry.store.pulses import Pulse
from registry.store.registry import Registry

GAP = timedelta(minutes=20)
STEP = Step(share=100_000, min_s=3600, max_s=7200)


def rollout(**changes):
    fields = {
        "id": "r-0001",
        "model": "churn",
        "champion": "v1.0.0",
        "challenger": "v1.1.0",
        "steps": (STEP,),
        "policy": PromotionPolicy(metric="auc"),
        "salt": "s",
        "step": 0,
        "step_started_at": START,
        "created_at": START,
    }
    return Rollout(**fields | changes)


def after(**time):
    return START + timedelta(**time)


def test_the_first_look_counts_from_the_beginning_of_the_step():
    assert baking(rollout(), None, after(minutes=5), GAP).total == 300
    assert baking(rollout(), Pulse(-1, 99.0, START), after(minutes=5), GAP).total == 300


def test_time_in_which_nobody_looked_does_not_count():
    seen = Pulse(0, 600.0, after(minutes=10))

    assert baking(rollout(), seen, after(minutes=30), GAP).total == 1800
    assert baking(rollout(), seen, after(minutes=31), GAP).total == 600
    assert baking(rollout(), seen, after(days=3), None).total == 600 + 3 * 86_400 - 600


def test_a_clock_that_steps_back_a_little_is_waited_for():
    found = baking(rollout(), Pulse(0, 600.0, after(minutes=10)), after(minutes=9), GAP)

    assert (found.total, found.at, found.behind) == (600.0, after(minutes=10), True)


def test_a_clock_that_was_far_ahead_is_believed_once_it_is_right():
    found = baking(rollout(), Pulse(0, 600.0, after(days=365)), after(minutes=9), GAP)

    assert (found.total, found.at, found.behind) == (600.0, after(minutes=9), True)


@given(st.lists(st.integers(-5000, 5000), max_size=30), st.booleans())
def test_no_clock_bakes_more_than_the_time_it_has_ever_covered(jumps, replayed):
    now, pulse, seen = START, None, [START]
    for jump in jumps:
        now += timedelta(seconds=jump)
        found = baking(rollout(), pulse, now, None if replayed else GAP)
        seen.append(now)
        assert 0 <= found.added <= (GAP.total_seconds() if not replayed else 1e9)
        assert found.total >= (pulse.baked_s if pulse else 0)
        pulse = Pulse(0, found.total, found.at)
    forward = sum(max((b - a).total_seconds(), 0.0) for a, b in itertools.pairwise(seen))

    assert (pulse.baked_s if pulse else 0.0) <= forward


def test_two_machines_whose_clocks_differ_bake_no_faster():
    pulse, skew = None, timedelta(minutes=15)
    for minute in range(60):
        now = after(minutes=minute) + (skew if minute % 2 else timedelta(0))
        found = baking(rollout(), pulse, now, GAP)
        pulse = Pulse(0, found.total, found.at)

    assert pulse.baked_s <= (60 + 15) * 60


def test_the_next_look_is_due_when_a_stay_ends():
    assert due_at(rollout(), None, after(minutes=5)) == after(hours=1)
    assert due_at(rollout(), Pulse(0, 600.0, after(minutes=30)), after(minutes=30)) == after(minutes=80)
    assert due_at(rollout(), Pulse(0, 3600.0, after(hours=2)), after(hours=2)) == after(hours=3)


def test_what_has_come_due_is_due_now():
    assert due_at(rollout(step=-1), None, after(days=1)) == after(days=1)
    assert due_at(rollout(), Pulse(0, 0.0, START), after(hours=1)) == after(hours=1)


@pytest.mark.parametrize("status", ["paused", "succeeded", "rolled_back", "aborted"])
def test_where_time_moves_nothing_the_next_look_is_a_day_away(status):
    assert due_at(rollout(status=status), None, START) == START + NOTHING_DUE


def test_a_question_is_due_for_its_reminder_and_then_for_its_end():
    asked = Waiting(question="advance", bound_to="d", since=START, said="")
    waiting = rollout(status="waiting_approval", waiting=asked)

    assert due_at(waiting, Pulse(0, 0.0, START), after(hours=1)) == after(days=1)
    reminded = msgspec.structs.replace(waiting, waiting=msgspec.structs.replace(asked, reminded=6))
    assert due_at(reminded, Pulse(0, 0.0, after(days=6)), after(days=6)) == after(days=7)


def test_another_weight_is_due_every_hour_of_stay():
    step = Step(share=100_000, min_s=9e4, max_s=9e5, weighting="thompson", floor=50_000, every_s=3600)
    moving = rollout(steps=(step,), weight=100_000, turn=2)

    assert due_at(moving, Pulse(0, 7300.0, START), START) == START + timedelta(seconds=3500)


@given(st.integers(0, 7200), st.integers(0, 7200))
def test_what_is_due_is_never_in_the_past(baked, later):
    now = after(seconds=later)

    assert due_at(rollout(), Pulse(0, float(baked), START), now) >= now


def test_a_system_that_was_down_for_days_takes_up_the_stay_where_it_was():
    with Registry.open("sqlite://") as registry:
        for name in ("v1.0.0", "v1.1.0"):
            registry.register_version(a_version(name))
        registry.install_first("churn", "v1.0.0", guards=Guards(), salt="c", actor="t", reason="t", at=START)
        config, router = a_config(require_approval=False), World(registry)
        begun = begin_rollout(
            config, registry, model="churn", challenger="v1.1.0", decision=None, actor="ann", reason="test",
            at=START, steps=(STEP,),
        )  # fmt: skip
        moments = [0, 10, 20, *range(5000, 5060, 10)]
        kinds = [
            tick(registry, router, "churn", config, after(minutes=minute), longest_gap=GAP).kind for minute in moments
        ]
        ended = registry.rollout(begun.id)

    assert kinds == ["start", *["hold"] * 6, "promote", "none"]
    assert ended.status == "succeeded"
    assert ended.results[0].outcome == "successful"
