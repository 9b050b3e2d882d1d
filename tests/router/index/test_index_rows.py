"""Joined rows: the right ones, in the order of the log, with everything that came later."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from registry.records.live import JoinedRow
from router.index.rows import RowQuery, _sql, ndjson
from router.index.schema import open_readonly


@pytest.fixture
def read(tmp_path):
    index = Index(tmp_path)
    for number in range(10):
        index.take(predicted(f"p{number}", time=100.0 + number, shadows=("v1.1.0",)))
    index.take(*(observed(f"o{number}", prediction_id=f"p{number}") for number in range(4)), shadowed("p0"))
    index.take(shadowed("p1", score=None, prediction=None, error="raised"), predicted("p0", model="n"))
    index.take(predicted("lost", failed=True, score=None, prediction=None))

    def rows(model="m", **query):
        lines = b"".join(ndjson(open_readonly(tmp_path / "index.sqlite"), model, RowQuery(**query))).splitlines()
        return [msgspec.json.decode(line, type=JoinedRow) for line in lines]

    return rows


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, range(10)),
        ({"labelled": True}, range(4)),
        ({"labelled": False}, range(4, 10)),
        ({"newest": 3}, range(7, 10)),
        ({"limit": 3}, range(3)),
        ({"limit": 0}, []),
        ({"newest": 0}, []),
        ({"after": 8}, range(8, 10)),
        ({"since": 102.0, "until": 104.0}, range(2, 4)),
        ({"labelled": True, "newest": 2}, range(2, 4)),
    ],
)
def test_a_query_finds_its_rows_in_the_order_of_the_log(read, query, expected):
    assert [row.prediction_id for row in read(**query)] == [f"p{number}" for number in expected]


def test_a_row_carries_its_outcomes_and_what_its_shadows_said(read):
    first, second, *_ = read()

    assert (first.outcomes, first.shadows) == ({"label": 1.0}, {"v1.1.0": {"score": 0.75, "prediction": 1}})
    assert second.shadows == {"v1.1.0": {"error": "raised"}}


def test_rows_of_another_model_stay_apart_even_with_the_same_id(read):
    [row] = read("n")

    assert (row.prediction_id, row.outcomes, row.shadows) == ("p0", {}, {})


def test_rows_of_one_phase_are_found_whatever_else_is_asked(tmp_path):
    index = Index(tmp_path)
    for number in range(12):
        index.take(predicted(f"p{number}", time=float(number), phase=f"r.{number % 3}"))
    index.take(
        predicted("q", model="n", phase="r.1"), observed("o", prediction_id="p4"), observed("o1", prediction_id="p1")
    )

    def ids(**query):
        lines = b"".join(ndjson(open_readonly(tmp_path / "index.sqlite"), "m", RowQuery(phase="r.1", **query)))
        return [msgspec.json.decode(line)["prediction_id"] for line in lines.splitlines()]

    assert ids() == ["p1", "p4", "p7", "p10"]
    assert (ids(newest=2), ids(limit=1), ids(after=5)) == (["p7", "p10"], ["p1"], ["p7", "p10"])
    assert (ids(labelled=True), ids(labelled=False, since=8.0)) == (["p1", "p4"], ["p10"])
    assert [ids(since=4.0, until=10.0), ids(until=1.0)] == [["p4", "p7"], []]


def test_rows_of_one_phase_need_no_sorting(tmp_path):
    index = Index(tmp_path).take(predicted("p"))

    plan = index.db.execute("EXPLAIN QUERY PLAN " + _sql("m", RowQuery(phase="first"))[0], ("m", "first", 0)).fetchall()

    assert [step[3] for step in plan] == [
        "SEARCH predictions USING INDEX predictions_by_phase (model=? AND phase=? AND rowid>?)"
    ]


def test_a_row_carries_the_propensity_of_its_variant_if_it_was_drawn(tmp_path):
    Index(tmp_path).take(predicted("p", weight=900_000), predicted("q", reason="forced", enrolled=False))

    lines = b"".join(ndjson(open_readonly(tmp_path / "index.sqlite"), "m", RowQuery())).splitlines()

    assert [msgspec.json.decode(line, type=JoinedRow).weight for line in lines] == [900_000, None]


def test_reading_on_from_the_last_sequence_leaves_nothing_out_and_repeats_nothing(read):
    seen, after = [], 0
    while page := read(after=after, limit=3):
        seen += [row.prediction_id for row in page]
        after = page[-1].sequence

    assert seen == [f"p{number}" for number in range(10)]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), min_size=1, max_size=5))
def test_outcomes_and_shadows_find_their_row_whatever_its_id(tmp_path_factory, ids):
    folder = tmp_path_factory.mktemp("log")
    index = Index(folder).take(*map(predicted, ids), *map(shadowed, ids))
    index.take(*(observed(f"o{number}", prediction_id=id_) for number, id_ in enumerate(ids)))

    lines = b"".join(ndjson(open_readonly(folder / "index.sqlite"), "m", RowQuery())).splitlines()
    rows = [msgspec.json.decode(line, type=JoinedRow) for line in lines]

    assert {row.prediction_id for row in rows} == ids
    assert all(row.outcomes == {"label": 1.0} and row.shadows for row in rows)


def test_one_id_with_a_zero_byte_is_not_taken_for_another(tmp_path):
    index = Index(tmp_path).take(predicted("a\0b"), predicted("a"), observed("o", prediction_id="a\0b"))

    lines = b"".join(ndjson(open_readonly(tmp_path / "index.sqlite"), "m", RowQuery(labelled=True))).splitlines()

    assert index.joined() == [("a\0b", "label", 1.0)]
    assert [msgspec.json.decode(line)["outcomes"] for line in lines] == [{"label": 1.0}]
