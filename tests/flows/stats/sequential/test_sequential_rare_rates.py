"""Rates of rare events in two arms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.stats.sequential.rare_rates import rare_rates_sequence

ARM = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_two_points_are_ruled_out_after_a_few_hundred_requests_without_a_failure():
    assert rare_rates_sequence((0, 2500), (0, 250)).high < 0.02
    assert rare_rates_sequence((0, 2500), (0, 100)).high > 0.02


@given(ours=ARM, theirs=ARM)
def test_the_interval_holds_the_estimate_and_says_what_the_p_value_says(ours, theirs):
    found = rare_rates_sequence(ours, theirs)

    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert 0 < found.p_value <= 1
    assert (found.p_value < 0.05 - 1e-9) <= (found.low > 0 or found.high < 0)


@given(ours=ARM, theirs=ARM)
def test_swapping_the_arms_flips_the_interval(ours, theirs):
    there, back = rare_rates_sequence(ours, theirs), rare_rates_sequence(theirs, ours)

    assert (there.low, there.high, there.log_p) == pytest.approx((-back.high, -back.low, back.log_p))


def test_no_trials_bound_nothing_and_tiny_p_values_are_kept():
    nothing = rare_rates_sequence((0, 0), (0, 0))

    assert (nothing.low, nothing.high, nothing.note) == (-1.0, 1.0, "an arm has no trial yet")
    assert -700 < rare_rates_sequence((5, 3000), (60, 300)).log_p < math.log(1e-20)


@pytest.mark.parametrize(("arm", "said"), [((3, 2), "3 events among 2"), ((-1, 2), "events of champion is -1")])
def test_impossible_counts_are_refused(arm, said):
    with pytest.raises(ValueError, match=said):
        rare_rates_sequence(arm, (0, 1))


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_equal_rates_are_told_apart_in_at_most_five_percent_of_streams(rate):
    dice, runs, looks = np.random.default_rng(1), 60, np.unique(np.geomspace(20, 20_000, 25).astype(int))
    wrong = 0
    for _ in range(runs):
        ours, theirs = (np.cumsum(dice.random(20_000) < rate) for _ in range(2))
        intervals = (rare_rates_sequence((int(ours[n - 1]), int(n)), (int(theirs[n - 1]), int(n))) for n in looks)
        wrong += any(one.low > 0 or one.high < 0 for one in intervals)

    assert wrong <= 3
