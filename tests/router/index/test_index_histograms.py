"""Histograms add up over processes, and tell how far two distributions are apart."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.index.histograms import ks, latency_histogram, psi, score_histogram

VALUES = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30)


@given(VALUES, VALUES, st.sampled_from(["binary", "regression"]))
def test_histograms_of_two_processes_add_up_to_that_of_all(one, other, task):
    parts = [Counter(score_histogram(np.array(values), task)) for values in (one, other)]

    assert parts[0] + parts[1] == score_histogram(np.array(one + other), task)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_every_probability_lies_in_its_bin(scores):
    for score in scores:
        [name] = score_histogram(np.array([score]), "binary")
        assert float(name) <= score + 1e-12
        assert score < float(name) + 0.05 + 1e-12 or score == 1.0


@given(st.floats(1e-6, 1e15) | st.floats(-1e15, -1e-6))
def test_every_other_value_lies_in_its_bin_within_a_tenth(value):
    [name] = score_histogram(np.array([value]), "regression")

    least = float(name)
    assert least <= value + abs(value) * 1e-5
    assert abs(value - least) <= 0.095 * max(abs(value), abs(least))


def test_times_are_told_apart_within_a_fifth():
    assert latency_histogram(np.array([0.0, 1.0, 1.1, 1.2, 1e300])) == {
        "0.0": 1,
        "1.0": 2,
        "1.18921": 1,
        repr(float(f"{2.0**63.75:.6g}")): 1,
    }


def test_shares_of_a_half_against_nine_tenths():
    even, skewed = {"0.0": 50, "0.5": 50}, {"0.0": 10, "0.5": 90}

    assert psi(even, skewed) == pytest.approx(0.4 * math.log(9))
    assert ks(even, skewed) == pytest.approx(0.4)


@given(VALUES.filter(bool), VALUES.filter(bool))
def test_nothing_is_apart_from_itself_and_no_distance_is_negative(one, other):
    ours, theirs = (score_histogram(np.array(values), "regression") for values in (one, other))

    assert psi(ours, ours) == ks(ours, ours) == 0.0
    assert psi(ours, theirs) >= 0.0
    assert 0.0 <= ks(ours, theirs) <= 1.0 + 1e-12


def test_without_values_there_is_no_distance():
    assert psi({}, {"0.0": 1}) is None
    assert ks({"0.0": 1}, {}) is None
