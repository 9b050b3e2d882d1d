"""A worker's hint about an outcome: right when it knows, and never in the way."""

import pytest
from index_making import Index, observed, predicted

from router.index.lookup import Lookup


@pytest.fixture
def lookup(tmp_path):
    Index(tmp_path).take(predicted("p"), observed("o", prediction_id="p"), observed("early", prediction_id="q"))
    return Lookup(tmp_path / "index.sqlite")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (observed("o", prediction_id="p"), "duplicate"),
        (observed("o", prediction_id="p", value=0.0), "conflict"),
        (observed("other", prediction_id="p", value=0.0), "conflict"),
        (observed("other", prediction_id="p", metric="revenue"), "accepted"),
        (observed("early", prediction_id="q"), "duplicate"),
        (observed("early", prediction_id="q", value=0.0), "conflict"),
        (observed("o", prediction_id="p", model="n", value=0.0), "accepted"),
        (observed("new", key="a"), "accepted"),
    ],
)
def test_what_is_known_is_told_from_what_is_new(lookup, outcome, status):
    assert lookup.status_of(outcome).status == status


def test_a_conflict_names_the_value_that_is_kept(lookup):
    assert "1.0 was accepted first" in lookup.status_of(observed("o", prediction_id="p", value=0.0)).said


def test_without_an_index_everything_is_accepted_until_there_is_one(tmp_path):
    blind = Lookup(tmp_path / "index.sqlite")
    assert blind.status_of(observed("o", prediction_id="p")).status == "accepted"

    Index(tmp_path).take(predicted("p"), observed("o", prediction_id="p"))

    assert blind.status_of(observed("o", prediction_id="p")).status == "duplicate"
