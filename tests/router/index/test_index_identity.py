"""What an outcome is called when its caller gives it no name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.index.identity import of_key, of_prediction, prediction_of

TEXT = st.text("ab|\\:", min_size=1, max_size=4)


@given(TEXT, TEXT)
def test_the_name_leads_back_to_prediction_and_metric(prediction_id, metric):
    assert prediction_of(of_prediction(prediction_id, metric)) == (prediction_id, metric)


@given(st.text("ab|\\", max_size=6))
def test_a_name_that_leads_anywhere_is_the_one_that_is_made_there(name):
    pair = prediction_of(name)

    assert pair is None or of_prediction(*pair) == name


@pytest.mark.parametrize("name", ["", "a", "a|b|c", "a\\|b", of_key("k", "label", 1.0), of_key("k", "label", None)])
def test_other_names_lead_nowhere(name):
    assert prediction_of(name) is None
