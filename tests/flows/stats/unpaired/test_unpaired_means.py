"""Welch's test, non-inferiority and equivalence."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind
from unpaired_making import SAMPLES

from flows.stats.moments import Moments
from flows.stats.tails import log_two_sided_t, log_two_sided_z
from flows.stats.unpaired.means import equivalent, not_inferior, welch

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=30), RNG.normal(0.5, 2, 50)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_welch_agrees_with_scipy(alternative):
    effect = welch(Moments.of(A), Moments.of(B), alternative=alternative)
    reference = stats.ttest_ind(B, A, equal_var=False, alternative=alternative)

    assert effect.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx(tuple(reference.confidence_interval()), rel=1e-9)


def test_welch_gives_what_gbstats_tests_give():
    # growthbook packages/stats/tests/frequentist/test_tests.py: test_two_sided_ttest, absolute.
    effect = welch((3407, 0.41, 3.9**2 * 3406), (3461, 0.70, 6.2**2 * 3460))

    assert (effect.low, effect.high, effect.p_value) == pytest.approx((0.04538, 0.53462, 0.02016), abs=1e-5)


def test_welch_gives_what_spotify_tests_give():
    # spotify/confidence tests/frequentist/test_ttest.py: population variances there, hence 1e-4.
    effect = welch(
        (48351, 1.438602e06 / 48351, 7.330581e07 - 1.438602e06**2 / 48351),
        (50571, 1.521974e06 / 50571, 7.862121e07 - 1.521974e06**2 / 50571),
    )

    assert effect.p_value == pytest.approx(0.03334, abs=1e-4)


def test_welch_gives_what_tea_tasting_tests_give():
    # tea-tasting tests/metrics/test_mean.py: test_ratio_of_means_analyze_basic.
    effect = welch((53, 30 / 53, 41.018867924528266), (47, 18 / 47, 23.106382978723424))

    assert effect.estimate == pytest.approx(-0.18305901244480127, rel=1e-12)
    assert (effect.low, effect.high) == pytest.approx((-0.5004359360464881, 0.13431791115688552), rel=1e-9)
    assert effect.p_value == pytest.approx(0.2551230546709907, rel=1e-9)


def test_non_inferiority_agrees_with_scipy_on_shifted_values():
    effect = not_inferior(Moments.of(A), Moments.of(B), margin=0.7)
    reference = stats.ttest_ind(B + 0.7, A, equal_var=False, alternative="greater")

    assert effect.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (effect.low, effect.high) == (pytest.approx(reference.confidence_interval().low - 0.7, rel=1e-9), math.inf)


@pytest.mark.parametrize("margin", [0.1, 0.8, 1.5])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 2.0])
def test_equivalence_agrees_with_statsmodels_on_both_sides(margin, shift):
    effect = equivalent(Moments.of(A), Moments.of(B + shift), margin=margin)

    assert effect.p_value == pytest.approx(ttost_ind(B + shift, A, -margin, margin, usevar="unequal")[0], rel=1e-9)
    assert (effect.p_value < 0.05) == (-margin < effect.low and effect.high < margin)


@given(SAMPLES, SAMPLES)
def test_swapping_the_arms_flips_the_effect(a, b):
    one, other = welch(a, b), welch(b, a)

    assert (one.estimate, one.low, one.high) == (-other.estimate, -other.high, -other.low)
    assert one.log_p == other.log_p


@given(SAMPLES, SAMPLES, st.floats(0.01, 100))
def test_a_change_of_unit_changes_no_p_value(a, b, unit):
    scaled = [Moments(m.n, m.mean * unit, m.m2 * unit * unit) for m in (a, b)]
    assume(a.m2 + b.m2 > 1e-6)

    assert welch(*scaled).log_p == pytest.approx(welch(a, b).log_p, rel=1e-6, abs=1e-9)


@given(SAMPLES, SAMPLES, st.sampled_from([0.5, 0.9, 0.99]))
def test_the_interval_excludes_no_difference_where_p_is_small(a, b, confidence):
    effect = welch(a, b, confidence=confidence)
    assume(abs(effect.p_value - (1 - confidence)) > 1e-9)

    assert (effect.low <= 0 <= effect.high) == (effect.p_value > 1 - confidence)


def test_a_tiny_p_value_keeps_its_logarithm():
    near, far = (welch((1000, 1.0, 999.0), (1000, mean, 999.0)) for mean in (3.0, 100.0))

    assert near.p_value == pytest.approx(2 * stats.t.sf(2 / math.sqrt(2 / 1000), 1998.0), rel=1e-9)
    assert far.p_value > 0
    assert -1e5 < far.log_p < -3000


def test_deep_tails_agree_with_mpmath():
    # mpmath 1.3, 50 digits: log(betainc(f/2, 1/2, 0, f/(f+t^2), regularized)).
    known = [
        (40.0, 1e6, -803.27517756978205),
        (40.0, 1e8, -803.90888690401125),
        (1e30, 50.0, -3358.2638668775502),
        (1e200, 3.0, -1380.7601851768229),
        (38.0, 1e4, -678.19906442853925),
        (50.0, 300.0, -338.06108176531814),
    ]

    for t, freedom, log_p in known:
        assert log_two_sided_t(t, freedom) == pytest.approx(log_p, rel=1e-10)
    assert log_two_sided_t(50.0, math.inf) == pytest.approx(log_two_sided_z(50.0), rel=1e-12)


def test_the_value_that_gbstats_prints_as_0_is_kept():
    # Notes of the defect: p = 3.04e-56 became 2 * (1 - cdf) = 0.
    t = float(stats.t.isf(3.04e-56 / 2, 1998))
    effect = welch((1000, 0.0, 999.0), (1000, t * math.sqrt(2 / 1000), 999.0))

    assert effect.p_value == pytest.approx(3.04e-56, rel=1e-6)


def test_values_near_1e8_keep_their_test():
    # gbstats, from sums of squares, finds zero variance and p = 1.
    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 1, 200), rng.normal(0.35, 1, 200)

    far = welch(Moments.of(x + 1e8), Moments.of(y + 1e8))

    assert far.p_value == pytest.approx(stats.ttest_ind(y, x, equal_var=False).pvalue, rel=1e-5)


@pytest.mark.parametrize("m2", [1e-300, 1e150, 1e300, 1e307])
def test_extreme_values_overflow_nothing(m2):
    effect = welch((10, 1.0, m2), (12, 2.0, m2))

    assert all(map(math.isfinite, (effect.estimate, effect.low, effect.high, effect.log_p)))


def test_a_single_value_bounds_nothing():
    effect = welch((1, 0.0, 0.0), (10, 1.0, 3.0))

    assert (effect.low, effect.high, effect.p_value) == (-math.inf, math.inf, 1.0)
    assert "fewer than two" in effect.note


def test_no_value_is_a_stated_outcome():
    effect = welch((0, 0.0, 0.0), (10, 1.0, 3.0))

    assert (effect.estimate, effect.p_value, effect.n) == (0.0, 1.0, 0)


def test_without_variance_callers_are_permuted():
    effect = welch((5, 1.0, 0.0), (5, 2.0, 0.0))

    assert effect.p_value == pytest.approx(2 / math.comb(10, 5), rel=1e-9)
    assert (effect.low, effect.high) == (1.0, 1.0)
    assert welch((2, 1.0, 0.0), (2, 2.0, 0.0)).high == math.inf
    assert welch((5, 1.0, 0.0), (5, 1.0, 0.0)).note == "no difference on any row"


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="confidence is 1"):
        welch((5, 1.0, 1.0), (5, 1.0, 1.0), confidence=1)
    with pytest.raises(ValueError, match="mean of challenger is nan"):
        welch((5, 1.0, 1.0), (5, math.nan, 1.0))
    with pytest.raises(ValueError, match="too far apart"):
        welch((5, -1.7e308, 1.0), (5, 1.7e308, 1.0))
    with pytest.raises(ValueError, match="margin is 0"):
        not_inferior((5, 1.0, 1.0), (5, 1.0, 1.0), margin=0)
    with pytest.raises(ValueError, match="margin is inf"):
        equivalent((5, 1.0, 1.0), (5, 1.0, 1.0), margin=math.inf)
