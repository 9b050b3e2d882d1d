"""Pooled against stratified effects: reference values, laws and odd strata."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from flows.stats.integrity.simpson import heterogeneity, simpson_check, stratified_effect
from flows.stats.moments import Moments

# growthbook, packages/stats/tests/frequentist/test_post_strat.py, stats_count_strata: n, sum, sum of squares
GROWTHBOOK = [
    ((21, 330.0696210595999, 5377.811252605509), (42, 708.1220000911836, 12249.255519049513)),
    ((65, 1391.96628040659, 30546.63404187155), (75, 1807.4703052657744, 45000.287664918586)),
    ((102, 2916.824124651419, 86396.06886690554), (101, 3104.5399914554023, 98365.40553530994)),
    ((151, 5172.587929941052, 182453.04528037464), (121, 4613.696610070716, 180520.64781229294)),
    ((160, 6539.348445231273, 274981.98909352464), (162, 7431.953259880505, 349244.6690736718)),
]
moments = st.builds(
    Moments, st.integers(2, 500), st.floats(-100, 100), st.floats(0.1, 1000).map(lambda value: float(value))
)


def of_sums(n, total, squares):
    return Moments(n, total / n, squares - total**2 / n)


def arm(effect, error):
    return Moments(1001, effect, error**2 / 2 * 1001 * 1000)


def phases(effects, errors):
    return {str(i): (arm(0.0, e), arm(d, e)) for i, (d, e) in enumerate(zip(effects, errors, strict=True))}


def test_post_stratification_agrees_with_gbstats():
    strata = {str(i): (of_sums(*a), of_sums(*b)) for i, (a, b) in enumerate(GROWTHBOOK)}

    assert stratified_effect(strata).estimate == pytest.approx(3.548094377986586, rel=1e-9)


def test_inverse_variance_and_heterogeneity_agree_with_statsmodels():
    effects, errors = np.array([0.2, -0.1, 0.35, 0.05]), np.array([0.1, 0.12, 0.09, 0.2])
    expected = combine_effects(effects, errors**2)
    strata = phases(effects, errors)
    ours, found = stratified_effect(strata, weights="inverse variance"), heterogeneity(strata)

    assert ours.estimate == pytest.approx(expected.mean_effect_fe, rel=1e-9)
    assert (found.q, found.i2) == pytest.approx((expected.q, expected.i2), rel=1e-9)
    assert found.p_value == pytest.approx(stats.chi2.sf(expected.q, 3), rel=1e-9)


def test_one_stratum_is_welchs_test():
    rng = np.random.default_rng(4)
    ours, theirs = rng.normal(5, 1, 30), rng.normal(5.3, 2, 50)
    expected = stats.ttest_ind(theirs, ours, equal_var=False)
    seen = stratified_effect({"all": (Moments.of(ours), Moments.of(theirs))})

    assert seen.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (seen.low, seen.high) == pytest.approx(tuple(expected.confidence_interval()), rel=1e-9)


@pytest.mark.parametrize("weights", ["size", "mantel-haenszel", "inverse variance"])
def test_a_ramp_with_a_trend_fools_the_pooled_effect_but_not_the_strata(weights):
    # No effect; the level rises while the challenger's share grows from 10 to 50 %.
    ramp = {
        "10 %": (Moments(9000, 1.0, 9000.0), Moments(1000, 1.0, 1000.0)),
        "50 %": (Moments(5000, 2.0, 5000.0), Moments(5000, 2.0, 5000.0)),
    }
    seen = simpson_check(ramp)

    assert seen.pooled.estimate > 0.4 and seen.pooled.p_value < 1e-6
    assert stratified_effect(ramp, weights=weights).estimate == pytest.approx(0.0, abs=1e-12)
    assert seen.misleading and not seen.reversal
    assert "lies outside" in seen.statement


def test_berkeley_admissions_reverse():
    # Bickel, Hammel, O'Connell (1975), Science 187:398-404: departments A to F; women minus men.
    men = [(512, 825), (353, 560), (120, 325), (138, 417), (53, 191), (22, 373)]
    women = [(89, 108), (17, 25), (202, 593), (131, 375), (94, 393), (24, 341)]

    def rate(won, n):
        return Moments(n, won / n, won * (n - won) / n)

    seen = simpson_check({d: (rate(*m), rate(*w)) for d, m, w in zip("ABCDEF", men, women, strict=True)})

    assert seen.pooled.estimate == pytest.approx(557 / 1835 - 1198 / 2691, rel=1e-9)
    assert seen.reversal and seen.stratified.estimate > 0
    assert "reversed" in seen.statement


def test_gail_and_simon_agrees_with_their_trial_and_with_sas():
    found = heterogeneity(phases([-0.163, 0.114, 0.047, 0.151], [0.0788, 0.0689, 0.0614, 0.0547]))

    assert found.gail_simon == pytest.approx(4.279, abs=5e-4)
    assert found.p_opposite == pytest.approx(0.0877, abs=5e-5)


@given(strata=st.dictionaries(st.text(max_size=3), st.tuples(moments, moments), min_size=1, max_size=5))
def test_swapping_the_arms_flips_the_effect(strata):
    turned = {name: (theirs, ours) for name, (ours, theirs) in strata.items()}
    for weights in ("size", "mantel-haenszel", "inverse variance"):
        seen, swapped = (stratified_effect(one, weights=weights) for one in (strata, turned))
        assert (swapped.estimate, swapped.low, swapped.high) == pytest.approx((-seen.estimate, -seen.high, -seen.low))
        assert swapped.log_p == pytest.approx(seen.log_p)
    assert heterogeneity(turned).log_p_opposite == pytest.approx(heterogeneity(strata).log_p_opposite)


@given(
    strata=st.dictionaries(st.text(max_size=3), st.tuples(moments, moments), min_size=1, max_size=5),
    shift=st.floats(-1e4, 1e4),
)
def test_a_level_of_its_own_in_every_stratum_leaves_the_stratified_effect(strata, shift):
    moved = {
        name: (Moments(a.n, a.mean + shift * i, a.m2), Moments(b.n, b.mean + shift * i, b.m2))
        for i, (name, (a, b)) in enumerate(strata.items())
    }

    assert stratified_effect(moved).estimate == pytest.approx(stratified_effect(strata).estimate, abs=1e-8)


def test_equal_strata_are_homogeneous_and_agree():
    seen = simpson_check(phases([0.3, 0.3], [0.1, 0.1]))

    assert (seen.heterogeneity.q, seen.heterogeneity.i2, seen.heterogeneity.p_value) == (0.0, 0.0, 1.0)
    assert not seen.misleading and "agrees" in seen.statement


def test_opposite_effects_in_large_strata_have_a_tiny_p_that_is_not_zero():
    found = heterogeneity(phases([-1.0, 1.0], [0.01, 0.01]))

    assert found.p_opposite > 0 and found.log_p_opposite < -4000
    assert found.p_value > 0 and found.log_p < -8000


def test_strata_without_both_arms_are_left_out_and_named():
    strata = phases([0.2], [0.1]) | {"10 %": (Moments(500, 1.0, 5.0), Moments.empty())}
    seen = stratified_effect(strata)

    assert seen.estimate == pytest.approx(0.2)
    assert seen.note == "left out, fewer than two values in an arm: 10 % (500 of 2502 values)"


@pytest.mark.parametrize(
    ("strata", "said"),
    [
        ({}, "no strata"),
        ({"x": (Moments.empty(), Moments.empty())}, "left out"),
        ({"x": (Moments(1, 2.0, 0.0), Moments(1, 2.0, 0.0))}, "left out"),
        ({"x": (Moments(9, 2.0, 0.0), Moments(9, 3.0, 0.0))}, "no variance in any stratum"),
    ],
)
def test_too_little_is_stated(strata, said):
    seen = simpson_check(strata)

    assert said in seen.stratified.note
    assert (seen.stratified.low, seen.stratified.high, seen.stratified.p_value) == (-math.inf, math.inf, 1.0)
    assert (seen.heterogeneity.p_value, seen.heterogeneity.p_opposite) == (1.0, 1.0)
    assert not seen.reversal and "nan" not in seen.statement


def test_impossible_moments_and_options_are_refused():
    with pytest.raises(ValueError, match="the challenger in x is -1"):
        simpson_check({"x": (Moments(5, 0.0, 1.0), Moments(5, 0.0, -1.0))})
    with pytest.raises(ValueError, match="weights is 'best'"):
        stratified_effect({}, weights="best")
    with pytest.raises(ValueError, match="confidence is 1"):
        stratified_effect({}, confidence=1)
