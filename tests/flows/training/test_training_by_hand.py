"""Retrainings that people ask for: at any time, by name, and never through a rollout that is under way."""

from datetime import timedelta

import pytest
from prefect.utilities.callables import parameter_schema
from training_making import NOW, make_config, make_frame

from flows.training.retrain import retrain as retrain_flow
from flows.training.retraining import run_retraining

QUICK = make_config(
    training={"trials": 0, "families": ["linear"], "min_rows": 200, "window": timedelta(days=30)},
    promotion={"min_improvement": 0.0, "min_holdout": 50, "require_approval": False},
)
BY_HAND = pytest.mark.parametrize(("trigger", "severity"), [("manual", "LOW"), ("emergency", "CRITICAL")])


@pytest.fixture
def shop(make_shop):
    """One whose champion learned before the truth turned."""
    run_retraining(make_shop(make_frame(2000, turn=1000).head(1000), QUICK), actor="ann")
    return make_shop(make_frame(2000, turn=1000), QUICK)


@BY_HAND
def test_it_does_not_wait_for_the_cool_down_and_is_told_with_its_reason_and_who_asked(
    shop, registry, trigger, severity
):
    done = run_retraining(shop, trigger=trigger, reason="new tariff", actor="bob")

    first = registry.retraining_events("churn")[-1]
    assert NOW - first.triggered_at < QUICK.detection.cooldown
    assert done.outcome == "rollout"
    assert (done.event.trigger_type, done.event.severity) == (trigger, severity)
    assert done.event.trigger_reason == "new tariff; asked for by bob"
    assert "asked for by bob" in registry.audit("churn", action="retraining.triggered")[0].reason


@BY_HAND
def test_it_waits_for_a_rollout_unless_it_is_forced(shop, registry, trigger, severity):
    rollout = run_retraining(shop, actor="ann").rollout
    refused = run_retraining(shop, trigger=trigger, actor="bob")
    forced = run_retraining(shop, trigger=trigger, actor="bob", force=True)

    assert (refused.outcome, refused.event.execution_attempted) == ("refused", False)
    assert rollout.id in refused.said
    assert registry.rollout(rollout.id).status == "rolled_back"
    assert forced.event.execution_successful


def test_every_parameter_is_described_in_the_form_of_the_user_interface():
    shown = parameter_schema(retrain_flow).properties

    assert {"manual", "emergency"} <= set(shown["trigger"]["enum"])
    assert all(one["description"] for one in shown.values())
