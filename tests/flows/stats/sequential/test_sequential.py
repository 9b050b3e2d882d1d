"""Tests that stay valid however often they are looked at."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from flows.stats.integrity.srm import sample_ratio
from flows.stats.sequential.asymptotic import paired_sequence, two_sample_sequence
from flows.stats.sequential.pairs import discordant_log_e, discordant_pairs

counts = st.integers(0, 400)


@given(counts, counts)
def test_the_e_value_is_symmetric(lost, won):
    assert discordant_log_e(lost, won) == pytest.approx(discordant_log_e(won, lost), abs=1e-9)


def test_the_e_value_is_the_integral_of_the_likelihood_ratio():
    integral = quad(lambda p: (2 * p) ** 40 * (2 * (1 - p)) ** 10, 0, 1)[0]

    assert discordant_log_e(10, 40) == pytest.approx(math.log(integral), rel=1e-9)


@given(counts, counts)
def test_the_interval_excludes_zero_exactly_when_the_e_value_exceeds_one_over_alpha(lost, won):
    seen = discordant_pairs(lost, won, 1000, alpha=0.05)

    rejects = discordant_log_e(lost, won) > math.log(20)

    assert (seen.low > 0 or seen.high < 0) == rejects
    assert seen.low <= seen.estimate <= seen.high


def test_no_discordant_pairs_say_nothing():
    seen = discordant_pairs(0, 0, 100)

    assert (seen.estimate, seen.p_value, seen.low, seen.high) == (0.0, 1.0, -math.inf, math.inf)


@given(st.integers(30, 10_000), st.floats(-5, 5), st.floats(0.01, 100))
def test_p_value_and_interval_of_the_sequence_agree(n, mean, m2):
    seen = paired_sequence((n, mean, m2), alpha=0.05)

    assert (seen.p_value < 0.05) == (seen.low > 0 or seen.high < 0) or seen.p_value == pytest.approx(0.05, rel=1e-6)


@given(st.integers(30, 500), st.integers(30, 500), st.floats(-2, 2))
def test_swapping_the_arms_flips_the_sequence(n, m, mean):
    there, back = two_sample_sequence((n, 0, n), (m, mean, m)), two_sample_sequence((m, mean, m), (n, 0, n))

    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_a_split_of_52_to_48_is_flagged_and_50_to_50_is_not():
    assert sample_ratio({"a": 10_400, "b": 9_600}, {"a": 1, "b": 1}).p_value < 0.001
    assert sample_ratio({"a": 10_010, "b": 9_990}, {"a": 1, "b": 1}).p_value > 0.5


def test_an_arm_of_weight_zero_is_left_out_of_the_ratio():
    with_zero = sample_ratio({"a": 480, "b": 520, "c": 0}, {"a": 1, "b": 1, "c": 0})

    assert with_zero == sample_ratio({"a": 480, "b": 520}, {"a": 1, "b": 1})


def test_nothing_dealt_is_no_mismatch():
    assert sample_ratio({}, {"a": 1, "b": 1}).p_value == 1.0
