"""Two models on the same rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from flows.stats.paired.binary import mcnemar, mcnemar_log_p
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.ranking import auc, delong

losses = arrays(np.float64, st.integers(3, 40), elements=st.floats(-1e3, 1e3))
bits = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


def test_the_paired_mean_agrees_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=50), rng.normal(0.2, 1, 50)

    effect, reference = paired_mean(a, b), stats.ttest_rel(b, a)

    assert effect.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx(tuple(reference.confidence_interval()), rel=1e-9)


@given(losses)
def test_swapping_the_models_flips_the_paired_effect(a):
    b = a[::-1].copy()

    there, back = paired_mean(a, b), paired_mean(b, a)

    assert there.estimate == pytest.approx(-back.estimate, abs=1e-9)
    assert there.p_value == pytest.approx(back.p_value, rel=1e-9)


def test_the_exact_p_of_statsmodels_brackets_the_mid_p():
    exact = statsmodels_mcnemar([[50, 4], [15, 31]], exact=True).pvalue
    term = stats.binom.pmf(4, 19, 0.5)

    assert math.exp(mcnemar_log_p(4, 15)) == pytest.approx(exact - term, rel=1e-9)
    assert math.exp(mcnemar_log_p(4, 15, exact=True)) == pytest.approx(exact, rel=1e-9)


@given(bits)
def test_swapping_the_models_flips_mcnemar(pairs):
    a, b = np.array(pairs).T

    there, back = mcnemar(a, b), mcnemar(b, a)

    assert there.estimate == -back.estimate
    assert there.p_value == pytest.approx(back.p_value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert -1 <= there.low <= there.estimate <= there.high <= 1


def test_tangos_interval_inverts_his_score_test():
    champion, challenger = [1] * 64 + [0] * 36, [1] * 60 + [0] * 4 + [1] * 30 + [0] * 6
    effect = mcnemar(champion, challenger)

    # By brute force over the restricted likelihood.
    assert (effect.low, effect.high) == pytest.approx((0.157432, 0.364628), abs=1e-5)


def naive_delong(y, a, b):
    x1, x0 = np.where(y == 1)[0], np.where(y == 0)[0]

    def placements(s):
        kernel = (s[x1][:, None] > s[x0][None]) + 0.5 * (s[x1][:, None] == s[x0][None])
        return kernel.mean(1), kernel.mean(0), kernel.mean()

    v10a, v01a, auc_a = placements(a)
    v10b, v01b, auc_b = placements(b)
    variance = np.var(v10b - v10a, ddof=1) / len(x1) + np.var(v01b - v01a, ddof=1) / len(x0)
    return auc_b - auc_a, variance


@pytest.mark.parametrize("ties", [False, True])
def test_delong_by_mid_ranks_agrees_with_all_pairs(ties):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    a, b = rng.normal(y, 1), rng.normal(y * 1.3, 1)
    if ties:
        a, b = a.round(1), b.round(1)

    effect, (difference, variance) = delong(y, a, b), naive_delong(y, a, b)

    assert effect.estimate == pytest.approx(difference, abs=1e-12)
    z = difference / math.sqrt(variance)
    assert effect.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_identical_scores_differ_by_nothing_and_say_so():
    y, s = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.9, 0.4, 0.6, 0.3])

    for effect in (delong(y, s, s), paired_mean(s, s), mcnemar(y, y)):
        assert (effect.estimate, effect.p_value) == (0.0, 1.0)
        assert effect.note


def test_perfect_auc_gives_numbers_and_no_nan():
    y = np.array([0, 0, 1, 1])

    effect = delong(y, np.array([0.1, 0.4, 0.3, 0.9]), np.array([0.1, 0.2, 0.8, 0.9]))

    assert auc(y, y.astype(float)) == 1.0
    assert all(map(math.isfinite, (effect.estimate, effect.low, effect.high, effect.p_value)))


def test_a_tiny_p_value_does_not_print_as_zero():
    rng = np.random.default_rng(0)

    effect = paired_mean(np.zeros(20_000), 1 + 0.01 * rng.normal(size=20_000))

    assert -math.inf < effect.log_p < -1000


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_are_a_stated_outcome(n):
    effect = paired_mean(np.zeros(n), np.ones(n))

    assert (effect.low, effect.high, effect.p_value) == (-math.inf, math.inf, 1.0)
    assert "row" in effect.note


def test_what_is_no_number_is_refused_by_name_and_count():
    with pytest.raises(ValueError, match=r"challenger has 2 of 3 values that are NaN or infinite"):
        paired_mean([1, 2, 3], [1, math.nan, math.inf])
    with pytest.raises(ValueError, match=r"lengths differ \(champion: 2, challenger: 3\)"):
        paired_mean([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"labels has 1 of 2 values other than 0 and 1"):
        delong([0, 2], [1, 2], [1, 2])
    with pytest.raises(ValueError, match="AUC needs both"):
        delong([1, 1], [1, 2], [1, 2])
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        paired_mean([1, 2], [1, 2], confidence=1.0)
