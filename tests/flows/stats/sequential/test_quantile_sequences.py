"""Confidence sequences of quantiles and of their differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from flows.stats.sequential.discrete import Tally, log_wealth
from flows.stats.sequential.mixture import tuning
from flows.stats.sequential.quantiles import quantile_difference_sequence, quantile_sequence

few = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=25)


def evidence(values: list[float], at: float, quantile: float, tuned_to: float) -> float:
    """Written out: least Beta-binomial evidence over all counts that a tie allows."""
    size = 1 / tuning(0.05, tuned_to)
    a, b, n = size * quantile, size * (1 - quantile), len(values)
    below, upto = sum(x < at for x in values), sum(x <= at for x in values)
    return min(
        float(betaln(a + k, b + n - k) - betaln(a, b) - k * math.log(quantile) - (n - k) * math.log(1 - quantile))
        for k in range(below, upto + 1)
    )


def test_the_mixture_is_the_one_of_confseq():
    # confseq, uniform_boundaries_unittest.cpp: BetaBinomialMixture(100, .05, .2, .8), log_superMG(10, 100).
    size = (1 / tuning(0.05, 100) - 0.16) / 0.16

    assert log_wealth(Tally((0.0, 1.0), (490, 135)), 0.2, size) == pytest.approx(-0.6941012, abs=1e-7)


@given(few, st.sampled_from((0.2, 0.5, 0.9)))
def test_a_point_lies_inside_exactly_when_its_evidence_is_below_one_over_alpha(values, quantile):
    seen = quantile_sequence(values, quantile, tuned_to=10)

    for at in np.arange(-0.5, 7, 0.5):
        assert (seen.low <= at <= seen.high) == (evidence(values, at, quantile, 10) < math.log(20))


@settings(max_examples=60)
@given(few, few, st.sampled_from((0.2, 0.5, 0.9)))
def test_the_difference_holds_every_pair_of_quantiles_with_little_evidence(ours, theirs, quantile):
    seen = quantile_difference_sequence(ours, theirs, quantile, tuned_to=10)
    places = np.arange(-1.5, 8, 0.5)
    our_e = [evidence(ours, q, quantile, 10) for q in places]
    their_e = [evidence(theirs, q, quantile, 10) for q in places]
    kept = [
        float(b - a)
        for a, x in zip(places, our_e, strict=True)
        for b, y in zip(places, their_e, strict=True)
        if x + y < math.log(20)
    ]

    assert seen.low <= min(kept) + 1e-12
    assert max(kept) <= seen.high + 1e-12
    if math.isfinite(seen.low):
        assert seen.low == pytest.approx(min(kept))
    assert seen.log_e == pytest.approx(min(x + y for x, y in zip(our_e, their_e, strict=True)), abs=1e-9)


@given(few, few)
def test_swapping_the_arms_flips_the_difference(ours, theirs):
    there = quantile_difference_sequence(ours, theirs, 0.5, tuned_to=10)
    back = quantile_difference_sequence(theirs, ours, 0.5, tuned_to=10)

    assert (there.low, there.high, there.log_e) == pytest.approx((-back.high, -back.low, back.log_e))
    assert (there.low > 0 or there.high < 0) == (there.log_e >= math.log(20))


def test_few_values_leave_an_open_end_and_say_so():
    seen = quantile_sequence([1.0, 2.0, 3.0], 0.95)

    assert (seen.low, seen.high) == (-math.inf, math.inf)
    assert seen.note == "too few values for a lower or upper end"
    assert quantile_sequence([], 0.5).note == "no values yet"
    assert quantile_difference_sequence([1.0], [], 0.5).note == "an arm has no values"


def test_a_million_times_larger_offset_changes_nothing():
    values = np.random.default_rng(1).lognormal(size=3000)

    plain, moved = quantile_sequence(values, 0.95), quantile_sequence(values + 1e8, 0.95)

    assert (moved.low - 1e8, moved.high - 1e8) == pytest.approx((plain.low, plain.high), abs=1e-6)


def alarms(runs: int, looks: int, seed: int, share: int = 1) -> float:
    """Share of A/A runs with different tails in which medians or 90th percentiles are ever told apart."""
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(runs):
        ours, theirs = rng.exponential(size=looks * 10 * share), rng.exponential(size=looks * 10)
        found += any(
            quantile_difference_sequence(ours[: 10 * share * k], theirs[: 10 * k], 0.9, tuned_to=100).log_e
            >= math.log(20)
            for k in range(1, looks + 1)
        )
    return found / runs


def test_equal_latencies_are_rarely_told_apart():
    assert alarms(40, 15, 3) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)
