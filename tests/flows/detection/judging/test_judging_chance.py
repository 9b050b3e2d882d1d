import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flows.detection.judging.chance import (
    free_of_chance,
    one_sided,
    outside_by_chance,
    psi_by_chance,
    share_change,
)
from flows.detection.univariate.bins import psi
from flows.detection.univariate.levels import even_v

DICE = np.random.default_rng(3)


def tables(n, m, levels, number):
    chances = np.ones(levels) / levels
    return DICE.multinomial(n, chances, number).astype(float), DICE.multinomial(m, chances, number).astype(float)


@pytest.mark.parametrize(("n", "m", "levels"), [(5000, 1000, 10), (1000, 1000, 50), (1000, 1000, 200)])
def test_psi_of_equal_data_lies_below_its_quantile_by_chance(n, m, levels):
    ours, theirs = tables(n, m, levels, 600)
    beyond = sum(psi(a, b) > psi_by_chance(n, m, levels) for a, b in zip(ours, theirs, strict=True))

    assert beyond <= 5  # .6 expected of 600; with five rows a level the tail is a little heavier


def test_two_hundred_levels_pass_the_threshold_of_habit_by_chance_alone():
    assert psi_by_chance(1000, 1000, 200, 0.5) > 0.2 > psi_by_chance(50_000, 10_000, 200)


@pytest.mark.parametrize("nothing", [(0, 5, 3), (5, 0, 3), (5, 5, 1)])
def test_nothing_has_no_quantile(nothing):
    assert psi_by_chance(*nothing) == 0.0


def test_v_without_drift_is_about_nothing_once_chance_is_taken_off():
    ours, theirs = tables(1000, 1000, 200, 300)
    raw = [even_v(a, b) for a, b in zip(ours, theirs, strict=True)]
    freed = [free_of_chance(v, 1000, 1000, 200) for v in raw]

    assert np.mean(raw) > 0.3
    assert np.mean(freed) < 0.07


def test_v_of_a_real_change_keeps_its_size():
    assert free_of_chance(0.2, 50_000, 10_000, 3) == pytest.approx(0.2, abs=1e-3)
    assert free_of_chance(0.2, 0, 10, 3) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.integers(40, 400), st.integers(0, 40), st.integers(40, 400))
def test_the_p_value_of_two_shares_is_never_far_below_fishers(a, n, b, m):
    change, p = share_change((a, n), (b, m))
    exact = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue

    assert 0 <= p <= 1
    assert change == pytest.approx(b / m - a / n) or p == 1
    assert p >= 0.4 * exact**1.3 or exact < 1e-9


def test_many_cases_are_tested_as_scipy_does_with_yates():
    expected = stats.chi2_contingency([[500, 4500], [150, 850]], correction=True).pvalue

    assert share_change((500, 5000), (150, 1000))[1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sides", [((0, 0), (3, 9)), ((3, 9), (0, 0)), ((0, 9), (0, 9)), ((9, 9), (9, 9))])
def test_nothing_or_nothing_else_is_no_change(sides):
    assert share_change(*sides) == (0.0, 1.0)


def test_swapping_the_sides_turns_the_change_around():
    there, back = share_change((50, 500), (80, 300)), share_change((80, 300), (50, 500))

    assert there[0] == -back[0]
    assert there[1] == pytest.approx(back[1])


def test_a_single_value_far_outside_is_no_news():
    assert outside_by_chance(1, 5000, 1000) > 0.3
    assert outside_by_chance(1, 1000, 1000) == 1.0
    assert outside_by_chance(20, 5000, 1000) < 1e-9


def test_values_beyond_a_range_are_as_rare_as_bounded():
    low, high = 0, 0
    for _ in range(2000):
        was, now = DICE.random(50), DICE.random(25)
        outside = int(((now < was.min()) | (now > was.max())).sum())
        low += outside >= 4
        high += outside_by_chance(outside, 50, 25) < 0.05
    assert high / 2000 <= 0.05
    assert low / 2000 <= outside_by_chance(4, 50, 25) + 0.02


def test_no_rows_prove_nothing():
    assert one_sided(3, 0, 0) == 1.0
