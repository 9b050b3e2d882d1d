"""Stagewise and repeated inference."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from flows.stats.sequential.group.bounds import constant_shape, fixed_bounds, walked
from flows.stats.sequential.group.inference import repeated_log_p, stagewise, stagewise_log_p
from flows.stats.sequential.group.spending import hwang_shih_decani, obrien_fleming, pocock, power_family

LEVEL = math.log(0.025)


def looks_of(times, spending, sided=2):
    times = tuple(map(float, times))
    return walked(times, tuple(min(1.0, t) for t in times), LEVEL, sided, spending)


def test_rpact_final_p_value_after_three_of_four_stages():
    # rpact, test-f_analysis_base_means.R, inverse normal, WT 0.4: finalPValues 0.015631623.
    p = [stats.t.sf((m - 10) / (s / math.sqrt(n)), n - 1) for n, m, s in ((20, 45, 130), (30, 51, 140), (30, 45, 120))]
    z = np.cumsum(stats.norm.isf(p)) / np.sqrt([1, 2, 3])
    high = constant_shape([0.25, 0.5, 0.75, 1.0], shape=0.4, alpha=0.025, sided=1)[:3]

    found = stagewise_log_p(fixed_bounds([0.25, 0.5, 0.75], [-math.inf] * 3, high), float(z[2]))

    assert z[:2] == pytest.approx([1.1666257, 1.9256836], abs=1e-7)
    assert math.exp(found) == pytest.approx(0.015631623, abs=2e-9)


def test_rpact_repeated_p_values():
    # The same analysis: 0.28074785, 0.070627118, 0.016069426 look by look (WT 0.4, four stages).
    zs = [1.1666257, 1.9256836, 2.4675727]
    for k, printed in enumerate([0.28074785, 0.070627118, 0.016069426]):
        high = constant_shape([0.25, 0.5, 0.75, 1.0], shape=0.4, alpha=printed, sided=1)

        assert high[k] == pytest.approx(zs[k], abs=2e-5)  # it searches to 1e-6 in p


def test_groupseq_confidence_interval():
    # R GroupSeq, vignette task 4: Pocock, three looks, z = 2.5 at the second: (0.30, 5.38).
    found = stagewise(fixed_bounds([1 / 3, 2 / 3], [-2.2894] * 2, [2.2894] * 2), 2.5, confidence=0.95)

    assert (found.low, found.high) == pytest.approx((0.30, 5.38), abs=5e-3)


def test_the_first_look_is_an_ordinary_z_test():
    found = stagewise(looks_of([0.25], obrien_fleming()), 5.2, confidence=0.95)

    assert math.exp(found.log_p) == pytest.approx(2 * stats.norm.sf(5.2), rel=1e-12)
    assert found.estimate == pytest.approx(5.2 / 0.5)
    assert (found.low, found.high) == pytest.approx(((5.2 - 1.959964) / 0.5, (5.2 + 1.959964) / 0.5), abs=1e-6)


def test_limits_satisfy_their_equations_by_a_bivariate_normal():
    # Two looks: P(z1 >= c, or z1 inside and z2 >= z), from scipy's bivariate normal.
    t, u, c, z = 0.4, 1.0, 2.5, 2.2
    looks = fixed_bounds([t, u], [-c, -c], [c, c])
    found = stagewise(looks, z, confidence=0.95)
    both = stats.multivariate_normal(cov=[[1, math.sqrt(t / u)], [math.sqrt(t / u), 1]], abseps=1e-12, releps=1e-12)

    def chance(drift: float) -> float:
        m1, m2 = drift * math.sqrt(t), drift * math.sqrt(u)
        below = both.cdf([c - m1, z - m2]) - both.cdf([-c - m1, z - m2])
        return stats.norm.sf(-c - m1) - below

    assert chance(found.low) == pytest.approx(0.025, abs=1e-8)
    assert chance(found.estimate) == pytest.approx(0.5, abs=1e-8)
    assert chance(found.high) == pytest.approx(0.975, abs=1e-8)
    assert math.exp(found.log_p) == pytest.approx(2 * chance(0.0), rel=1e-7)


zs = st.floats(-6, 6)
spendings = st.sampled_from([obrien_fleming(), pocock(), power_family(2), hwang_shih_decani(1)])
steps = st.lists(st.floats(0.05, 1), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(steps, spendings, zs)
def test_swapping_the_arms_flips_the_interval(gaps, spending, z):
    times = np.cumsum(gaps) / np.sum(gaps)
    looks = looks_of(times, spending)

    there, back = stagewise(looks, z, confidence=0.95), stagewise(looks, -z, confidence=0.95)

    assert there.log_p == pytest.approx(back.log_p, abs=1e-9)
    assert (there.low, there.estimate, there.high) == pytest.approx((-back.high, -back.estimate, -back.low), abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(steps, spendings, zs, st.sampled_from([1, 2]))
def test_the_interval_excludes_zero_exactly_when_the_p_value_is_below_alpha(gaps, spending, z, sided):
    times = np.cumsum(gaps) / np.sum(gaps)
    looks = looks_of(times, spending, sided)

    found = stagewise(looks, z, confidence=0.95)

    assert found.low <= found.estimate <= found.high
    excludes = found.low > 0 or (sided == 2 and found.high < 0)
    limit = 0.05 if sided == 2 else 0.025
    if abs(math.exp(found.log_p) - limit) > 1e-9:
        assert excludes == (math.exp(found.log_p) < limit)


@settings(max_examples=30, deadline=None)
@given(steps, spendings, zs, st.floats(0.01, 2))
def test_a_larger_z_is_more_evidence(gaps, spending, z, more):
    times = np.cumsum(gaps) / np.sum(gaps)
    looks = looks_of(times, spending, 1)

    low, high = stagewise(looks, z, confidence=0.9), stagewise(looks, z + more, confidence=0.9)

    assert high.log_p <= low.log_p + 1e-12
    assert high.estimate >= low.estimate - 1e-9


@settings(max_examples=25, deadline=None)
@given(steps, spendings, st.lists(zs, min_size=6, max_size=6), st.sampled_from([1, 2]))
def test_the_repeated_p_value_is_below_alpha_exactly_when_a_bound_was_reached(gaps, spending, values, sided):
    times = tuple(float(t) for t in np.cumsum(gaps) / np.sum(gaps))
    looks = walked(times, times, math.log(0.05 / sided), sided, spending)
    seen = tuple(values[: len(times)])

    log_p = repeated_log_p(looks, seen, spending=spending, spent_at=times, sided=sided)

    reached = max((abs(z) if sided == 2 else z) - bound for z, bound in zip(seen, looks.high, strict=True))
    if abs(reached) > 1e-6:
        assert (log_p < math.log(0.05)) == (reached > 0)


def test_tiny_p_values_stay_exact_on_the_log_scale():
    looks = looks_of([0.5], obrien_fleming())

    assert stagewise_log_p(looks, 60.0) == pytest.approx(math.log(2) + special.log_ndtr(-60.0), rel=1e-12)
    at = repeated_log_p(looks, (60.0,), spending=power_family(2), spent_at=(0.5,), sided=2)
    # Power family: a look at t may spend alpha t^2, so p = (2 sided tail) / t^2.
    assert at == pytest.approx(math.log(2) + special.log_ndtr(-60.0) - 2 * math.log(0.5), rel=1e-9)


def test_huge_z_at_a_late_look_gives_the_error_spent_before():
    looks = looks_of([0.5, 1.0], pocock())

    found = stagewise(looks, 300.0, confidence=0.95)

    before = 0.05 * math.log(1 + (math.e - 1) * 0.5)
    assert math.exp(found.log_p) == pytest.approx(before, rel=1e-9)
    assert math.isfinite(found.low) and math.isfinite(found.high)


def test_far_below_in_a_one_sided_test_is_the_plain_interval():
    looks = looks_of([0.3, 0.6, 1.0], obrien_fleming(), sided=1)

    found = stagewise(looks, -15.0, confidence=0.95)

    assert (found.low, found.estimate, found.high) == pytest.approx((-16.959964, -15.0, -13.040036), abs=1e-6)
    assert found.log_p == pytest.approx(0.0, abs=1e-12)


def test_the_plain_interval_joins_the_exact_one():
    looks = looks_of([0.3, 0.6, 1.0], obrien_fleming(), sided=1)

    near, far = stagewise(looks, -49.999, confidence=0.95), stagewise(looks, -50.001, confidence=0.95)

    assert (near.low, near.high) == pytest.approx((far.low + 0.002, far.high + 0.002), abs=1e-6)
