"""A plan that somebody publishes while a rollout is active."""

import pytest
from registry_making import WHO, a_plan, a_rollout, install

from registry.errors import StageConflict


def test_a_plan_by_hand_gives_no_caller_to_a_challenger_whom_the_gate_holds(registry):
    install(registry, "v1.1.0", "v1.2.0")
    registry.start_rollout(a_rollout(status="waiting_approval"), **WHO)

    with pytest.raises(StageConflict, match=r"gives v1\.1\.0 0\.9 of the callers; r-0001 has given 0"):
        registry.publish_plan(a_plan(2, challenger="v1.1.0", share=900_000))

    assert registry.plan("churn").epoch == 1
    assert registry.publish_plan(a_plan(2, shadows=("v1.1.0",))).epoch == 2
    assert registry.publish_plan(a_plan(3, challenger="v1.2.0", share=100_000)).epoch == 3
