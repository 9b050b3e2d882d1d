import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from flows.detection.univariate.levels import chi_square, cramers_v, even_v, fisher, homogeneity, pooled

counts = arrays(np.float64, 7, elements=st.integers(0, 60).map(float))
FIRST = np.array([1.0, 0, 0, 0, 0, 0, 0])  # no side is empty


@settings(max_examples=50)
@given(counts, counts)
def test_chi_square_is_that_of_scipy(ours, theirs):
    ours, theirs = ours + FIRST, theirs + FIRST[::-1]
    seen = ours + theirs > 0
    whole = stats.chi2_contingency(np.vstack([ours, theirs])[:, seen], correction=False)

    assert chi_square(ours, theirs) == pytest.approx((whole.statistic, whole.pvalue), abs=1e-12, rel=1e-12)


def test_cramers_v_is_that_of_scipy_and_the_even_one_does_not_fall_with_the_sizes():
    ours, theirs = np.array([500.0, 300.0, 200.0]), np.array([20.0, 50.0, 30.0])
    chi2, _ = chi_square(ours, theirs)
    proper = stats.contingency.association(np.vstack([ours, theirs]).astype(int), method="cramer")

    assert cramers_v(chi2, 1100.0) == pytest.approx(proper, abs=1e-12)
    assert even_v(ours * 1000, theirs) == pytest.approx(even_v(ours, theirs), abs=1e-12)


def test_of_equally_large_samples_both_are_the_same():
    ours, theirs = np.array([50.0, 30.0, 20.0]), np.array([20.0, 50.0, 30.0])

    assert even_v(ours, theirs) == pytest.approx(cramers_v(chi_square(ours, theirs)[0], 200.0), abs=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(0, 60), st.integers(1, 40), st.integers(1, 60))
def test_the_exact_test_is_that_of_scipy(a, b, n, m):
    a, b = min(a, n), min(b, m)
    whole = stats.fisher_exact(np.array([[a, n - a], [b, m - b]])).pvalue

    assert fisher((a, n), (b, m)) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(("reference", "current"), [([5.0], [7.0]), ([0.0, 0.0], [3.0, 4.0]), ([], [])])
def test_one_level_or_an_empty_side_is_no_difference(reference, current):
    ours, theirs = np.array(reference), np.array(current)

    assert (chi_square(ours, theirs), homogeneity(ours, theirs)) == ((0.0, 1.0), 1.0)


def test_the_pooled_test_is_wrong_as_often_as_it_says_with_200_levels():
    dice = np.random.default_rng(0)
    shares = dice.dirichlet(np.ones(200) * 0.5)
    looks = [pooled(*(dice.multinomial(n, shares).astype(float) for n in (5_000, 1_000))) for _ in range(400)]
    p_values = np.array([homogeneity(*look) for look in looks])

    assert 0.01 <= (p_values < 0.05).mean() <= 0.09


def test_levels_that_a_profile_cut_off_are_one_bin_on_both_sides():
    ours, theirs = np.array([500.0, 300.0, 0.0]), np.array([55.0, 30.0, 15.0])

    few, now = pooled(ours, theirs, known=ours > 0, rest=100.0)

    assert few.sum() == 900
    assert now.sum() == 100
    assert (few[-1], now[-1]) == (400.0, 45.0)
