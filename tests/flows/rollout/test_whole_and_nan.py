"""A step in which everybody gets the challenger, and a router that reports what is no number."""

import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace
from rollout_worlds import START, World, a_config

from flows.rollout.begin import begin_rollout
from flows.rollout.tick import tick
from registry.records.live import Moments, UnitMoments

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize("strategy", ["direct", "shadow", "canary", "gradual", "ab", "bandit"])
def test_no_strategy_promotes_on_a_loss_that_is_no_number(registry, strategy):
    config = a_config(require_approval=False)
    world = World(registry, "nan")
    begin_rollout(
        config, registry, model="churn", challenger="v1.1.0", decision=None, strategy=strategy,
        actor="ann", reason="a test", at=START,
    )  # fmt: skip

    moves = [tick(registry, world, "churn", config, START + day * DAY) for day in (0, 1, 7, 15, 40)]

    assert [move.kind for move in moves] == ["start", *["hold"] * 4]
    assert moves[-1].outcome == "error"
    assert "not finite" in moves[-1].said


def test_going_over_to_the_challenger_at_once_needs_numbers_first(registry):
    config, world = a_config(require_approval=False), World(registry, "nan")
    begin_rollout(
        config, registry, model="churn", challenger="v1.1.0", decision=None, strategy="direct",
        actor="ann", reason="a test", at=START,
    )  # fmt: skip
    kinds = [tick(registry, world, "churn", config, START + turn * HOUR).kind for turn in range(3)]
    world.now = "good"

    assert kinds == ["start", "hold", "hold"]
    assert tick(registry, world, "churn", config, START + 4 * HOUR).kind == "promote"


class Saturated(World):
    """A router whose callers sent KPIs near the largest number there is: sums end there, as the router's do."""

    def metrics(self, model, *, min_label_age=0.0):
        said = super().metrics(model, min_label_age=min_label_age)
        phases = tuple(replace(one, variants={k: _rich(v) for k, v in one.variants.items()}) for one in said.phases)
        return replace(said, phases=phases)


def _rich(arm):
    most = sys.float_info.max
    units = UnitMoments(n=arm.assigned, mean_x=1.0, mean_y=most, m2_x=0.0, m2_y=most, co=most)
    revenue = Moments(n=arm.assigned, mean=most, m2=most)
    return replace(arm, outcomes={"revenue": revenue}, units=arm.units | {"revenue": units})


@pytest.mark.parametrize("strategy", ["canary", "gradual", "ab", "bandit"])
def test_a_kpi_too_large_to_compute_with_is_an_error_that_holds_and_no_crash(registry, strategy):
    config, world = a_config(require_approval=False), Saturated(registry)
    begin_rollout(
        config, registry, model="churn", challenger="v1.1.0", decision=None, strategy=strategy,
        actor="ann", reason="a test", at=START,
    )  # fmt: skip

    moves = [tick(registry, world, "churn", config, START + day * DAY) for day in (0, 1, 15)]

    assert [(move.kind, move.outcome) for move in moves] == [("start", None), ("hold", "error"), ("hold", "error")]
    assert "too large to compute with" in moves[-1].said
