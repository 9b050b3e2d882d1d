"""The chi-square tail on a log scale."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.stats.tails import log_chi2


@given(statistic=st.floats(1e-6, 1000), freedom=st.integers(1, 40))
def test_agrees_with_scipy_where_scipy_has_a_number(statistic, freedom):
    assert log_chi2(statistic, freedom) == pytest.approx(stats.chi2.logsf(statistic, freedom), rel=1e-9, abs=1e-12)


@given(statistic=st.floats(1400, 1e12))
def test_one_and_two_degrees_of_freedom_are_closed_forms_beyond_that(statistic):
    normal = math.log(2) + stats.norm.logsf(math.sqrt(statistic))

    assert log_chi2(statistic, 1) == pytest.approx(normal, rel=1e-12)
    assert log_chi2(statistic, 2) == pytest.approx(-statistic / 2, rel=1e-12)


@given(statistic=st.floats(1400, 1e6), freedom=st.integers(1, 60))
def test_degrees_of_freedom_follow_the_recurrence_of_the_incomplete_gamma_function(statistic, freedom):
    # DLMF 8.8.6: Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1)
    a, x = freedom / 2, statistic / 2
    step = a * math.log(x) - x - math.lgamma(a + 1)
    lower = log_chi2(statistic, freedom)
    both = max(lower, step) + math.log1p(math.exp(-abs(lower - step)))

    assert log_chi2(statistic, freedom + 2) == pytest.approx(both, rel=1e-12)


def test_there_is_no_jump_where_the_formula_changes():
    before, after = (log_chi2(x, 3) for x in (1334.0, 1346.0))

    assert after - before == pytest.approx(-6.0, abs=0.01)
