"""Spending functions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.stats.sequential.group.spending import (
    Spending,
    hwang_shih_decani,
    obrien_fleming,
    pocock,
    power_family,
)

families = st.one_of(
    st.just(obrien_fleming()),
    st.just(pocock()),
    st.floats(0.2, 6).map(power_family),
    st.floats(-30, 30).map(hwang_shih_decani),
)
levels = st.floats(1e-300, 0.6)


def spent(spending: Spending, times, level: float):
    return np.exp(spending.log_spent(times, math.log(level)))


@given(families, levels)
def test_all_is_spent_at_the_horizon_and_nothing_more_beyond_it(spending, level):
    assert spending.log_spent([1.0, 1.7], math.log(level)) == pytest.approx(math.log(level), abs=1e-9)


@given(families, levels, st.floats(1e-3, 1), st.floats(1e-3, 1))
def test_spending_never_falls(spending, level, t, u):
    early, late = spending.log_spent(sorted([t, u]), math.log(level))

    assert early <= late + 1e-12


def test_the_formulas_of_ldbounds_alphas():
    t = np.array([0.1, 0.25, 0.5, 0.9])

    z = stats.norm.isf(0.025 / 2)
    assert spent(obrien_fleming(), t, 0.025) == pytest.approx(2 * stats.norm.sf(z / np.sqrt(t)), rel=1e-12)
    assert spent(pocock(), t, 0.025) == pytest.approx(0.025 * np.log(1 + (math.e - 1) * t), rel=1e-12)
    assert spent(power_family(2.5), t, 0.025) == pytest.approx(0.025 * t**2.5, rel=1e-12)
    for gamma in (-4.0, -0.5, 2.0):
        hsd = 0.025 * (1 - np.exp(-gamma * t)) / (1 - math.exp(-gamma))
        assert spent(hwang_shih_decani(gamma), t, 0.025) == pytest.approx(hsd, rel=1e-12)


def test_gamma_zero_is_linear_and_near_zero_is_close_to_it():
    t = np.array([0.2, 0.7])

    assert spent(hwang_shih_decani(0.0), t, 0.05) == pytest.approx(0.05 * t, rel=1e-12)
    assert spent(hwang_shih_decani(1e-9), t, 0.05) == pytest.approx(0.05 * t, rel=1e-6)


def test_rpact_alpha_spent():
    # rpact tests: asHSD gammaA = -1, alpha 0.07; asKD gammaA = 2.2, alpha 0.03; asP, alpha 0.13 and 0.025.
    assert spent(hwang_shih_decani(-1), [0.2, 0.4, 1.0], 0.07) == pytest.approx([0.0090195874, 0.020036136, 0.07])
    assert spent(power_family(2.2), [0.3, 0.7, 1.0], 0.03) == pytest.approx([0.0021222083, 0.013687904, 0.03])
    assert spent(pocock(), [0.35, 0.7, 1.0], 0.13) == pytest.approx([0.061214062, 0.10266465, 0.13])
    assert spent(pocock(), [0.4, 0.7], 0.025) == pytest.approx([0.013078429, 0.0197432])
    assert spent(obrien_fleming(), [0.4, 0.75, 0.85, 1.0], 0.13) == pytest.approx(
        [0.016665509, 0.080406163, 0.10053322, 0.13]
    )


def test_extreme_shapes_and_levels_do_not_overflow():
    assert np.all(np.isfinite(hwang_shih_decani(-1e4).log_spent([1e-3, 0.5, 1], math.log(0.05))))
    assert np.all(np.isfinite(hwang_shih_decani(1e4).log_spent([1e-3, 0.5, 1], math.log(0.05))))
    assert obrien_fleming().log_spent(1e-6, math.log(0.025)) == pytest.approx(-2.512e6, rel=1e-3)
    assert np.isfinite(obrien_fleming().log_spent(0.5, -5000.0))


@pytest.mark.parametrize("shape", [0.0, -1.0, math.nan, math.inf])
def test_a_power_that_is_not_above_zero_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape is .*; give a finite number"):
        power_family(shape)


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="family is 'haybittle'; give obrien-fleming"):
        Spending(family="haybittle")
