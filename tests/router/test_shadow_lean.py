"""Features that are still JSON get the scores they would get as dictionaries."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_live import spec
from router_making import Scoring, loaded_of
from shadow_scorers import Obedient

from registry.scoring.scorer import Scorer
from registry.upstream.failed import UpstreamFailed
from router.shadow.child import answer
from router.shadow.copies import copies_of
from router.shadow.lean import Columns, Plain, lean

numbers = st.one_of(
    st.none(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.just("1.5"),
)
levels = st.one_of(st.none(), st.sampled_from(["a", "b", "unseen", "é", ""]), st.integers(-5, 5), st.booleans())
rows = st.lists(st.fixed_dictionaries({}, optional={"x": numbers, "c": levels, "more": st.lists(st.text())}))
local = Scorer(spec(1.0))


def raws(documents):
    return [msgspec.Raw(json.dumps(document).encode()) for document in documents]


@given(documents=rows)
def test_columns_and_dictionaries_give_the_same_scores(documents):
    columns = lean(local)

    assert isinstance(columns, Columns)
    np.testing.assert_array_equal(columns.score(raws(documents)), local.score(documents))
    assert columns.predictions(np.array([0.2, 0.5])) == [0, 1]


def test_a_scorer_that_is_not_compiled_is_given_dictionaries():
    plain = lean(Obedient())

    assert type(plain) is Plain
    assert list(plain.score(raws([{"x": 0.25}]))) == [0.25]


@pytest.mark.parametrize("trouble", [{"x": "no number"}, {"x": [1]}])
def test_one_row_without_a_number_spoils_no_other(trouble):
    loaded = loaded_of("v1.1.0", lean(local))

    found = answer(loaded, raws([{"x": 0.0, "c": "z"}, trouble, {"x": 1.0}]))

    assert found.errors == [None, "raised", None]
    assert [score is None for score in found.scores] == [False, True, False]


def test_an_upstream_in_trouble_is_asked_once():
    asked = []

    def score(rows):
        asked.append(len(rows))
        raise UpstreamFailed("upstream_5xx")

    found = answer(loaded_of("v1.1.0", lean(Scoring(score))), raws([{"x": 1}] * 8))

    assert (asked, found.errors) == ([8], ["upstream_5xx"] * 8)


def test_rows_with_a_wrong_score_are_found_without_scoring_again():
    asked = []

    def score(rows):
        asked.append(len(rows))
        return np.array([row["x"] for row in rows], dtype=np.float64)

    found = answer(loaded_of("v1.1.0", lean(Scoring(score))), raws([{"x": 0.5}, {"x": 7.0}, {"x": 0.1}]))

    assert (asked, found.errors) == ([3], [None, "out_of_range", None])


def test_only_predictions_that_a_shadow_watched_are_copies():
    watched = b'{"type":"predicted","model":"m","id":"1","features":{"a":1},"shadows":["v1.1.0"],"key":null}'
    others = [
        watched.replace(b"predicted", b"observed"),
        watched.replace(b'["v1.1.0"]', b"[]"),
        b'{"type":"predicted","model":"m","id":"2","features":{"shadows":1}}',
        b"{",
    ]

    found = copies_of([watched, *others])

    assert [(copy.model, copy.id, bytes(copy.features), copy.shadows) for copy in found] == [
        ("m", "1", b'{"a":1}', ("v1.1.0",))
    ]
