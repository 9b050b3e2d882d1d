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
    assert lookup.statuses(outcome.model, [outcome])[0].status == status


def test_a_conflict_names_the_value_that_is_kept(lookup):
    [status] = lookup.statuses("m", [observed("o", prediction_id="p", value=0.0)])
    assert "1.0 was accepted first" in status.said


def test_without_an_index_everything_is_accepted_until_there_is_one(tmp_path):
    blind = Lookup(tmp_path / "index.sqlite")
    asked = [observed("o", prediction_id="p")]
    assert blind.statuses("m", asked)[0].status == "accepted"

    Index(tmp_path).take(predicted("p"), observed("o", prediction_id="p"))

    assert blind.statuses("m", asked)[0].status == "duplicate"


def test_each_of_a_thousand_is_told_apart(tmp_path):
    index = Index(tmp_path).take(*(predicted(f"p{n}") for n in range(1000)))
    index.take(*(observed(f"o{n}", prediction_id=f"p{n}") for n in range(0, 1000, 2)))

    asked = [observed(f"o{n}", prediction_id=f"p{n}", value=float(n % 4 == 0)) for n in range(1000)]
    statuses = [status.status for status in Lookup(tmp_path / "index.sqlite").statuses("m", asked)]

    assert statuses == ["duplicate", "accepted", "conflict", "accepted"] * 250
