"""The champion's own version may be a shadow: how far it differs from itself is the noise of the comparison."""

from registry_making import a_plan, install

from registry.records.plan import TrafficPlan


def test_a_plan_may_list_the_champion_among_its_shadows(registry):
    install(registry, "v1.1.0")

    published = registry.publish_plan(a_plan(2, shadows=("v1.0.0", "v1.1.0")))

    assert registry.plan("churn").shadows == ("v1.0.0", "v1.1.0")
    assert TrafficPlan.from_json(published.to_json()) == published
