import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.detection.streams.trend import mann_kendall

RISING = [12, 15, 11, 18, 17, 19, 22, 16, 24, 25, 21, 28, 23, 27, 30, 26, 29, 33, 31, 35, 34, 32, 38, 36, 37]
TIED = [3, 3, 4, 5, 5, 5, 6, 2, 7, 7, 8, 6, 9, 9]


def score(values):
    return sum(np.sign(b - a) for a, b in itertools.combinations(values, 2))


@pytest.mark.parametrize("values", [[3, 1, 2, 5, 4], [1, 2, 3, 4, 5, 6, 7], [6, 5, 3, 4, 2, 1], [2, 1, 3]])
def test_p_of_few_values_is_the_share_of_all_orders_with_such_a_score(values):
    found = mann_kendall(np.array(values, dtype=float))
    scores = [score(order) for order in itertools.permutations(values)]

    assert found.dependence == 1.0
    assert found.p_rise == pytest.approx(np.mean(np.array(scores) >= score(values)), abs=1e-12)


@given(st.lists(st.integers(-50, 50), min_size=4, max_size=30, unique=True))
def test_without_ties_and_dependence_it_is_kendalls_exact_test(values):
    found = mann_kendall(np.array(values, dtype=float))
    theirs = stats.kendalltau(np.arange(len(values)), values, method="exact", alternative="greater")

    assert found.tau == pytest.approx(theirs.statistic, abs=1e-12)
    if found.dependence == 1.0:
        assert found.p_rise == pytest.approx(theirs.pvalue, abs=1e-12)


@given(st.lists(st.integers(0, 9), min_size=4, max_size=60))
def test_tau_and_slope_agree_with_scipy_when_values_tie(values):
    found = mann_kendall(np.array(values, dtype=float))
    theirs = stats.theilslopes(values)

    assert found.slope == pytest.approx(theirs.slope, abs=1e-12)
    assert found.low <= found.slope <= found.high
    if len(set(values)) > 1:
        assert found.tau == pytest.approx(stats.kendalltau(np.arange(len(values)), values).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "z", "slope"), [(TIED, 3.489247286416781, 0.5), (RISING * 2, None, None), ([1.0] * 9, None, 0.0)]
)
def test_agrees_with_pymannkendall_1_4_3_where_no_dependence_is_seen(values, z, slope):
    found = mann_kendall(np.array(values, dtype=float))

    if slope is not None:
        assert found.slope == slope
    if z is not None and found.dependence == 1.0:
        assert found.p_rise == pytest.approx(stats.norm.sf(z), rel=1e-9)
    assert 0 <= found.p_rise <= 1


def test_turning_a_series_round_turns_slope_and_tau():
    values = np.array(RISING, dtype=float)
    there, back = mann_kendall(values), mann_kendall(-values)

    assert (there.slope, there.tau) == (-back.slope, -back.tau)
    assert there.p_rise < 1e-4 < 1 - 1e-4 < back.p_rise


@pytest.mark.parametrize("near", [0.0, 0.3, 0.6, 0.8])
def test_values_that_depend_on_those_before_seldom_look_like_a_trend(near):
    dice = np.random.default_rng(0)
    noise = dice.normal(size=(400, 30)) * np.sqrt(1 - near * near)
    series = np.empty((400, 30))
    level = dice.normal(size=400)
    for place in range(30):
        series[:, place] = level = near * level + noise[:, place]

    assert np.mean([mann_kendall(row).p_rise < 0.05 for row in series]) <= 0.09


def test_a_slow_rise_is_found():
    dice = np.random.default_rng(0)
    found = [mann_kendall(dice.normal(size=30) + 0.1 * np.arange(30)) for _ in range(100)]

    assert np.mean([one.p_rise < 0.01 for one in found]) >= 0.9
    assert np.mean([one.low <= 0.1 <= one.high for one in found]) >= 0.9


def test_two_values_are_no_trend():
    with pytest.raises(ValueError, match="three or more"):
        mann_kendall(np.array([1.0, 2.0]))
