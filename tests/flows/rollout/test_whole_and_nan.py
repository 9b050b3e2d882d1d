"""A step in which everybody gets the challenger, and a router that reports what is no number."""

from datetime import timedelta

import pytest
from rollout_worlds import START, World, a_config

from flows.rollout.begin import begin_rollout
from flows.rollout.tick import tick

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
