"""Joining and converting e-values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from flows.stats.sequential.evalues import (
    average_log_e,
    benjamini_hochberg_log_e,
    log_e_from_log_p,
    log_p_from_log_e,
    product_log_e,
)

logs = st.lists(st.floats(-50, 50), min_size=1, max_size=8)


@given(logs)
def test_the_average_lies_between_the_least_and_the_greatest(found):
    assert min(found) - 1e-9 <= average_log_e(found) <= max(found) + 1e-9


@given(logs)
def test_the_order_of_metrics_does_not_matter(found):
    assert average_log_e(found) == pytest.approx(average_log_e(found[::-1]), abs=1e-9)


def test_weights_say_how_much_a_metric_counts():
    assert average_log_e([math.log(30), math.log(2)], [3, 1]) == pytest.approx(math.log(23))
    assert average_log_e([math.log(30), 99.0], [1, 0]) == pytest.approx(math.log(30))


def test_enormous_e_values_stay_finite():
    assert average_log_e([5000.0, 0.0]) == pytest.approx(5000 - math.log(2))
    assert product_log_e([5000.0, 4000.0]) == 9000.0
    assert log_p_from_log_e(9000.0) == -9000.0


@pytest.mark.parametrize("kappa", [None, 0.5, 0.1])
def test_a_calibrated_p_value_has_mean_one_if_nothing_is_different(kappa):
    mean = quad(lambda x: math.exp(log_e_from_log_p(-x, kappa) - x), 0, 2000, limit=2000)[0]

    # The mixture's tail beyond e^-2000 is 1 / 2000.
    assert mean == pytest.approx(1 - (1 / 2000 if kappa is None else 0), abs=1e-5)


@given(st.floats(-1e-2, 0))
def test_the_calibrator_is_smooth_near_one(log_p):
    assert math.exp(log_e_from_log_p(log_p)) == pytest.approx(0.5 - log_p / 6, rel=1e-4)


@given(logs)
def test_more_evidence_never_takes_a_rejection_back(found):
    before = benjamini_hochberg_log_e(found)
    after = benjamini_hochberg_log_e([found[0] + 5, *found[1:]])

    assert not (before & ~after).any()


def test_wrong_input_is_refused_in_words():
    with pytest.raises(ValueError, match="log_e is empty"):
        average_log_e([])
    with pytest.raises(ValueError, match="weights are negative or all 0"):
        average_log_e([1.0], [0.0])
    with pytest.raises(ValueError, match="weights has 2 entries and log_e 1"):
        average_log_e([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="log_e has 1 of 2 values that are NaN"):
        product_log_e([1.0, np.nan])
    with pytest.raises(ValueError, match=r"log_p is 0\.1"):
        log_e_from_log_p(0.1)
