import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flows.detection.univariate.ranks import clipped, fences, held_sd, ks, ks_distance, quantile, spread, wasserstein

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)
SHAPES = ("normal", "shifted", "rounded", "counts", "half zero", "far")
SIZES = ((1, 2), (3, 5), (6, 4), (10, 10), (1_000, 700), (5_500, 5_000), (30_000, 30_000), (40_000, 25_000))


def two(shape, n, m):
    dice = np.random.default_rng([n, m])
    ours, theirs = dice.normal(size=n), dice.normal(0.02, 1, m)
    made = {
        "normal": lambda: (ours, theirs - 0.02),
        "shifted": lambda: (ours, theirs + 0.3),
        "rounded": lambda: (ours.round(1), theirs.round(1)),
        "counts": lambda: (dice.poisson(3, n) * 1.0, dice.poisson(3, m) * 1.0),
        "half zero": lambda: (np.maximum(ours, 0), np.maximum(theirs, 0)),
        "far": lambda: (ours, theirs + 100),
    }
    return tuple(np.sort(values) for values in made[shape]())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_kolmogorov_smirnov_and_wasserstein_are_those_of_scipy(shape, n, m):
    ours, theirs = two(shape, n, m)
    with np.errstate(divide="ignore"):
        whole = stats.ks_2samp(ours, theirs, method="asymp")

    assert ks(ours, theirs) == pytest.approx((whole.statistic, whole.pvalue), abs=1e-12)
    assert wasserstein(ours, theirs)[0] == pytest.approx(stats.wasserstein_distance(ours, theirs), abs=1e-12)


@settings(max_examples=40)
@given(numbers, numbers)
def test_small_samples_of_any_numbers_too(ours, theirs):
    ours, theirs = np.sort(np.array(ours)), np.sort(np.array(theirs))

    with np.errstate(divide="ignore", invalid="ignore"):
        whole = stats.ks_2samp(ours, theirs, method="asymp")

    assert ks_distance(ours, theirs) == pytest.approx(whole.statistic, abs=1e-12)
    assert wasserstein(ours, theirs)[0] == pytest.approx(stats.wasserstein_distance(ours, theirs), rel=1e-12, abs=1e-9)


def test_two_values_show_nothing():
    assert ks(np.array([0.0]), np.array([1.0])) == (1.0, 1.0)


@given(numbers, numbers)
def test_swapping_the_samples_changes_nothing(ours, theirs):
    ours, theirs = np.sort(np.array(ours)), np.sort(np.array(theirs))

    assert ks_distance(ours, theirs) == pytest.approx(ks_distance(theirs, ours), abs=1e-15)
    assert wasserstein(ours, theirs)[0] == pytest.approx(wasserstein(theirs, ours)[0], rel=1e-12, abs=1e-12)


def test_the_widest_gap_is_found_wherever_it_hides():
    dice = np.random.default_rng(0)
    ours = np.sort(dice.normal(size=50_000))
    for at in (0.0, 0.2, 0.9999):
        theirs = ours.copy()
        start = int(at * 49_000)
        theirs[start : start + 900] = theirs[min(start + 899, 49_999)]
        apart = np.searchsorted(ours, ours, "right") - np.searchsorted(theirs, ours, "right")
        assert ks_distance(ours, theirs) == pytest.approx(np.abs(apart).max() / 50_000, abs=1e-15)


@pytest.mark.parametrize("m", [50_000, 49_000])
def test_without_the_tails_single_values_do_not_count(m):
    ours, theirs = (np.sort(np.random.default_rng(seed).normal(size=size)) for seed, size in ((1, 50_000), (2, m)))
    before = wasserstein(ours, theirs, aside=0.01)[1]
    theirs[-1] = 1e6

    assert wasserstein(ours, theirs, aside=0.01)[1] == pytest.approx(before, abs=1e-12)
    assert wasserstein(ours, theirs)[0] > 10


def test_the_numbers_at_the_end_of_the_range_overflow_in_silence():
    assert wasserstein(np.array([-1.7e308]), np.array([1.7e308]))[0] == np.inf


def test_the_spread_of_a_normal_sample_is_its_deviation_and_one_value_does_not_move_it():
    values = np.sort(np.random.default_rng(0).normal(5, 3, 100_000))
    moved = np.append(values[:-1], 1e6)

    assert spread(values) == pytest.approx(3, rel=0.01)
    assert spread(moved) == spread(values)
    assert fences(moved) == fences(values)


@pytest.mark.parametrize(("share", "positive"), [(0.5, True), (0.05, True), (0.005, True), (0.0005, True), (0, False)])
def test_where_most_values_are_equal_the_others_make_the_spread(share, positive):
    values = np.zeros(10_000)
    values[: round(share * 10_000)] = np.arange(round(share * 10_000)) + 1.0

    assert (spread(np.sort(values)) > 0) == positive


def test_values_within_the_fences_are_not_copied():
    values = np.arange(100.0)

    assert clipped(values, *fences(values)) is values
    assert clipped(np.append(values, 1e6), *fences(values))[-1] < 1e4


def test_a_quantile_is_one_of_the_values():
    assert [quantile(np.arange(1.0, 11), share) for share in (0, 0.1, 0.25, 0.5, 1)] == [1, 1, 3, 5, 10]


def test_the_held_deviation_is_that_of_clipped_values():
    values = np.sort(np.random.default_rng(0).standard_t(2, 1_000))

    assert held_sd(values, 0.01) == pytest.approx(np.clip(values, values[10], values[-11]).std())
    assert held_sd(np.full(50, 0.1), 0.01) == 0.0
