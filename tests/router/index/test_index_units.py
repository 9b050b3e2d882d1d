"""Statistics by key, and of ripe labels, are what one gets by hand from the rows."""

import math
import re
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from registry.records.live import ModelMetrics, Moments, UnitMoments
from router.index import schema
from router.index.columns import units
from router.index.metrics import MetricsReader
from router.index.summary import moments, unit_moments

CHALLENGER = {"assigned": "challenger", "served": "challenger", "assigned_version": "v1.1.0", "version": "v1.1.0"}


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path)


def by_hand(values):
    """Of (key, value) pairs; a key of None is a unit of its own."""
    number, total = defaultdict(int), defaultdict(float)
    for place, (key, value) in enumerate(values):
        unit = ("alone", place) if key is None else key
        number[unit] += 1
        total[unit] += value
    n = len(number)
    if n == 0:
        return UnitMoments()
    x, y = list(number.values()), [total[unit] for unit in number]
    mean_x, mean_y = math.fsum(x) / n, math.fsum(y) / n
    dx, dy = [one - mean_x for one in x], [one - mean_y for one in y]
    return UnitMoments(
        n=n,
        mean_x=mean_x,
        mean_y=mean_y,
        m2_x=math.fsum(d * d for d in dx),
        m2_y=math.fsum(d * d for d in dy),
        co=math.fsum(a * b for a, b in zip(dx, dy, strict=True)),
    )


def same(found, expected):
    names = UnitMoments.__struct_fields__
    assert {name: getattr(found, name) for name in names} == pytest.approx(
        {name: getattr(expected, name) for name in names}, rel=1e-9, abs=1e-9
    )


def champion(index, **asked):
    return index.metrics(**asked).phases[-1].variants["champion"]


def test_a_caller_who_comes_back_is_one_unit(index):
    index.take(
        *(
            predicted(id_, key=key, score=score)
            for id_, key, score in (("p", "a", 0.5), ("q", "a", 0.0), ("r", "b", 1.0))
        ),
        *(observed(f"o{id_}", prediction_id=id_, value=1.0) for id_ in "pqr"),
        observed("m", prediction_id="q", metric="revenue", value=30.0),
    )

    seen = champion(index)
    assert (seen.assigned, seen.keys) == (3, 2)
    assert seen.units["loss"] == UnitMoments(n=2, mean_x=1.5, mean_y=0.625, m2_x=0.5, m2_y=0.78125, co=0.625)
    assert seen.units["revenue"] == UnitMoments(n=1, mean_x=1.0, mean_y=30.0)
    assert seen.units["correct"].n * seen.units["correct"].mean_y == seen.correct.n * seen.correct.mean
    assert set(seen.units) == {"loss", "correct", "revenue"}


def test_requests_without_a_key_are_units_of_their_own(index):
    index.take(
        *(
            predicted(id_, key=key, enrolled=False, reason="missing_key")
            for id_, key in (("p", None), ("q", None), ("r", ""))
        ),
        predicted("s", key="p"),  # a key that is called like a request
        *(observed(f"o{id_}", prediction_id=id_) for id_ in "pqrs"),
    )

    seen = champion(index)
    assert (seen.units["loss"].n, seen.units["loss"].m2_x) == (4, 0.0)
    assert (seen.assigned, seen.keys) == (1, 1)


@pytest.mark.parametrize(
    "keys", [("Zoë", "Zoe\u0308"), ("a", "A"), ("1", "01"), ("a", "a\0"), ("顾客", "顧客"), ("é" * 5000, "e")]
)
def test_keys_that_differ_are_told_apart_however_alike(index, keys):
    index.take(*(predicted(f"p{n}", key=key) for n, key in enumerate(keys)), predicted("again", key=keys[0]))

    assert champion(index).keys == 2


def test_forced_callers_and_outsiders_are_in_no_unit(index):
    labels = [observed(f"o{id_}", prediction_id=id_) for id_ in ("in", "forced", "out", "theirs")]
    money = [observed(f"m{id_}", prediction_id=id_, metric="revenue", value=9.0) for id_ in ("in", "forced", "out")]
    index.take(
        predicted("in", key="in"),
        predicted("forced", key="forced", enrolled=False, reason="forced"),
        predicted("out", key="out", enrolled=False, reason="holdout"),
        predicted("theirs", key="theirs", **CHALLENGER),
        *labels,
        *money,
    )

    seen = champion(index)
    assert (seen.assigned, seen.keys) == (1, 1)
    assert {name: one.n for name, one in seen.units.items()} == {"loss": 1, "correct": 1, "revenue": 1}
    assert seen.ages == {"0": (1, 1)}
    assert index.metrics().phases[0].variants["challenger"].units["loss"].n == 1


def test_a_metric_that_callers_call_loss_does_not_mix_with_the_loss(index):
    index.take(
        predicted("p", score=0.5),
        observed("o", prediction_id="p"),
        *(observed(name, prediction_id="p", metric=name, value=1e6) for name in ("loss", "correct")),
    )

    seen = champion(index)
    assert (seen.units["loss"].mean_y, seen.units["correct"].mean_y) == (0.25, 1.0)
    assert (seen.outcomes["loss"].mean, seen.outcomes["correct"].mean) == (1e6, 1e6)


def test_a_label_that_comes_late_changes_its_own_phase_only(index):
    index.take(predicted("p"), predicted("q", phase="second", epoch=2), observed("o", prediction_id="q"))
    first, second = index.metrics().phases
    assert first.variants["champion"].units == {}

    index.take(observed("late", prediction_id="p", time=1e6, value=0.0))

    changed, unchanged = index.metrics().phases
    assert changed.variants["champion"].units["loss"].n == 1
    assert unchanged == second


def test_a_shadow_is_compared_key_by_key(index):
    index.take(
        *(predicted(id_, key=key, shadows=("v1.1.0",)) for id_, key in (("p", "a"), ("q", "a"), ("r", "b"))),
        *(
            shadowed(id_, score=score, prediction=int(score >= 0.5))
            for id_, score in (("p", 0.0), ("q", 1.0), ("r", 0.0))
        ),
        *(observed(f"o{id_}", prediction_id=id_, value=1.0) for id_ in "pqr"),
    )

    seen = index.metrics().phases[0].shadows["v1.1.0"]
    assert (seen.pairs, seen.champion_only_right, seen.challenger_only_right) == (3, 2, 0)
    same(seen.units["loss"], by_hand([("a", 0.25 - 1.0), ("a", 0.25 - 0.0), ("b", 0.25 - 1.0)]))
    same(seen.units["correct"], by_hand([("a", -1.0), ("a", 0.0), ("b", -1.0)]))


def test_a_regression_has_no_classes(tmp_path):
    index = Index(tmp_path)
    index.reader = MetricsReader(index.db, lambda _: "regression", lambda *_: {})
    index.take(
        predicted("p", score=3.0, prediction=3.0, shadows=("v1.1.0",)),
        shadowed("p", score=1.0, prediction=1.0),
        observed("o", prediction_id="p", value=0.0),
    )

    phase = index.metrics().phases[0]
    assert set(phase.variants["champion"].units) == set(phase.shadows["v1.1.0"].units) == {"loss"}
    assert phase.variants["champion"].units["loss"].mean_y == 3.0
    assert phase.shadows["v1.1.0"].units["loss"].mean_y == 2.0


def test_labels_of_young_requests_can_be_left_out(index):
    index.take(
        *(
            predicted(id_, key=id_, time=time, shadows=("v1.1.0",))
            for id_, time in (("p", 0.0), ("q", 60.0), ("r", 100.0))
        ),
        *(shadowed(id_) for id_ in "pqr"),
        *(observed(f"o{id_}", prediction_id=id_) for id_ in "pqr"),
        *(observed(f"m{id_}", prediction_id=id_, metric="revenue", value=5.0) for id_ in "pqr"),
    )

    def counts(age):
        found = index.metrics(min_label_age=age)
        seen, shadow = found.phases[0].variants["champion"], found.phases[0].shadows["v1.1.0"]
        assert (found.clock, found.min_label_age_s, seen.assigned, seen.keys, shadow.scored) == (100.0, age, 3, 3, 3)
        assert {name: one.n for name, one in seen.units.items()} == (
            dict.fromkeys(("revenue", "loss", "correct"), seen.loss.n) if seen.loss.n else {}
        )
        assert shadow.pairs == shadow.loss_difference.n == seen.correct.n == seen.loss.n
        return seen.loss.n, seen.outcomes["revenue"].n if seen.outcomes else 0

    assert [counts(age) for age in (0.0, 1e-3, 40.0, 40.1, 100.0, 100.1, 0.0)] == [
        (3, 3),
        (2, 2),
        (2, 2),
        (1, 1),
        (1, 1),
        (0, 0),
        (3, 3),
    ]


def test_requests_ripen_by_the_clock_of_the_model_though_nothing_of_their_phase_changes(index):
    index.take(predicted("p", time=0.0), predicted("q", time=50.0), *(observed(f"o{i}", prediction_id=i) for i in "pq"))

    def ripe():
        return index.metrics(min_label_age=100.0).phases[0].variants["champion"].loss.n

    assert ripe() == 0
    index.take(predicted("r", time=120.0, phase="second", epoch=2))
    assert ripe() == 1
    index.take(predicted("s", time=500.0, phase="second", epoch=2))
    assert ripe() == 2
    index.take(predicted("t", time=60.0, phase="second", epoch=2))  # a caller whose clock is slow
    assert ripe() == 0


def test_ages_are_counted_in_powers_of_two_of_the_newest_phase_only(index):
    times = (1000.0, 999.5, 999.0, 998.0, 996.5, 984.0, 0.0, 1001.0, 1000.0)
    index.take(
        predicted("old", time=0.0),
        *(predicted(f"p{n}", time=time, phase="second", epoch=2) for n, time in enumerate(times)),
        *(observed(f"o{n}", prediction_id=f"p{n}") for n in (2, 5, 6)),
    )

    first, second = (phase.variants["champion"].ages for phase in index.metrics().phases)
    assert first == {}
    assert second == {"0": (4, 0), "1": (1, 1), "2": (2, 0), "16": (1, 1), "512": (1, 1)}

    index.take(predicted("n", time=2000.0, model="n"), predicted("third", time=3000.0, phase="third", epoch=3))
    assert [phase.variants["champion"].ages for phase in index.metrics().phases] == [{}, {}, {"0": (1, 0)}]


def test_ages_go_on_though_the_phase_was_looked_at_before(index):
    index.take(predicted("p", time=0.0))
    index.reader.phase("m", "first", 1, 1)
    assert champion(index).ages == {"0": (1, 0)}

    index.take(predicted("q", time=40.0))

    assert champion(index).ages == {"0": (1, 0), "32": (1, 0)}


def test_failed_requests_have_no_age_for_they_will_have_no_label(index):
    index.take(predicted("p", score=None, prediction=None, failed=True, error="champion_raised"), predicted("q"))

    assert champion(index).ages == {"0": (1, 0)}


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1e3, 1e3)), max_size=40), st.sampled_from([0.0, 1e8, -1e8]))
def test_moments_over_units_agree_with_the_definition_even_far_from_zero(values, offset):
    unit, value = np.array([u for u, _ in values], np.intp), np.array([v + offset for _, v in values])
    found, expected = unit_moments(unit, value), by_hand(zip(unit.tolist(), value.tolist(), strict=True))

    names = UnitMoments.__struct_fields__
    scale = {"m2_y": abs(offset) + 1, "co": abs(offset) + 1}
    for name in names:
        a, b = getattr(found, name), getattr(expected, name)
        assert a == pytest.approx(b, rel=1e-9, abs=1e-6 * scale.get(name, 1)), name


def test_an_offset_of_a_hundred_million_keeps_the_spread():
    values = np.random.default_rng(1).normal(size=10_000)
    unit = np.arange(10_000) // 2

    near, far = unit_moments(unit, values), unit_moments(unit, values + 1e8)
    assert far.m2_y == pytest.approx(near.m2_y, rel=1e-5)
    assert moments(values + 1e8).m2 == pytest.approx(moments(values).m2, rel=1e-5)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e8 + 0.1, -0.7])
@pytest.mark.parametrize("n", [1, 3, 7, 100, 9999])
def test_equal_values_have_no_variance_at_all(n, value):
    found = unit_moments(np.arange(n), np.full(n, value))

    assert moments(np.full(n, value)) == Moments(n=n, mean=value)
    assert (found.mean_y, found.m2_y, found.co) == (value, 0.0, 0.0)


@pytest.mark.parametrize("value", [1.7e308, -1.7e308, 1e200, 5e-324])
def test_values_at_the_edge_of_numbers_still_make_a_document(index, value):
    index.take(
        *(predicted(id_, key="a", score=value, shadows=("v1.1.0",)) for id_ in "pq"),
        *(shadowed(id_, score=-value) for id_ in "pq"),
        *(observed(f"o{id_}", prediction_id=id_, value=-value) for id_ in "pq"),
        *(observed(f"m{id_}", prediction_id=id_, metric="revenue", value=value) for id_ in "pq"),
    )

    document = index.metrics()
    assert ModelMetrics.from_json(document.to_json()) == document


def test_the_unit_of_a_key_is_the_same_in_every_process():
    # mmh3's own documentation: hash64("foo") is (-2129773440516405919, 9128664383759220103).
    found = units(["foo", None, "", "foo"], ["x", "foo", "foo", "y"]).tolist()

    assert found[0] == found[3] == -2129773440516405919
    assert found[1] == found[2] != found[0]


KEYS = st.sampled_from(["a", "b", "c", "Zoë", None])
ROW = st.fixed_dictionaries(
    {
        "key": KEYS,
        "time": st.integers(0, 64).map(float),
        "score": st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        "arm": st.sampled_from([{}, {}, CHALLENGER]),
        "kind": st.sampled_from(["bucket", "bucket", "bucket", "forced", "holdout"]),
        "phase": st.sampled_from(["first", "second"]),
        "label": st.sampled_from([None, 0.0, 1.0]),
        "revenue": st.sampled_from([None, 0.0, 10.0, 1e8]),
    }
)


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=14), st.sampled_from([0.0, 8.0, 1000.0]), st.integers(1, 5))
def test_whatever_the_log_holds_units_and_ages_are_those_counted_by_hand(tmp_path_factory, rows, age, block):
    events = []
    for n, row in enumerate(rows):
        part = row["kind"] == "bucket" and row["key"] is not None
        arm = row["arm"] if part else {}
        events.append(
            predicted(
                f"p{n}",
                key=row["key"],
                time=row["time"],
                score=row["score"],
                enrolled=part,
                reason=row["kind"] if part or row["kind"] != "bucket" else "missing_key",
                phase=row["phase"],
                epoch=1 + (row["phase"] == "second"),
                **arm,
            )
        )
        events += [
            observed(f"{name}{n}", prediction_id=f"p{n}", metric=name, value=row[name])
            for name in ("label", "revenue")
            if row[name] is not None
        ]
    folder = tmp_path_factory.mktemp("log")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "BLOCK", block)
        patch.setattr("router.index.columns.BLOCK", block)
        index = Index(folder)
        for event in events:
            index.take(event).metrics(min_label_age=age)
        found = index.metrics(min_label_age=age)

    clock = rows[-1]["time"]
    newest = max(row["phase"] for row in rows)
    for phase in found.phases:
        inside = [row for row in rows if row["phase"] == phase.phase and row["kind"] != "forced"]
        split = any(row["arm"] and row["kind"] == "bucket" and row["key"] is not None for row in inside)
        for name, variant in phase.variants.items():
            part = [row for row in inside if (row["kind"] == "bucket" and row["key"] is not None) or not split]
            mine = [
                row
                for row in part
                if (name == "challenger") == bool(row["arm"] and row["kind"] == "bucket" and row["key"] is not None)
            ]
            ripe = [row for row in mine if age == 0 or row["time"] <= clock - age]
            losses = [(row["key"], (row["score"] - row["label"]) ** 2) for row in ripe if row["label"] is not None]
            money = [(row["key"], row["revenue"]) for row in ripe if row["revenue"] is not None]
            same(variant.units.get("loss", UnitMoments()), by_hand(losses))
            same(variant.units.get("revenue", UnitMoments()), by_hand(money))
            assert variant.loss.n == len(losses)
            assert variant.keys == len(
                {row["key"] for row in mine if row["kind"] == "bucket" and row["key"] is not None}
            )
            asked = sum(n for n, _ in variant.ages.values())
            assert (asked, sum(n for _, n in variant.ages.values())) == (
                (len(mine), sum(row["label"] is not None for row in mine)) if phase.phase == newest else (0, 0)
            )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("pqrstu"), st.sampled_from(["first", "second"]), st.booleans()), max_size=20),
    st.sampled_from([0, 3000, 1 << 20]),
    st.integers(1, 3),
)
def test_what_is_kept_in_memory_never_changes_what_is_said(tmp_path_factory, steps, most_bytes, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "BLOCK", block)
        patch.setattr("router.index.columns.BLOCK", block)
        index = Index(tmp_path_factory.mktemp("log"))
        index.reader = MetricsReader(index.db, lambda _: "binary", lambda *_: {}, most_bytes)
        for number, (id_, phase, labelled) in enumerate(steps):
            index.take(predicted(id_, time=float(number), phase=phase, epoch=1 + (phase == "second"), key=id_))
            if labelled:
                index.take(observed(f"o{number}", prediction_id=id_))
            index.metrics(min_label_age=2.0)
            index.metrics()

        index.db.execute("DELETE FROM summaries")
        fresh = MetricsReader(index.db, lambda _: "binary", lambda *_: {})
        assert index.metrics() == fresh.model("m", 1)
        assert index.metrics(min_label_age=2.0) == fresh.model("m", 1, min_label_age=2.0)
        assert index.reader._blocks._bytes <= most_bytes
        kept = index.reader._blocks._phases.values()
        assert index.reader._blocks._bytes == sum(block.size for phase in kept for block in phase.values())


def test_the_document_shown_in_the_pages_is_a_real_one(index):
    page = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text()
    [shown] = re.findall(r"```json\n(\{\"version\".*?)```", page, re.DOTALL)
    index.take(
        predicted("p", key="lead-17", time=0.0, score=0.5, latency_ms=0.25),
        predicted("q", key="lead-17", time=1800.0, score=1.0, latency_ms=0.25),
        predicted("r", key="lead-18", time=5400.0, score=0.75, latency_ms=0.25),
        observed("1", prediction_id="p", value=1.0),
        observed("2", prediction_id="q", value=0.0),
        observed("3", prediction_id="q", metric="revenue", value=12.5),
        observed("4", prediction_id="r", metric="revenue", value=7.5),
    )

    assert msgspec.json.decode(shown) == msgspec.json.decode(champion(index).to_json())


def test_a_document_of_an_older_router_is_still_read():
    old = msgspec.json.decode(ModelMetrics(model="m", epoch=1).to_json())
    for name in ("clock", "min_label_age_s"):
        del old[name]

    assert ModelMetrics.from_json(msgspec.json.encode(old)).clock == 0.0
