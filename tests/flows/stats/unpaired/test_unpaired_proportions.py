"""Shares: z tests, score intervals, Fisher's exact test."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import proportion as reference

from flows.stats.unpaired.proportions import (
    agresti_caffo,
    fisher,
    mee,
    miettinen_nurminen,
    newcombe,
    proportion_moments,
    proportion_z,
    wilson,
)
from flows.stats.unpaired.relative import relative_lift

SHARES = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TESTS = [proportion_z, agresti_caffo, miettinen_nurminen, mee, fisher]

# Newcombe (1998), Stat. Med. 17:873-890, table II: successes and callers, then methods 5, 6 and 10.
TABLE_II = [
    ((56, 70), (48, 80), (0.0533, 0.3377), (0.0528, 0.3382), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1821, 0.8370), (0.1700, 0.8406), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0544, 0.8478), (0.0342, 0.8534), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0313, 0.1926), (-0.0326, 0.1933), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775), (-0.1658, 0.2844), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775), (-0.2879, 0.2879), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.7225, 1.0), (0.7156, 1.0), (0.6791, 1.0)),
    ((10, 10), (0, 10), (0.6777, 1.0), (0.6636, 1.0), (0.6075, 1.0)),
]


def ends(effect):
    return effect.low, effect.high


@pytest.mark.parametrize(("challenger", "champion", "fifth", "sixth", "tenth"), TABLE_II)
def test_intervals_agree_with_the_published_table(challenger, champion, fifth, sixth, tenth):
    assert ends(mee(champion, challenger)) == pytest.approx(fifth, abs=6e-5)
    assert ends(miettinen_nurminen(champion, challenger)) == pytest.approx(sixth, abs=6e-5)
    assert newcombe(champion, challenger)[1:] == pytest.approx(tenth, abs=6e-5)


def test_the_score_interval_agrees_with_r():
    # R PropCIs: diffscoreci(7, 34, 1, 34, 0.95); statsmodels has 0.02732. And Agresti's aspirin trial:
    # diffscoreci(189, 11034, 104, 11037, 0.95).
    assert ends(miettinen_nurminen((1, 34), (7, 34))) == pytest.approx((0.0270416, 0.3452912), abs=1e-7)
    assert ends(miettinen_nurminen((104, 11037), (189, 11034))) == pytest.approx((0.00471682, 0.01078850), abs=1e-7)


def test_agresti_caffo_agrees_with_r():
    # R PropCIs: wald2ci(7, 34, 1, 34, 0.95, adjust = "AC").
    assert ends(agresti_caffo((1, 34), (7, 34))) == pytest.approx((0.01161167, 0.32172166), abs=6e-9)


def test_the_unpooled_test_agrees_with_r_and_statsmodels():
    # R PropCIs: wald2ci(7, 34, 1, 34, 0.95, adjust = "Wald").
    effect = proportion_z((1, 34), (7, 34), pooled=False)
    theirs = reference.test_proportions_2indep(7, 34, 1, 34, method="wald", compare="diff", correction=False)

    assert ends(effect) == pytest.approx((0.02916942, 0.32377176), abs=6e-9)
    assert effect.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@given(SHARES, SHARES)
def test_the_pooled_test_agrees_with_statsmodels(champion, challenger):
    (x1, n1), (x2, n2) = champion, challenger
    effect = proportion_z(champion, challenger)
    if 0 < x1 + x2 < n1 + n2:
        assert effect.p_value == pytest.approx(reference.proportions_ztest([x2, x1], [n2, n1])[1], rel=1e-9)
    else:
        assert effect.p_value == 1.0


@pytest.mark.parametrize(("champion", "challenger"), [((1, 34), (7, 34)), ((3, 10), (9, 10)), ((48, 80), (56, 70))])
def test_agresti_caffo_agrees_with_statsmodels(champion, challenger):
    (x1, n1), (x2, n2) = champion, challenger
    theirs = reference.test_proportions_2indep(x2, n2, x1, n1, method="agresti-caffo", compare="diff")

    assert agresti_caffo(champion, challenger).p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@given(SHARES)
def test_wilson_agrees_with_scipy(share):
    ours = wilson(*share, confidence=0.9)
    theirs = stats.binomtest(*share).proportion_ci(0.9, method="wilson")

    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(SHARES, SHARES)
def test_fisher_agrees_with_scipy(champion, challenger):
    (x1, n1), (x2, n2) = champion, challenger
    theirs = stats.fisher_exact(np.array([[x2, n2 - x2], [x1, n1 - x1]])).pvalue

    assert fisher(champion, challenger).p_value == pytest.approx(min(1.0, theirs), rel=1e-9)


@given(SHARES, SHARES, st.sampled_from([0.8, 0.95, 0.999]))
def test_swapping_the_arms_flips_every_effect(champion, challenger, confidence):
    for test in TESTS:
        one = test(champion, challenger, confidence=confidence)
        other = test(challenger, champion, confidence=confidence)

        assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -other.high, -other.low), abs=1e-9)
        assert one.log_p == pytest.approx(other.log_p, rel=1e-9, abs=1e-12)


@given(SHARES, SHARES)
def test_every_interval_lies_within_what_a_difference_can_be(champion, challenger):
    for test in TESTS:
        effect = test(champion, challenger)

        assert -1 <= effect.low <= effect.high <= 1
        assert 0 < effect.p_value <= 1
        assert not math.isnan(effect.log_p)


@given(SHARES, SHARES)
def test_the_score_interval_and_its_test_agree(champion, challenger):
    effect = miettinen_nurminen(champion, challenger)
    if abs(effect.p_value - 0.05) > 1e-6:
        assert (effect.low <= 0 <= effect.high) == (effect.p_value > 0.05)


def test_tiny_p_values_keep_their_logarithm():
    few, many = (100_000, 200_000), (120_000, 200_000)
    exact, normal = fisher(few, many), proportion_z(few, many)

    assert exact.log_p == pytest.approx(normal.log_p, rel=0.01)
    assert exact.log_p < -2000
    assert exact.p_value > 0 < normal.p_value


def test_certain_shares_that_differ_are_tested_by_the_pooled_variance():
    effect = proportion_z((0, 20), (30, 30), pooled=False)

    assert effect.note == "no variance"
    assert effect.p_value == proportion_z((0, 20), (30, 30)).p_value
    assert effect.low > 0.5


@pytest.mark.parametrize("test", TESTS)
def test_nobody_and_nothing_are_stated_outcomes(test):
    assert test((0, 0), (3, 5)).note == "an empty group"
    assert test((0, 7), (0, 5)).note == "no success in either group"
    assert test((7, 7), (5, 5)).note == "no failure in either group"
    assert test((0, 1), (1, 1)).n == 1


def test_a_share_can_be_lifted():
    effect = relative_lift(proportion_moments(1000, 10_000), proportion_moments(1100, 10_000))

    assert effect.estimate == pytest.approx(0.1)
    assert effect.p_value == pytest.approx(proportion_z((1000, 10_000), (1100, 10_000)).p_value, rel=0.02)
    assert proportion_moments(0, 0).n == 0


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="0 and 5"):
        newcombe((0, 0), (1, 5))
    with pytest.raises(ValueError, match="challenger has 6 successes of 5"):
        fisher((1, 5), (6, 5))
    with pytest.raises(ValueError, match="successes of champion is -1"):
        mee((-1, 5), (1, 5))
    with pytest.raises(ValueError, match="n is 0"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="confidence is 2"):
        proportion_z((1, 5), (1, 5), confidence=2)
