"""Two models' experiments in one layer never share a key: the second is refused where plans are published."""

import threading

import pytest
from registry_making import a_plan, a_version, install

from registry.errors import PlanConflict
from registry.records.plan import Layer

LOW, HIGH = Layer(name="shared", first=1, last=500_000), Layer(name="shared", first=500_001, last=1_000_000)


def experiment(epoch=2, **changes):
    return a_plan(epoch, challenger="v1.1.0", share=100_000, **changes)


@pytest.fixture
def both(registry):
    install(registry, "v1.1.0")
    for version in ("v1.0.0", "v1.1.0"):
        registry.register_version(a_version(version, model="price"))
    registry.publish_plan(a_plan(1, model="price"))
    return registry


def test_stretches_side_by_side_are_published(both):
    both.publish_plan(experiment(layer=LOW))

    assert both.publish_plan(experiment(model="price", layer=HIGH)).layer == HIGH


def test_places_that_another_experiment_has_are_refused_and_nothing_is_published(both):
    both.publish_plan(experiment(layer=LOW))

    with pytest.raises(
        PlanConflict, match=r"wants places 500000 to 500000 .* churn has places 1 to 500000 \(epoch 2\)"
    ):
        both.publish_plan(experiment(model="price", layer=Layer(name="shared", first=500_000, last=500_000)))
    assert both.plan("price").epoch == 1


def test_places_are_free_again_when_the_experiment_has_ended(both):
    both.publish_plan(experiment(layer=LOW))
    both.publish_plan(a_plan(3, layer=LOW))

    assert both.publish_plan(experiment(model="price", layer=LOW)).epoch == 2


def test_a_plan_without_challengers_may_name_any_places(both):
    both.publish_plan(experiment(layer=LOW))

    assert both.publish_plan(a_plan(2, model="price", layer=LOW)).epoch == 2


def test_layers_of_other_names_and_the_own_earlier_plan_disturb_nobody(both):
    both.publish_plan(experiment(layer=LOW))
    both.publish_plan(experiment(3, layer=LOW))

    assert both.publish_plan(experiment(model="price", layer=Layer(name="other", first=1, last=9))).epoch == 2
    assert both.audit(limit=1)[0].after["layer"] == {"name": "other", "first": 1, "last": 9}


def test_of_two_that_publish_at_once_one_is_refused(both):
    refused = []

    def publish(model):
        try:
            both.publish_plan(experiment(model=model, layer=LOW))
        except PlanConflict as conflict:
            refused.append(conflict)

    racers = [threading.Thread(target=publish, args=(model,)) for model in ("churn", "price")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert len(refused) == 1
    assert sorted((both.plan("churn").epoch, both.plan("price").epoch)) == [1, 2]
