"""Records refuse what cannot be right, with every mistake, and survive the trip through JSON."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_making import NOON, a_decision, a_plan, a_rollout, a_version, an_event

from registry.errors import InvalidRecord
from registry.records.base import utc
from registry.records.live import Moments
from registry.records.plan import Arm, Guards, Slice, TrafficPlan
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Step
from registry.records.version import ModelVersion, next_version, version_key

RECORDS = [a_version(), a_plan(), a_rollout(), an_event(), a_decision(), Guards()]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_survives_the_trip_through_json(record):
    kept = type(record).from_json(record.to_json())

    assert kept == record
    assert type(record).from_json(kept.to_json()).to_json() == kept.to_json()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_an_unknown_field_is_refused(record):
    raw = msgspec.json.encode(record.to_dict() | {"surprise": 1})

    with pytest.raises(msgspec.ValidationError, match="surprise"):
        type(record).from_json(raw)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_cannot_be_changed(record):
    with pytest.raises(AttributeError):
        setattr(record, record.__struct_fields__[0], "other")


def test_the_digest_sees_through_an_integer_where_a_float_belongs():
    by_hand = a_rollout(steps=(Step(share=0, min_s=60, max_s=120),))

    assert by_hand.digest() == type(by_hand).from_json(by_hand.to_json()).digest()
    assert by_hand.digest() == a_rollout(steps=(Step(share=0, min_s=60.0, max_s=120.0),)).digest()


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(), min_size=2))
def test_the_order_of_a_mapping_does_not_change_the_bytes(params):
    backwards = dict(reversed(params.items()))

    assert a_version(params=params).to_json() == a_version(params=backwards).to_json()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"slices": (Slice(variant="champion", weight=999_999),)}, "add up to 999999, not 1000000: 999999 .champion."),
        ({"slices": ()}, "add up to 0"),
        (
            {"slices": (Slice(variant="champion", weight=1_000_001), Slice(variant="champion", weight=-1))},
            "weight -1 of 'champion' is negative",
        ),
        ({"slices": (Slice(variant="ghost", weight=1_000_000),)}, "slice of 'ghost' has no arm"),
        ({"arms": (Arm(variant="challenger", version="v1.0.0"),)}, "no arm is the champion"),
        ({"arms": (Arm(variant="champion", version="v1.0.0"),) * 2}, "variant 'champion' has 2 arms"),
        ({"arms": (Arm(variant="champion", version="1.0"),)}, "'1.0' does not look like v1.2.3"),
        ({"shadows": ("latest",)}, "'latest' does not look like"),
        ({"shadows": ("v1.1.0", "v1.1.0")}, r"shadow v1\.1\.0 is listed twice"),
        ({"forced": {"ghost": ("k",)}}, "forced variant 'ghost' has no arm"),
        ({"epoch": 0}, "epoch 0 is below 1"),
        ({"phase": ""}, "its phase has no name"),
        ({"salt": "a:b"}, "contains ':'"),
        ({"salt": ""}, "is empty"),
        ({"salt": "\ud800"}, "not encodable"),
        ({"enrolment": 101}, "enrolment 101"),
        ({"model": "Churn"}, "Model 'Churn'"),
        ({"model": "churn\n"}, "Model 'churn"),
    ],
)
def test_a_plan_that_could_not_answer_every_key_is_refused(changes, why):
    with pytest.raises(InvalidRecord, match=why):
        a_plan(**changes)


def test_a_key_forced_to_two_variants_is_refused():
    with pytest.raises(InvalidRecord, match="key 'k' is forced to 2 variants"):
        a_plan(challenger="v1.1.0", share=1, forced={"champion": ("k",), "challenger": ("k", "k")})


def test_all_mistakes_of_a_plan_are_named_at_once():
    with pytest.raises(InvalidRecord, match="4 mistakes"):
        a_plan(model="?", salt="", epoch=0, slices=())


def test_a_plan_says_who_answers_and_how_many():
    plan = a_plan(challenger="v1.1.0", share=250_000, forced={"challenger": ("vip",)}, enrolment=50)

    assert plan.assign("vip").variant == "challenger"
    assert plan.weight_of("challenger") == 250_000
    assert plan.version_of("challenger") == "v1.1.0"
    assert [arm.variant for arm in plan.challengers] == ["challenger"]
    assert {plan.assign(n).reason for n in range(100)} == {"bucket", "holdout"}


@given(key=st.text(), share=st.integers(0, 1_000_000))
def test_a_plan_from_json_assigns_as_the_one_it_came_from(key, share):
    plan = a_plan(challenger="v1.1.0", share=share)

    assert TrafficPlan.from_json(plan.to_json()).assign(key) == plan.assign(key)


@pytest.mark.parametrize("name", ["deadline_ms", "error_rate", "latency_increase", "kpi_drop", "alpha"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_guards_that_could_never_judge_are_refused(name, value):
    with pytest.raises(InvalidRecord, match=name):
        Guards(**{name: value})


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_step_that_ends_before_it_may_is_refused(low, high):
    with pytest.raises(InvalidRecord, match="it stays"):
        Step(share=0, min_s=low, max_s=high)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"steps": ()}, "it has no steps"),
        ({"steps": tuple(Step(share=s, min_s=0, max_s=0) for s in (2, 1))}, r"\[2, 1\] do not grow"),
        ({"steps": (Step(share=1_000_001, min_s=0, max_s=0),)}, "share 1000001"),
        ({"challenger": "v1.0.0"}, r"both v1\.0\.0"),
        ({"challenger": "newest"}, "'newest' does not look like"),
        ({"salt": "a:b"}, "contains ':'"),
        ({"step": 2}, "step 2 is none of its 2 steps"),
        ({"step": -2}, "step -2"),
        ({"revision": 0}, "revision 0"),
    ],
)
def test_a_rollout_that_could_not_move_is_refused(changes, why):
    with pytest.raises(InvalidRecord, match=why):
        a_rollout(**changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "v1.2"}, "does not look like v1.2.3"),
        ({"version": "v01.2.3"}, "does not look like"),
        ({"version": "v1.٣.0"}, "does not look like"),
        ({"version": "v1.0.9999999999"}, "does not look like"),
        ({"features": ()}, "it has no features"),
        ({"features": a_version().features * 2}, "feature 'age' is listed twice"),
        ({"target": "age"}, "target 'age' is also a feature"),
        ({"artifact_digest": "A" * 64}, "is not a sha256"),
        ({"metrics": {"auc": float("nan")}}, "metric auc is nan"),
        ({"baseline_metrics": {"auc": float("inf")}}, "baseline metric auc is inf"),
        ({"parity": float("nan")}, "parity is nan"),
    ],
)
def test_a_version_that_could_not_be_served_is_refused(changes, why):
    with pytest.raises(InvalidRecord, match=why):
        a_version(**changes)


def test_the_rules_hold_for_json_too():
    raw = a_version().to_json().replace(b'"v1.0.0"', b'"latest"')

    with pytest.raises(InvalidRecord, match="'latest'"):
        ModelVersion.from_json(raw)


@given(st.lists(st.tuples(*[st.integers(0, 999_999_999)] * 3), min_size=1))
def test_versions_sort_as_numbers(numbers):
    names = ["v{}.{}.{}".format(*number) for number in numbers]

    assert [version_key(name) for name in names] == numbers
    for change in ("major", "minor", "patch"):
        if max(numbers)[0] < 999_999_999 and max(max(numbers)) < 999_999_999:
            assert version_key(next_version(names, change)) > max(numbers)


def test_the_first_version_is_one():
    assert next_version([]) == next_version([], "patch") == "v1.0.0"
    assert next_version(["v1.9.0", "v1.10.3"]) == "v1.11.0"
    assert next_version(["v1.9.0", "v1.10.3"], "patch") == "v1.10.4"
    assert next_version(["v1.9.0", "v1.10.3"], "major") == "v2.0.0"


def test_a_version_that_is_none_has_no_place_in_the_order():
    with pytest.raises(InvalidRecord, match="'1' does not look like"):
        version_key("1")


@pytest.mark.parametrize("changes", [{"alpha": 0}, {"alpha": 0.5}, {"alpha": float("nan")}, {"margin": 1}])
def test_a_policy_that_could_not_decide_is_refused(changes):
    with pytest.raises(InvalidRecord, match="The promotion policy"):
        PromotionPolicy(metric="auc", **changes)


samples = st.lists(st.floats(-1e6, 1e6), max_size=8)


def moments(values):
    total = Moments()
    for value in values:
        total = total.merge(Moments(n=1, mean=value))
    return total


def close(one, other):
    assert one.n == other.n
    assert one.mean == pytest.approx(other.mean, rel=1e-9, abs=1e-6)
    assert one.m2 == pytest.approx(other.m2, rel=1e-6, abs=1e-3)


@given(samples, samples, samples)
def test_moments_merge_in_any_order_and_grouping(a, b, c):
    one, two, three = moments(a), moments(b), moments(c)

    close(one.merge(two).merge(three), one.merge(two.merge(three)))
    close(one.merge(two), two.merge(one))
    close(one.merge(two), moments(a + b))
    close(one.merge(Moments()), one)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_moments_agree_with_numpy(values):
    import numpy as np

    assert moments(values).mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert moments(values).variance == pytest.approx(np.var(values, ddof=1), rel=1e-6, abs=1e-3)


def test_a_naive_moment_is_taken_as_utc():
    assert utc(NOON.replace(tzinfo=None)) == NOON
    assert utc(NOON + timedelta(0)).tzinfo is NOON.tzinfo
