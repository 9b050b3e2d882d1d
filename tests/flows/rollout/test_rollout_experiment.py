"""Who takes part is kept through every step of a rollout, and back."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from flows.config.experiment import ExperimentConfig
from flows.rollout.begin import begin_rollout, configured_experiment
from flows.rollout.tick import tick
from registry.assignment import TOTAL
from registry.errors import InvalidRecord
from registry.records.plan import CHAMPION, Arm, Guards, Layer, Slice, TrafficPlan
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Experiment, Rollout, Step

START = datetime(2026, 1, 5, tzinfo=UTC)
CHECKOUT = Layer(name="checkout", first=1, last=500_000)
SECTION = {
    "layer": {"name": "checkout", "last": 500_000},
    "holdout": 0.1,
    "forced": {"champion": ["boss"], "challenger": ["tester", 7]},
    "noise_arm": True,
}


def begun(registry, config, **section):
    config = config.model_copy(update={"experiment": ExperimentConfig(**section)})
    return begin_rollout(
        config, registry, model="churn", challenger="v1.1.0", decision=None, actor="ann", reason="test", at=START
    )


def walk(registry, live, config, ticks):
    """The plan after each tick."""
    for day in range(ticks):
        tick(registry, live, "churn", config, START + 2 * day * timedelta(days=1))
        yield registry.plan("churn")


def published(registry, **changes):
    plan = registry.plan("churn")
    return registry.publish_plan(msgspec.structs.replace(plan, epoch=plan.epoch + 1, **changes))


def test_what_is_configured_holds_from_the_shadow_to_the_promotion(registry, live, config):
    begun(registry, config, **SECTION)

    shadow, canary, everybody, promoted = walk(registry, live, config, 4)

    plans = (shadow, canary, everybody, promoted)
    assert {(plan.layer, plan.enrolment) for plan in plans} == {(CHECKOUT, 90)}
    assert [dict(plan.forced) for plan in plans] == [
        {"champion": ("boss",)},
        {"champion": ("boss",), "challenger": ("tester", "7")},
        {"champion": ("boss",), "challenger": ("tester", "7")},
        {"champion": ("boss",)},
    ]
    assert canary.assign(7).variant == canary.assign("tester").variant == "challenger"


def test_the_champion_watches_beside_the_challenger_only_in_shadow(registry, live, config):
    begun(registry, config, noise_arm=True)

    watching = [plan.shadows for plan in walk(registry, live, config, 4)]

    assert watching == [("v1.1.0", "v1.0.0"), (), (), ("v1.0.0",)], "the former champion is kept warm"


def test_without_a_section_everything_stays_as_the_plan_before_has_it(registry, live, config):
    published(registry, layer=CHECKOUT, enrolment=80, forced={"champion": ("boss",)})
    rollout = begun(registry, config)

    plans = list(walk(registry, live, config, 4))

    assert rollout.experiment is UNSET
    assert {(plan.layer, plan.enrolment, plan.forced["champion"]) for plan in plans} == {(CHECKOUT, 80, ("boss",))}


@pytest.mark.parametrize("ticks", [1, 2])
def test_a_rollback_keeps_who_takes_part(registry, live, config, ticks):
    begun(registry, config, **SECTION)
    list(walk(registry, live, config, ticks))

    plan = registry.roll_back("churn", actor="ann", reason="wrong prices", at=START)

    assert (plan.layer, plan.enrolment, plan.forced) == (CHECKOUT, 90, {"champion": ("boss",)})


def test_a_step_that_takes_the_challenger_off_keeps_who_takes_part(registry, live, config):
    begun(registry, config, **SECTION)
    list(walk(registry, live, config, 2))
    live.challenger_loss = 0.9

    assert tick(registry, live, "churn", config, START).kind == "roll_back"
    assert (registry.plan("churn").layer, registry.plan("churn").enrolment) == (CHECKOUT, 90)


def test_the_name_none_takes_a_model_out_of_its_layer(registry, live, config):
    published(registry, layer=CHECKOUT)
    begun(registry, config, layer={"name": "none"}, holdout=0.0, forced={})

    (plan,) = walk(registry, live, config, 1)

    assert (plan.layer, plan.enrolment, plan.forced) == (UNSET, 100, {})


def test_a_rollout_whose_layer_is_taken_holds_before_its_first_caller_and_says_by_whom(registry, live, config):
    _other_experiment(registry)
    begun(registry, config, layer={"name": "checkout", "first": 400_000})
    tick(registry, live, "churn", config, START)

    move = tick(registry, live, "churn", config, START + timedelta(days=2))

    assert (move.kind, registry.plan("churn").challengers) == ("hold", ())
    assert move.said == (
        "nothing was moved: It wants places 400000 to 1000000 of layer checkout, "
        "but price has places 1 to 500000 (epoch 2)."
    )


def test_a_first_champion_keeps_who_takes_part_in_a_plan_before_it(registry):
    _price(registry, "v1.0.0")
    before = registry.plan("churn")
    registry.publish_plan(msgspec.structs.replace(before, model="price", epoch=1, layer=CHECKOUT, enrolment=70))

    plan = registry.install_first("price", "v1.0.0", guards=Guards(), salt="p", actor="a", reason="r", at=START)

    assert (plan.epoch, plan.layer, plan.enrolment) == (2, CHECKOUT, 70)


def test_a_rollout_that_says_nothing_is_stored_as_it_was_before_there_were_experiments():
    assert b"experiment" not in a_rollout().to_json()
    assert Rollout.from_json(a_rollout().to_json()).experiment is UNSET


def test_an_experiment_is_stored_as_it_was_written():
    for layer in (CHECKOUT, None, UNSET):
        kept = a_rollout(experiment=Experiment(layer=layer, enrolment=50))

        assert Rollout.from_json(kept.to_json()) == kept


def test_all_that_is_wrong_with_an_experiment_is_said_at_once():
    with pytest.raises(InvalidRecord) as caught:
        Experiment(layer=Layer(name="c", first=9, last=1), enrolment=101, forced={"a": ("k",), "b": ("k",)})

    assert "places 9 to 1" in str(caught.value)
    assert "enrolment 101" in str(caught.value)
    assert "key 'k' is forced to 2 variants" in str(caught.value)


def test_a_section_of_defaults_is_no_experiment():
    assert configured_experiment(ExperimentConfig()) is UNSET
    assert configured_experiment(ExperimentConfig(holdout=0.07)).enrolment == 93


@given(key=st.text(min_size=1), first=st.integers(1, TOTAL), length=st.integers(0, TOTAL))
def test_no_key_is_in_the_experiments_of_two_models_that_divide_a_layer(key, first, length):
    last = min(first + length, TOTAL)
    ours = a_canary("ours", Layer(name="shared", first=first, last=last))
    theirs = a_canary("theirs", Layer(name="shared", first=last + 1, last=TOTAL) if last < TOTAL else None)

    assert not (ours.assign(key).enrolled and theirs.layer and theirs.assign(key).enrolled)


def a_canary(model, layer):
    from registry.ramp import step_plan

    rollout = a_rollout(model=model, experiment=Experiment(layer=layer))
    before = TrafficPlan(
        model=model,
        epoch=1,
        phase="first",
        salt="s",
        slices=(Slice(variant=CHAMPION, weight=TOTAL),),
        arms=(Arm(variant=CHAMPION, version="v1.0.0"),),
        created_at=START,
        actor="a",
        reason="r",
    )
    return step_plan(rollout, 0, before, actor="a", reason="r", at=START)


def a_rollout(**changes):
    fields = {
        "id": "r-0001",
        "model": "churn",
        "champion": "v1.0.0",
        "challenger": "v1.1.0",
        "steps": (Step(share=500_000, min_s=0, max_s=0),),
        "policy": PromotionPolicy(metric="auc"),
        "salt": "churn.r-0001",
        "step_started_at": START,
        "created_at": START,
    }
    return Rollout(**fields | changes)


def _price(registry, name):
    registry.register_version(msgspec.structs.replace(registry.version("churn", name), model="price", stage="staging"))


def _other_experiment(registry):
    """Another model has a challenger in the first half of the layer."""
    for name in ("v1.0.0", "v1.1.0"):
        _price(registry, name)
    first = registry.install_first("price", "v1.0.0", guards=Guards(), salt="p", actor="a", reason="r", at=START)
    registry.publish_plan(
        msgspec.structs.replace(
            first,
            epoch=2,
            layer=CHECKOUT,
            slices=(Slice(variant="b", weight=1), Slice(variant=CHAMPION, weight=TOTAL - 1)),
            arms=(*first.arms, Arm(variant="b", version="v1.1.0")),
        )
    )
