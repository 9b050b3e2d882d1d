"""What a watch compares with, and the plan by which the former champion comes back."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import UNSET

from registry.errors import InvalidRecord
from registry.ramp import promotion_plan, step_plan
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, VariantMetrics
from registry.records.plan import Arm, Slice, TrafficPlan
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.watch import PlanWatch, WatchLimits
from registry.watching import ENOUGH, baseline_of, given_back, over, watch_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
ROLLOUT = Rollout(
    id="r-0007",
    model="m",
    champion="v1.0.0",
    challenger="v2.0.0",
    steps=(Step(share=0, min_s=0, max_s=0), Step(share=1_000_000, min_s=0, max_s=0)),
    policy=PromotionPolicy(metric="brier"),
    salt="s",
    step_started_at=AT,
    created_at=AT,
    watch=WatchLimits(kpi="revenue"),
    watch_s=3600.0,
)
FIRST = TrafficPlan(
    model="m",
    epoch=1,
    phase="first",
    salt="s",
    slices=(Slice(variant="champion", weight=1_000_000),),
    arms=(Arm(variant="champion", version="v1.0.0"),),
    forced={"champion": ("vip",)},
    created_at=AT,
    actor="test",
    reason="test",
)


def phase(name, version="v1.0.0", n=100, mean=5.0, **changes):
    seen = VariantMetrics(
        version=version,
        assigned=n,
        served=n,
        errors={"champion_raised": 1},
        latency_ms=Moments(n=n, mean=mean, m2=4.0),
        outcomes={"revenue": Moments(n=n, mean=2.0, m2=1.0)},
        **changes,
    )
    return PhaseMetrics(phase=name, first_epoch=1, last_epoch=1, variants={"champion": seen})


def metrics(*phases):
    return ModelMetrics(model="m", epoch=1, phases=phases)


def watched(**changes):
    watch = watch_of(msgspec.structs.replace(ROLLOUT, **changes), metrics(phase("first")), FIRST, AT)
    return promotion_plan(ROLLOUT, FIRST, actor="a", reason="r", at=AT, watch=watch)


def test_a_promotion_names_who_comes_back_and_keeps_it_warm():
    plan = watched()

    assert plan.watch.id == "w-0007"
    assert (plan.watch.former, plan.shadows, plan.version_of("champion")) == ("v1.0.0", ("v1.0.0",), "v2.0.0")
    assert plan.watch.until == AT + timedelta(hours=1)
    assert plan.watch.baseline.requests == 100
    assert plan.watch.baseline.kpi_mean == 2.0


def test_no_time_watches_nobody():
    plan = watched(watch_s=0.0)

    assert (plan.watch, plan.shadows) == (UNSET, ())
    assert b"watch" not in plan.to_json()


def test_a_plan_with_a_watch_reads_back_as_it_was():
    plan = watched()

    assert TrafficPlan.from_json(plan.to_json()) == plan


def test_the_baseline_is_of_the_last_phases_of_the_former_champion_only():
    seen = metrics(
        phase("old", n=ENOUGH, mean=99.0),
        phase("foreign", version="v0.9.0", mean=99.0),
        phase("newer", n=ENOUGH - 1, mean=4.0),
        phase("newest", n=1, mean=4.0 + ENOUGH),
    )

    found = baseline_of(seen, "v1.0.0", "revenue")

    assert found.requests == ENOUGH
    assert found.latency_ms == pytest.approx(5.0)
    assert found.errors == 2


def test_numbers_that_are_none_are_left_out_of_the_baseline():
    found = baseline_of(metrics(phase("p", mean=float("nan"))), "v1.0.0", None)

    assert (found.latency_ms, found.kpi_mean, found.loss_mean) == (None, None, None)


def test_a_router_that_did_not_answer_leaves_an_empty_baseline():
    watch = watch_of(ROLLOUT, None, FIRST, AT)

    assert watch.baseline.latency_ms is None


def test_the_next_rollout_goes_on_watching_and_its_promotion_does_not():
    plan = watched()
    following = msgspec.structs.replace(ROLLOUT, id="r-0008", champion="v2.0.0", challenger="v3.0.0")

    step = step_plan(following, 0, plan, actor="a", reason="r", at=AT)
    end = promotion_plan(following, step, actor="a", reason="r", at=AT)

    assert (step.watch, step.shadows) == (plan.watch, ("v3.0.0", "v1.0.0"))
    assert (end.watch, end.shadows) == (UNSET, ())


def test_what_is_given_back_goes_to_the_former_champion_alone():
    back = given_back(watched())

    assert back.epoch == 2
    assert back.arms == (Arm(variant="champion", version="v1.0.0"),)
    assert (back.phase, back.shadows, back.watch) == ("rollback.3", (), UNSET)
    with pytest.raises(ValueError, match="has no watch"):
        given_back(back)


def test_a_watch_that_is_over_leaves_the_rest_of_the_plan():
    plan = watched()

    after = over(plan, actor="watch", reason="passed", at=AT)

    assert (after.epoch, after.watch, after.shadows) == (3, UNSET, ())
    assert (after.phase, after.arms, after.forced) == (plan.phase, plan.arms, plan.forced)


def test_nobody_is_watched_against_itself():
    watch = PlanWatch(id="w-1", former="v1.0.0", until=AT)

    with pytest.raises(InvalidRecord, match=r"former champion v1\.0\.0 is the champion"):
        msgspec.structs.replace(FIRST, watch=watch)
