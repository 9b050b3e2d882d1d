"""`understudy assign` and `understudy traffic preview` deal as the plan does: layers, holdout, forced keys."""

import msgspec
import pytest
from cli_making import NOON, WHO

from registry.assignment import home_slices, layer_place
from registry.home import Settings
from registry.records.plan import Arm, Layer, Slice
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Experiment, Rollout, Step
from registry.store.registry import Registry

HALF = Layer(name="checkout", first=1, last=500_000)
KEYS = [f"c-{n}" for n in range(200)]


def place(key):
    return layer_place("checkout", key)


@pytest.fixture
def layered(furnished):
    """Half of the keys take part, 90 % of them, and half of those have the challenger."""
    with Registry.open(Settings().registry_url) as registry:
        plan = registry.plan("churn")
        registry.publish_plan(
            msgspec.structs.replace(
                plan,
                epoch=2,
                layer=HALF,
                enrolment=90,
                forced={"challenger": ("tester",)},
                slices=tuple(Slice(variant=v, weight=w) for v, w in home_slices({"challenger": 500_000})),
                arms=(*plan.arms, Arm(variant="challenger", version="v1.1.0")),
            )
        )
    return furnished


def test_a_live_assignment_tells_who_stands_outside_the_layer(layered):
    found = {one["key"]: one for one in layered("assign", "churn", *KEYS, "tester", "--json").json}

    assert {key for key in KEYS if found[key]["reason"] == "layer"} == {key for key in KEYS if place(key) > 500_000}
    assert {found[key]["variant"] for key in KEYS if place(key) > 500_000} == {"champion"}
    assert {one["reason"] for one in found.values()} == {"layer", "holdout", "bucket", "forced"}
    assert (found["tester"]["variant"], found["tester"]["enrolled"]) == ("challenger", False)


def test_a_preview_gives_no_key_outside_the_layer_to_the_challenger(layered):
    found = layered("traffic", "preview", "churn", *KEYS, "--share", "1", "--json").json
    outside = [one for one in found if one["reason"] == "layer"]

    assert {one["key"] for one in outside} == {key for key in KEYS if place(key) > 500_000}
    assert {one["then"] for one in outside} == {"champion"}
    assert {one["then"] for one in found if one["reason"] == "bucket"} == {"challenger"}


def test_a_preview_of_the_share_in_force_is_what_is_in_force(layered):
    found = layered("traffic", "preview", "churn", *KEYS, "tester", "--share", "0.5", "--json").json

    assert [one["then"] for one in found] == [one["now"] for one in found]


def test_a_preview_of_a_rollout_deals_by_its_own_salt_and_layer(furnished):
    begun = Rollout(
        id="r-0001",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=0, min_s=60, max_s=60), Step(share=500_000, min_s=60, max_s=60)),
        policy=PromotionPolicy(metric="auc"),
        salt="churn.r-0001",
        step_started_at=NOON,
        created_at=NOON,
        experiment=Experiment(layer=HALF),
    )
    with Registry.open(Settings().registry_url) as registry:
        registry.start_rollout(begun, **WHO)

    then = furnished("traffic", "preview", "churn", *KEYS, "--share", "0.5", "--json").json
    _step_on(begun)
    now = furnished("assign", "churn", *KEYS, "--json").json

    assert [one["then"] for one in then] == [one["variant"] for one in now]
    assert {one["reason"] for one in then} == {"layer", "bucket"}


def _step_on(rollout):
    from registry.ramp import step_plan

    with Registry.open(Settings().registry_url) as registry:
        plan = step_plan(rollout, 1, registry.plan("churn"), **WHO)
        moved = msgspec.structs.replace(rollout, step=1, revision=2)
        registry.move_rollout(moved, plan=plan, stages={"v1.1.0": "canary"}, **WHO)
