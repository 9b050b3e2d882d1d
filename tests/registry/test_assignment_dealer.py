"""The dealer decides exactly as the rule, only faster; layers keep experiments apart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_making import a_plan

from registry.assignment import TOTAL, Dealer, assign, bucket_of, home_slices, layer_place
from registry.errors import InvalidRecord
from registry.records.plan import Layer, TrafficPlan

names = st.sampled_from(["champion", "a", "b", "c", "d"])
keys = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(),
    st.text(st.characters()),
    st.integers(),
    st.binary(),
    st.just("k1"),
)
places = st.integers(1, TOTAL)


@st.composite
def rules(draw):
    first, last = sorted((draw(places), draw(places)))
    return {
        "salt": draw(st.text(alphabet="abc.-09é", min_size=1)),
        "slices": draw(st.lists(st.tuples(names, st.sampled_from([0, 0, 1, 33, 500_000])), max_size=12)),
        "forced": draw(st.dictionaries(names, st.lists(st.one_of(st.text(min_size=1), st.just("k1")), max_size=3))),
        "enrolment": draw(st.integers(0, 100)),
        "layer": draw(st.one_of(st.none(), st.just(("shared", first, last)))),
    }


@given(key=keys, rule=rules())
def test_the_dealer_and_the_rule_always_agree(key, rule):
    assert Dealer(**rule).deal(key) == assign(key, **rule)


@given(key=keys, shares=st.lists(st.integers(0, TOTAL // 8), max_size=8), first=places, last=places)
def test_a_plan_deals_by_its_own_fields(key, shares, first, last):
    slices = home_slices({f"v{n}": share for n, share in enumerate(shares)}, homes=8)
    stretch = ("shared", min(first, last), max(first, last))
    plan = a_plan(
        arms=tuple(
            msgspec.convert({"variant": v, "version": "v1.0.0"}, type=type(a_plan().arms[0])) for v in dict(slices)
        ),
        slices=tuple(type(a_plan().slices[0])(variant=v, weight=w) for v, w in slices),
        layer=Layer(name=stretch[0], first=stretch[1], last=stretch[2]),
        enrolment=90,
    )

    assert plan.assign(key) == assign(key, salt=plan.salt, slices=slices, enrolment=90, layer=stretch)


def test_a_plan_works_its_dealer_out_once():
    plan = a_plan()

    assert plan.dealer is plan.dealer
    assert msgspec.structs.replace(plan, salt="other").dealer is not plan.dealer


@given(key=st.text(min_size=1), edges=st.lists(places, min_size=4, max_size=4, unique=True))
def test_stretches_that_do_not_overlap_share_no_key(key, edges):
    one, two, three, four = sorted(edges)
    left, right = Layer(name="shared", first=one, last=two), Layer(name="shared", first=three, last=four)
    dealt = [
        a_plan(challenger="v1.1.0", share=TOTAL, salt=salt, layer=layer).assign(key)
        for salt, layer in (("left", left), ("right", right))
    ]

    assert not left.overlaps(right)
    assert not (dealt[0].enrolled and dealt[1].enrolled)
    assert all(one.enrolled or one == ("champion", None, False, "layer") for one in dealt)


@pytest.mark.parametrize(
    ("key", "place"), [("customer-1", 818141), ("customer-2", 831865), ("42", 45385), ("ключ", 754552)]
)
def test_golden_places_in_a_layer_never_change(key, place):
    assert layer_place("checkout", key) == place == bucket_of("checkout", key, seed=0)


def test_the_edges_of_a_stretch_belong_to_it():
    place = layer_place("shared", "k")
    rules = [(place, place), (place + 1, TOTAL), (1, place - 1)]

    assert [assign("k", salt="s", slices=[("b", 1)], layer=("shared", *rule)).reason for rule in rules] == [
        "bucket",
        "layer",
        "layer",
    ]


def test_a_forced_key_is_served_whatever_its_place_and_does_not_count():
    plan = a_plan(challenger="v1.1.0", forced={"challenger": ("k",)}, layer=Layer(name="shared", first=1, last=1))

    assert plan.assign("k") == ("challenger", None, False, "forced")


def test_a_layer_meets_its_share_and_leaves_the_split_as_it_is():
    dealt = [assign(n, salt="s", slices=home_slices({"b": 100_000}), layer=("l", 1, 500_000)) for n in range(40_000)]
    enrolled = [one for one in dealt if one.enrolled]

    assert len(enrolled) == pytest.approx(20_000, abs=6 * (40_000 * 0.25) ** 0.5)
    assert sum(one.variant == "b" for one in enrolled) == pytest.approx(2_000, abs=6 * (20_000 * 0.09) ** 0.5)


def test_the_split_and_the_layer_are_dealt_apart():
    places_of = [(bucket_of("s", str(n)) > TOTAL // 2, layer_place("s", str(n)) > TOTAL // 2) for n in range(20_000)]

    assert places_of.count((True, True)) == pytest.approx(5_000, abs=6 * (20_000 * 0.1875) ** 0.5)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (Layer(name="Big", first=1, last=2), "layer 'Big' is not 1 to 63"),
        (Layer(name="l", first=0, last=2), "places 0 to 2 of layer l"),
        (Layer(name="l", first=3, last=2), "places 3 to 2 of layer l"),
        (Layer(name="l", first=1, last=TOTAL + 1), "places 1 to 1000001 of layer l"),
    ],
)
def test_a_layer_that_makes_no_sense_is_refused(layer, why):
    with pytest.raises(InvalidRecord, match=why):
        a_plan(layer=layer)


def test_a_plan_without_a_layer_is_written_as_it_was_before_there_were_layers():
    raw = a_plan().to_json()

    assert b"layer" not in raw
    assert TrafficPlan.from_json(raw) == a_plan()
    assert a_plan().digest() == "3bf2cc3db7e6730497d66bc568a91416467018c00725c4d96702afa478dda689"


def test_a_plan_with_a_layer_comes_back_from_json_as_it_was():
    plan = a_plan(challenger="v1.1.0", layer=Layer(name="shared", first=1, last=2))

    assert TrafficPlan.from_json(plan.to_json()) == plan
