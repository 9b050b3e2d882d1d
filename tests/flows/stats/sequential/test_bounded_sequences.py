"""Betting and empirical-Bernstein confidence sequences of bounded outcomes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.stats.sequential.bounded import BernsteinStream, betting_sequence, paired_betting_sequence
from flows.stats.sequential.bounded_arms import two_arm_betting_sequence


def bernstein_by_the_paper(values: list[float], alpha: float) -> tuple[float, float]:
    """Theorem 2 of Waudby-Smith & Ramdas (2024), with v = 4 (x - mean)^2 and psi_E / 4 as printed there."""
    seen: list[float] = []
    squares, lambdas, paid = 0.0, [], 0.0
    for t, x in enumerate(values, start=1):
        before = (0.5 + sum(seen)) / t
        variance = (0.25 + squares) / t
        bet = min(0.5, math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(1 + t))))
        lambdas.append(bet)
        paid += 4 * (x - before) ** 2 * (-math.log(1 - bet) - bet) / 4
        seen.append(x)
        squares += (x - (0.5 + sum(seen)) / (t + 1)) ** 2
    middle = sum(b * x for b, x in zip(lambdas, values, strict=True)) / sum(lambdas)
    margin = (math.log(2 / alpha) + paid) / sum(lambdas)
    return max(0.0, middle - margin), min(1.0, middle + margin)


def capital_by_the_paper(values: list[float], mean: float, alpha: float) -> float:
    """Theorem 3: the larger of half of both wealths, value by value."""
    up, down, total, squares = 0.5, 0.5, 0.0, 0.0
    for t, x in enumerate(values, start=1):
        bet = math.sqrt(2 * math.log(2 / alpha) / ((0.25 + squares) / t * t * math.log(1 + t)))
        up *= 1 + min(bet, 0.5 / mean) * (x - mean)
        down *= 1 - min(bet, 0.5 / (1 - mean)) * (x - mean)
        total += x
        squares += (x - (0.5 + total) / (t + 1)) ** 2
    return max(up, down)


def test_the_stream_agrees_with_the_theorem_written_out():
    values = np.random.default_rng(1).beta(2, 5, 300).tolist()
    stream = BernsteinStream(alpha=0.1)
    for value in values:
        stream.update(value)

    assert stream.interval() == pytest.approx(bernstein_by_the_paper(values, 0.1), abs=1e-12)


def test_the_ends_of_the_betting_interval_are_where_the_written_out_wealth_reaches_one_over_alpha():
    values = np.random.default_rng(2).beta(2, 5, 300).tolist()
    seen = betting_sequence(values, against=0.5)

    assert capital_by_the_paper(values, seen.low, 0.05) == pytest.approx(20, rel=1e-6)
    assert capital_by_the_paper(values, seen.high, 0.05) == pytest.approx(20, rel=1e-6)
    assert seen.log_e == pytest.approx(math.log(capital_by_the_paper(values, 0.5, 0.05)), rel=1e-9)


def test_betting_is_narrower_than_empirical_bernstein_and_both_hold_the_mean():
    values = np.random.default_rng(3).beta(10, 30, 2000)
    stream = BernsteinStream()
    for value in values:
        stream.update(float(value))
    low, high = stream.interval()
    seen = betting_sequence(values)

    assert low < seen.low < 0.25 < seen.high < high


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_mirroring_the_values_mirrors_the_interval(values):
    seen, back = betting_sequence(values), betting_sequence([1 - x for x in values])

    assert (seen.low, seen.high) == pytest.approx((1 - back.high, 1 - back.low), abs=1e-8)
    assert seen.low <= seen.estimate <= seen.high


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(-100, 100), st.floats(0.1, 50))
def test_shift_and_scale_carry_over(values, shift, scale):
    plain = betting_sequence(values)
    moved = betting_sequence([min(shift + scale * x, shift + scale) for x in values], low=shift, high=shift + scale)

    assert moved.low == pytest.approx(shift + scale * plain.low, abs=1e-6 * max(scale, abs(shift)))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_a_paired_difference_excludes_zero_exactly_when_its_e_value_says_so(pairs):
    seen = paired_betting_sequence([a for a, _ in pairs], [b for _, b in pairs])

    assert (seen.low > 0 or seen.high < 0) == (seen.log_e > math.log(20))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-0.3, 0.3))
def test_swapping_two_arms_flips_the_interval_and_the_e_value_decides(seed, shift):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.uniform(0.3, 0.7, 80), rng.uniform(0.3, 0.7, 120) + shift
    there, back = two_arm_betting_sequence(ours, theirs), two_arm_betting_sequence(theirs, ours)

    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert (there.low >= 0 or there.high <= 0) == (there.log_e >= math.log(20))
    assert there.low <= there.estimate <= there.high


def test_no_values_leave_the_bounds():
    assert betting_sequence([]).note == "no values yet"
    assert two_arm_betting_sequence([], [0.3]).note == "an arm has no values"
    assert BernsteinStream(low=2, high=3).interval() == (2, 3)


def test_constant_values_end_in_a_narrow_interval():
    seen = betting_sequence([1.0] * 500)

    assert seen.high == 1.0
    assert seen.low > 0.95


def test_values_out_of_bounds_are_refused():
    with pytest.raises(ValueError, match=r"values has 2 of 3 values outside of \[0.0, 1.0\]; give the true bounds"):
        betting_sequence([0.5, -1, 2])
    with pytest.raises(ValueError, match="value is 2, outside"):
        BernsteinStream().update(2)
    with pytest.raises(ValueError, match="bounds are 1 and 0"):
        betting_sequence([0.5], low=1, high=0)
    with pytest.raises(ValueError, match="against is 1"):
        betting_sequence([0.5], against=1.0)
