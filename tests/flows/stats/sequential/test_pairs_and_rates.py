"""The exact tests: discordant pairs in shadow, two rates in a split."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from flows.stats.sequential.discrete import Tally, interval, log_wealth
from flows.stats.sequential.mixture import tuning
from flows.stats.sequential.pairs import (
    PairStream,
    discordant_log_e,
    discordant_pairs,
    discordant_trace,
    prior_for,
    running_log_p,
)
from flows.stats.sequential.rates import rate_ratio_sequence, two_rates_sequence

counts = st.integers(0, 300)
exact = settings(max_examples=30, deadline=None)


def integrated(tally: Tally, mean: float, size: float) -> float:
    """Wealth mixed over the Beta prior, by quadrature of the stakes themselves."""
    low, high = -1 / (1 - mean), 1 / mean
    norm = math.gamma(size * mean) * math.gamma(size * (1 - mean)) / math.gamma(size)

    def wealth(s: float) -> float:
        stake = low + s * (high - low)
        won = sum(n * math.log(1 + stake * (t - mean)) for t, n in zip(*tally, strict=True) if n)
        return math.exp(won) * s ** (size * mean - 1) * (1 - s) ** (size * (1 - mean) - 1) / norm

    return quad(wealth, 0, 1, epsabs=0, epsrel=1e-11, limit=500, points=[mean])[0]


@pytest.mark.parametrize("mean", [0.4, 0.5, 0.52, 0.6])
def test_wealth_is_the_integral_over_all_stakes(mean):
    tally = Tally((0.0, 0.5, 0.8, 1.0), (7, 30, 5, 12))

    assert log_wealth(tally, mean, 6.0) == pytest.approx(math.log(integrated(tally, mean, 6.0)), rel=1e-8)


@pytest.mark.parametrize("mean", [0.45, 0.5, 0.7])
def test_both_directions_together_are_the_two_sided_wealth(mean):
    from scipy.special import betainc

    tally = Tally((0.0, 0.5, 1.0), (10, 200, 40))
    below = float(betainc(4 * mean, 4 * (1 - mean), mean))
    parts = below * math.exp(log_wealth(tally, mean, 4, -1)) + (1 - below) * math.exp(log_wealth(tally, mean, 4, 1))

    assert math.log(parts) == pytest.approx(log_wealth(tally, mean, 4), rel=1e-9)


@exact
@given(counts, counts, st.integers(0, 2000))
def test_a_sign_is_decided_exactly_when_the_e_value_says_so(lost, won, same):
    assume(lost + won)
    seen = discordant_pairs(lost, won, lost + won + same)

    assert (seen.low > 0 or seen.high < 0) == (seen.log_e >= math.log(20))
    assert -1 <= seen.low <= seen.estimate <= seen.high <= 1


@exact
@given(counts, counts, st.integers(0, 2000))
def test_swapping_the_models_flips_the_interval(lost, won, same):
    there, back = (discordant_pairs(a, b, lost + won + same) for a, b in ((lost, won), (won, lost)))

    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


@exact
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
def test_wealth_rises_away_from_what_was_seen_so_that_the_interval_has_no_holes(lost, won, same):
    assume(lost + won)
    tally = Tally((0.0, 0.5, 1.0), (lost, same, won))
    low, high = interval(tally, 2.0, 0.05)
    for mean in np.linspace(0.01, 0.99, 25):
        assume(min(abs(mean - low), abs(mean - high)) > 1e-6)

        assert (log_wealth(tally, float(mean), 2.0) < math.log(20)) == (low < mean < high)


def test_an_unknown_rate_of_discordance_makes_the_interval_honestly_wider():
    seen = discordant_pairs(10, 40, 1000)
    share = interval(Tally((0.0, 1.0), (10, 40)), 2.0, 0.05)
    scaled = [0.05 * (2 * end - 1) for end in share]

    assert scaled == pytest.approx((0.0096, 0.0441), abs=1e-4)
    assert seen.high > scaled[1]
    assert seen.low == pytest.approx(0.0092, abs=1e-4)


@given(counts, counts)
def test_one_sided_e_values_average_to_the_two_sided_one(lost, won):
    better, worse = (discordant_log_e(lost, won, side=side) for side in ("better", "worse"))

    assert np.logaddexp(better, worse) - math.log(2) == pytest.approx(discordant_log_e(lost, won), abs=1e-9)


def test_a_one_sided_test_decides_earlier_and_leaves_the_other_end_open():
    both, better = (discordant_pairs(10, 28, 500, side=side) for side in ("both", "better"))

    assert better.log_p < both.log_p
    assert better.low > both.low
    assert better.high == 1.0
    assert discordant_pairs(10, 28, 500, side="worse").p_value == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_the_stream_says_what_the_counts_say_and_its_p_value_never_rises(labels):
    stream, last = PairStream(), 0.0
    for ours, theirs in labels:
        stream.update(ours, theirs)
        assert stream.log_p <= last
        last = stream.log_p

    lost, won = sum(a > b for a, b in labels), sum(b > a for a, b in labels)
    assert (stream.lost, stream.won, stream.pairs) == (lost, won, len(labels))
    assert stream.log_e == pytest.approx(discordant_log_e(lost, won), abs=1e-9)
    assert stream.seen().log_p <= discordant_pairs(lost, won, len(labels)).log_p + 1e-12


def test_a_trace_keeps_the_lowest_p_value():
    log_e, log_p = discordant_trace([0, 0, 9], [0, 9, 9])

    assert log_e[1] == pytest.approx(discordant_log_e(0, 9))
    assert log_p.tolist() == pytest.approx([0.0, -discordant_log_e(0, 9), -discordant_log_e(0, 9)])
    assert running_log_p([0.5, -1.0, -0.5]).tolist() == [0.0, -1.0, -1.0]
    with pytest.raises(ValueError, match="won falls 1 times"):
        discordant_trace([0, 1], [3, 2])


def test_a_prior_for_a_number_of_pairs_decides_soonest_there():
    least = {a: discordant_log_e(150, 210, a) for a in (1.0, prior_for(360), 400.0)}

    assert max(least, key=lambda a: least[a]) == prior_for(360)


def test_nothing_seen_is_said():
    assert discordant_pairs(0, 0, 0).note == "no labelled pairs"
    assert discordant_pairs(0, 0, 9).note == "no discordant pairs"
    assert two_rates_sequence((0, 0), (0, 5)).note == "an arm has no callers"
    assert two_rates_sequence((9, 9), (5, 5)).note == "no caller differs from the others"
    assert rate_ratio_sequence((0, 9), (0, 5)).note == "no success in either arm"


def test_wrong_counts_are_refused():
    with pytest.raises(ValueError, match="there cannot be more than pairs"):
        discordant_pairs(3, 4, 6)
    with pytest.raises(ValueError, match="champion has 5 successes among 4"):
        two_rates_sequence((5, 4), (1, 4))
    with pytest.raises(ValueError, match="challenger_share is 1"):
        two_rates_sequence((1, 4), (1, 4), challenger_share=1)
    with pytest.raises(ValueError, match="a is 0"):
        discordant_log_e(1, 2, 0)
    with pytest.raises(ValueError, match="pairs is -1"):
        discordant_pairs(0, 0, -1)


def test_a_tiny_p_value_of_pairs_is_never_zero():
    seen = discordant_pairs(0, 5000, 5000)

    assert seen.p_value > 0
    assert seen.log_p == pytest.approx(math.log(5001) - 5000 * math.log(2), rel=1e-9)


def test_events_bet_on_their_arm_with_the_share_that_was_dealt():
    w, size = 0.1, 1 / tuning(0.05, 50)
    a, b = size * w, size * (1 - w)
    norm = math.gamma(a) * math.gamma(b) / math.gamma(size)
    ratio = quad(lambda q: (q / w) ** 9 * ((1 - q) / (1 - w)) ** 30 * q ** (a - 1) * (1 - q) ** (b - 1) / norm, 0, 1)[0]

    for function in (two_rates_sequence, rate_ratio_sequence):
        assert function((30, 9000), (9, 1000), challenger_share=w).log_e == pytest.approx(math.log(ratio), abs=1e-6)


@exact
@given(st.integers(0, 40), st.integers(0, 40), st.integers(500, 900), st.integers(50, 900))
def test_two_rates_agree_with_their_e_value_and_swap(won1, won2, n1, n2):
    assume(won1 + won2)
    share = n2 / (n1 + n2)
    there = two_rates_sequence((won1, n1), (won2, n2), challenger_share=share)
    back = two_rates_sequence((won2, n2), (won1, n1), challenger_share=1 - share)

    assert (there.low > 0 or there.high < 0) == (there.log_e >= math.log(20))
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert there.low <= there.estimate <= there.high


@exact
@given(st.integers(0, 40), st.integers(0, 40), st.integers(500, 900), st.integers(500, 900))
def test_failures_are_the_mirror_of_successes(lost1, lost2, n1, n2):
    assume(lost1 + lost2)
    rare, common = (
        two_rates_sequence(*pairs) for pairs in (((lost1, n1), (lost2, n2)), ((n1 - lost1, n1), (n2 - lost2, n2)))
    )

    assert (common.low, common.high, common.log_e) == pytest.approx((-rare.high, -rare.low, rare.log_e), abs=1e-9)


def test_a_ratio_without_a_success_of_the_champion_is_bounded_below_only():
    seen = rate_ratio_sequence((0, 1000), (20, 1000))

    assert seen.low > 0
    assert (seen.estimate, seen.high, seen.note) == (math.inf, math.inf, "the champion has no success")


def test_for_rare_events_the_exact_interval_is_about_as_narrow_as_the_asymptotic_one():
    from flows.stats.sequential.asymptotic import two_sample_sequence

    near = two_sample_sequence((50_000, 0.01, 495.0), (50_000, 0.01, 495.0), tuned_to=50_000)
    found = two_rates_sequence((500, 50_000), (500, 50_000), tuned_to=1000)

    assert found.high - found.low == pytest.approx(near.high - near.low, rel=0.05)
