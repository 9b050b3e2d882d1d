"""Mann-Whitney and differences of quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.stats.unpaired.ranks import mann_whitney, quantile_difference

VALUES = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=25)


@given(VALUES, VALUES)
def test_the_rank_test_agrees_with_scipy(champion, challenger):
    effect = mann_whitney(champion, challenger)
    theirs = stats.mannwhitneyu(challenger, champion)

    assert effect.estimate + 0.5 == pytest.approx(theirs.statistic / len(champion) / len(challenger), abs=1e-12)
    if len(set(champion + challenger)) > 1:
        assert effect.p_value == pytest.approx(min(1.0, theirs.pvalue), rel=1e-9)


def test_the_rank_test_gives_what_tea_tasting_tests_give():
    # tea-tasting tests/metrics/test_nonparametric.py: test_mann_whitney_u_analyze.
    effect = mann_whitney([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0])

    assert (effect.estimate, effect.p_value) == (0.5, pytest.approx(0.02857142857142857))
    assert effect.note == "the groups do not overlap"
    assert 0 < effect.low < effect.high == 0.5


@given(VALUES, VALUES)
def test_swapping_the_arms_flips_the_ranks(a, b):
    one, other = mann_whitney(a, b), mann_whitney(b, a)

    assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -other.high, -other.low), abs=1e-9)
    assert one.log_p == pytest.approx(other.log_p, abs=1e-9)
    assert -0.5 <= one.low <= one.estimate + 1e-12 <= one.high + 1e-9 <= 0.5 + 1e-9


@given(VALUES, VALUES)
def test_ranks_do_not_see_the_scale(a, b):
    assert mann_whitney(np.exp(a), np.exp(b)) == mann_whitney(a, b)


def test_a_tiny_p_of_ranks_keeps_its_logarithm():
    effect = mann_whitney(np.arange(3000.0), np.arange(3000.0) + 1e5)

    assert effect.log_p == pytest.approx(-2254.0564, abs=1e-3)
    assert effect.p_value > 0


def test_degenerate_ranks_are_stated():
    assert mann_whitney([], [1.0]).note == "an empty group"
    assert mann_whitney([1.0], [2.0]).p_value == 1.0
    same = mann_whitney([1.0] * 5, [1.0] * 9)
    assert (same.estimate, same.p_value, same.note) == (0.0, 1.0, "all values are the same")


def test_a_difference_of_medians_has_the_standard_error_of_the_textbook():
    # Of normal values: sqrt(pi / 2 / n) for each median.
    rng = np.random.default_rng(0)
    widths = []
    for _ in range(50):
        effect = quantile_difference(rng.normal(size=200), rng.normal(size=200), q=0.5)
        widths.append((effect.high - effect.low) / 2 / 1.959964)

    assert np.mean(widths) == pytest.approx(math.sqrt(math.pi / 200), rel=0.05)


@given(st.floats(0.1, 100), st.floats(-1e3, 1e3))
def test_quantiles_move_with_unit_and_offset(unit, offset):
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2, size=200), rng.gamma(2.5, size=200)
    one = quantile_difference(a, b, q=0.9)
    other = quantile_difference(a * unit + offset, b * unit + offset, q=0.9)

    assert (other.estimate, other.low, other.high) == pytest.approx(
        (one.estimate * unit, one.low * unit, one.high * unit), rel=1e-6, abs=1e-6
    )
    assert other.log_p == pytest.approx(one.log_p, rel=1e-6)


def test_swapping_the_arms_flips_the_quantiles_as_does_lower_is_better():
    rng = np.random.default_rng(2)
    a, b = rng.gamma(2, size=300), rng.gamma(2.2, size=400)
    one, other = quantile_difference(a, b, q=0.95), quantile_difference(b, a, q=0.95)

    assert (one.estimate, one.low, one.high, one.log_p) == (-other.estimate, -other.high, -other.low, other.log_p)
    assert quantile_difference(a, b, q=0.95, lower_is_better=True) == other


def test_one_request_per_key_is_no_cluster():
    rng = np.random.default_rng(3)
    a, b = rng.gamma(2, size=500), rng.gamma(2.2, size=500)
    plain = quantile_difference(a, b, q=0.9)
    by_key = quantile_difference(a, b, q=0.9, champion_keys=np.arange(500), challenger_keys=np.arange(500))

    assert by_key.high - by_key.low == pytest.approx(plain.high - plain.low, rel=0.05)
    assert by_key.method == "difference of quantiles 0.9, by key"


def test_requests_of_one_key_that_are_copies_count_once():
    rng = np.random.default_rng(4)
    a, b = rng.gamma(2, size=300), rng.gamma(2.2, size=300)
    owner = np.repeat(np.arange(300), 10)
    once = quantile_difference(a, b, q=0.5)
    copies = quantile_difference(np.repeat(a, 10), np.repeat(b, 10), q=0.5, champion_keys=owner, challenger_keys=owner)

    assert copies.n == 300
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.1)


def test_too_few_values_and_ties_are_stated():
    few = quantile_difference(np.arange(20.0), np.arange(20.0), q=0.99)
    tied = quantile_difference([1.0] * 300, [2.0] * 200, q=0.5)
    alone = quantile_difference([1.0] * 9, [2.0] * 9, q=0.5, champion_keys=[1] * 9, challenger_keys=range(9))

    assert few.note == "too few values beyond the quantile 0.99"
    assert (few.low, few.high, few.p_value) == (-math.inf, math.inf, 1.0)
    assert (tied.low, tied.high) == (-math.inf, math.inf)
    assert tied.p_value < 1e-50
    assert "tied" in tied.note
    assert quantile_difference([1.0] * 300, [1.0] * 200, q=0.5).p_value == 1.0
    assert quantile_difference([], [1.0], q=0.5).n == 0
    assert alone.note == "fewer than two keys in a group"


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="champion has 1 of 2 values that are NaN"):
        mann_whitney([1.0, math.nan], [1.0])
    with pytest.raises(ValueError, match="q is 95"):
        quantile_difference([1.0], [1.0], q=95)
    with pytest.raises(ValueError, match="challenger: 2, challenger_keys: 1"):
        quantile_difference([1.0, 2.0], [1.0, 2.0], q=0.5, challenger_keys=[1])
