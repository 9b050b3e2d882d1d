"""What a challenger must show, as people write it: right, or refused with every mistake at once."""

import re
from datetime import timedelta

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.cli.init import TEMPLATE
from flows.comparison.policy import configured_policy
from flows.config.load import parse_config, register_config, registered_config
from flows.config.mistakes import mistakes_of
from flows.config.model import ModelConfig
from flows.config.promotion import GOALS, GUARDED, TAKEN, Promotion, default_guardrails
from registry.home import Settings
from registry.records.policy import Guardrail, PromotionPolicy

GOOD = {
    "model": "churn",
    "task": "binary",
    "target": "left",
    "features": {"numeric": ["age"]},
    "data": {"kpis": {"revenue": "euros", "rating": "stars"}},
}


def config(task="binary", **promotion):
    return parse_config(GOOD | {"task": task, "promotion": promotion}, "test")


def said(task="binary", **promotion):
    return "; ".join(mistakes_of(GOOD | {"task": task, "promotion": promotion}))


@pytest.mark.parametrize(
    ("task", "metric", "chosen", "improvement"),
    [
        ("binary", None, "auc", 0.02),
        ("binary", "auc", "auc", 0.02),
        ("binary", "brier", "brier", 0.05),
        ("binary", "revenue", "revenue", 0.05),
        ("regression", None, "rmse", 0.05),
        ("regression", "r2", "r2", 0.05),
    ],
)
def test_the_default_improvement_is_2_percent_of_auc_and_5_percent_of_anything_else(task, metric, chosen, improvement):
    policy = configured_policy(config(task, metric=metric))

    assert (policy.metric, policy.min_improvement) == (chosen, improvement)


def test_an_improvement_that_is_given_counts_even_if_it_is_nothing():
    assert configured_policy(config(min_improvement=0)).min_improvement == 0


def test_a_policy_without_any_key_is_the_advice_with_guardrails():
    assert configured_policy(config()) == PromotionPolicy(
        metric="auc",
        min_improvement=0.02,
        guardrails=(
            Guardrail(metric="latency_ms", margin=0.5, slack=10.0),
            Guardrail(metric="error_rate", margin=0.02, relative=False),
            Guardrail(metric="revenue", margin=0.1),
            Guardrail(metric="rating", margin=0.1),
        ),
    )


def test_every_key_reaches_the_policy():
    policy = configured_policy(
        config(
            metric="rating",
            direction="lower",
            rule="non_inferiority",
            margin=0.03,
            min_improvement=0.04,
            goals=["accuracy", "revenue"],
            multiplicity="hommel",
            guardrails=[
                {"metric": "error_rate", "margin": 0.01},
                {"metric": "calibration", "margin": 0.02, "relative": False},
                {"metric": "revenue", "margin": 0.2, "direction": "lower"},
            ],
            alpha=0.01,
            power=0.9,
            method="group_sequential",
            spending="pocock",
            looks=5,
            horizon=4000,
            min_holdout=300,
            min_labelled=400,
            min_label_age="6h",
            require_approval=False,
        )
    )

    assert policy == PromotionPolicy(
        metric="rating",
        direction="lower",
        rule="non_inferiority",
        margin=0.03,
        min_improvement=0.04,
        goals=("accuracy", "revenue"),
        multiplicity="hommel",
        guardrails=(
            Guardrail(metric="error_rate", margin=0.01, relative=False),
            Guardrail(metric="calibration", margin=0.02, relative=False),
            Guardrail(metric="revenue", margin=0.2, direction="lower"),
        ),
        alpha=0.01,
        power=0.9,
        method="group_sequential",
        spending="pocock",
        looks=5,
        horizon=4000,
        min_holdout=300,
        min_labelled=400,
        min_label_age_s=21600.0,
        require_approval=False,
    )


def test_no_field_of_the_policy_is_out_of_reach():
    renamed = {"min_label_age_s": "min_label_age"}

    assert {renamed.get(name, name) for name in PromotionPolicy.__struct_fields__} == set(Promotion.model_fields)


def test_an_empty_list_means_no_guardrails():
    assert configured_policy(config(guardrails=[])).guardrails == ()


def test_the_default_margins_are_those_of_the_guards():
    guards = {"latency_increase": 0.2, "error_rate": 0.01, "kpi_drop": 0.3}
    found = configured_policy(parse_config(GOOD | {"guards": guards}, "test")).guardrails

    assert [(one.metric, one.margin) for one in found] == [
        ("latency_ms", 0.2),
        ("error_rate", 0.01),
        ("revenue", 0.3),
        ("rating", 0.3),
    ]


def test_a_kpi_that_is_tested_anyway_is_no_default_guardrail():
    found = default_guardrails(Promotion(metric="revenue", goals=("rating",)), ["revenue", "rating", "calls"])

    assert [one.metric for one in found] == ["latency_ms", "error_rate", "calls"]


@pytest.mark.parametrize(
    ("promotion", "mistake"),
    [
        ({"metric": "acuracy"}, "promotion.metric: unknown metric 'acuracy', did you mean accuracy?"),
        ({"metric": "revenu"}, "promotion.metric: unknown metric 'revenu', did you mean revenue?"),
        ({"metric": "latency_ms"}, "promotion.metric: unknown metric 'latency_ms', known are auc, accuracy, brier"),
        ({"metric": "mae"}, "metric 'mae' does not fit task 'binary', known are auc, accuracy, brier, log_loss, rev"),
        ({"goals": ["acuracy"]}, "promotion.goals: unknown metric 'acuracy', did you mean accuracy?"),
        ({"goals": ["auc"]}, "promotion.goals: 'auc' is named twice (it is the metric)"),
        ({"goals": ["revenue", "revenue"]}, "promotion.goals: 'revenue' is named twice"),
        ({"goals": "revenue"}, "promotion.goals: should be a list"),
        ({"guardrails": [{"metric": "latency", "margin": 1}]}, "unknown metric 'latency', did you mean latency_ms?"),
        ({"guardrails": [{"metric": "rmse", "margin": 1}]}, "metric 'rmse' does not fit task 'binary'"),
        ({"guardrails": [{"metric": "auc", "margin": 0}] * 2}, "promotion.guardrails: 'auc' is given twice"),
        ({"guardrails": [{"metric": "auc"}]}, "promotion.guardrails.0.margin: is missing"),
        ({"guardrails": [{"metric": "auc", "margin": -1}]}, "promotion.guardrails.0.margin: should be greater than"),
        ({"guardrails": [{"metric": "auc", "margin": float("inf")}]}, "margin: should be a finite number"),
        ({"guardrails": [{"metric": "auc", "margin": 1, "relativ": True}]}, "did you mean relative?"),
        (
            {"guardrails": [{"metric": "latency_ms", "margin": 1, "direction": "higher"}]},
            "direction 'higher' contradicts 'latency_ms', of which lower is better",
        ),
        ({"direction": "lower"}, "promotion.metric: direction 'lower' contradicts 'auc', of which higher is better"),
        ({"method": "group_sequential"}, "promotion.method 'group_sequential' needs promotion.horizon"),
        ({"method": "fixed"}, "`understudy plan` computes them"),
        ({"method": "sequential"}, "promotion.method: should be 'always_valid', 'group_sequential' or 'fixed'"),
        ({"method": "fixed", "horizon": 1}, "promotion.horizon: should be greater than or equal to 2 (given: 1)"),
        ({"power": 0.05}, "promotion.power 0.05 is not above alpha 0.05"),
        ({"looks": 101}, "promotion.looks: should be less than or equal to 100 (given: 101)"),
        ({"min_label_age": "1 day"}, "promotion.min_label_age: '1 day' is no duration"),
        ({"min_improvment": 0.1}, "promotion.min_improvment: unknown key, did you mean min_improvement?"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(promotion, mistake):
    assert mistake in said(**promotion)


def test_all_mistakes_of_the_section_come_at_once():
    found = said(
        metric="acuracy",
        goals=["revenu"],
        guardrails=[{"metric": "latency", "margin": 0.5}, {"metric": "rmse", "margin": 0.1}],
        method="fixed",
        power=0.01,
        looks=0,
    )

    for part in ("acuracy", "revenu'", "'latency'", "'rmse'", "needs promotion.horizon", "power 0.01", "looks"):
        assert part in found


def test_a_key_that_is_wrong_by_itself_is_not_blamed_on_the_others():
    assert mistakes_of(GOOD | {"task": "ternary", "promotion": {"metric": "mae", "goals": ["auc"]}}) == [
        "task: should be 'binary', 'multiclass' or 'regression' (given: 'ternary')"
    ]
    assert len(mistakes_of(GOOD | {"data": {"kpis": 3}, "promotion": {"metric": "revenue", "direction": "lower"}})) == 1
    assert len(mistakes_of(GOOD | {"promotion": {"method": "fixed", "horizon": "soon"}})) == 1


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_no_kpi_has_the_name_of_a_metric(name):
    assert f"KPI {name!r} is the name of a metric" in "; ".join(mistakes_of(GOOD | {"data": {"kpis": {name: "x"}}}))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_every_metric_that_is_offered_is_accepted(task):
    for metric in GOALS[task]:
        assert config(task, metric=metric).promotion.metric == metric
    config(task, guardrails=[{"metric": metric, "margin": 0.1} for metric in (*GUARDED[task], "revenue")])


def test_what_was_registered_is_read_again_as_it_was():
    settings = Settings().prepare()
    written = config(
        goals=["revenue"], guardrails=[{"metric": "error_rate", "margin": 0.01}], min_label_age=timedelta(hours=36)
    )

    register_config(written, settings)

    assert registered_config("churn", settings) == written
    assert configured_policy(registered_config("churn", settings)) == configured_policy(written)


def test_the_example_is_valid_with_its_comments_and_without_and_these_are_the_defaults():
    bare = re.sub(r"^  # ", "  ", TEMPLATE, flags=re.MULTILINE)
    plain, whole = (ModelConfig.model_validate(yaml.safe_load(text)) for text in (TEMPLATE, bare))

    assert whole.promotion.goals == ("revenue",)
    assert configured_policy(whole).min_improvement == configured_policy(plain).min_improvement
    assert configured_policy(whole).guardrails == configured_policy(plain).guardrails


names = st.sampled_from(["auc", "rmse", "revenue", "latency_ms", "error_rate", "nothing", "", "calibration"])
guardrail = st.fixed_dictionaries(
    {"metric": names, "margin": st.floats(-1, 2)},
    optional={"relative": st.booleans(), "direction": st.text(max_size=3)},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "metric": names,
            "direction": st.sampled_from(["higher", "lower"]),
            "goals": st.lists(names, max_size=3),
            "guardrails": st.none() | st.lists(guardrail, max_size=3),
            "method": st.sampled_from(["always_valid", "fixed", "group_sequential"]),
            "horizon": st.none() | st.integers(-1, 9),
            "alpha": st.floats(0, 1),
            "power": st.floats(0, 1),
            "min_improvement": st.none() | st.floats(-1, 1),
        },
    ),
    st.sampled_from(["binary", "regression"]),
)
def test_what_the_configuration_accepts_the_policy_accepts(promotion, task):
    if not mistakes_of(GOOD | {"task": task, "promotion": promotion}):
        configured_policy(config(task, **promotion))
