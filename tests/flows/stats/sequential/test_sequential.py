"""Tests that stay valid however often they are looked at."""

import math

import numpy as np
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


def false_alarms(runs: int, looks: int, per_look: int, seed: int) -> dict[str, float]:
    """Share of A/A runs in which a test ever rejects at 5 %, looking after every batch."""
    rng = np.random.default_rng(seed)
    alarms = dict.fromkeys(("pairs", "paired", "split", "ratio"), 0)
    for _ in range(runs):
        n = np.arange(1, looks + 1) * per_look
        won = np.cumsum(rng.binomial(per_look, 0.03, looks))
        lost = np.cumsum(rng.binomial(per_look, 0.03, looks))
        alarms["pairs"] += any(discordant_log_e(a, b) > math.log(20) for a, b in zip(lost, won, strict=True))
        noise, more = rng.exponential(size=(2, looks * per_look)) - 1
        s1, s2 = np.cumsum(noise)[n - 1], np.cumsum(noise**2)[n - 1]
        t1, t2 = np.cumsum(more)[n - 1], np.cumsum(more**2)[n - 1]
        ours = [(int(k), a / k, b - a * a / k) for k, a, b in zip(n, s1, s2, strict=True)]
        theirs = [(int(k), a / k, b - a * a / k) for k, a, b in zip(n, t1, t2, strict=True)]
        alarms["paired"] += any(paired_sequence(x).p_value < 0.05 for x in ours)
        alarms["split"] += any(two_sample_sequence(x, y).p_value < 0.05 for x, y in zip(ours, theirs, strict=True))
        dealt = np.cumsum(rng.binomial(per_look, 0.1, looks))
        ratios = ({"a": int(k - d), "b": int(d)} for k, d in zip(n, dealt, strict=True))
        alarms["ratio"] += any(sample_ratio(c, {"a": 9, "b": 1}).p_value < 0.05 for c in ratios)
    return {name: count / runs for name, count in alarms.items()}


def test_peeking_at_equal_models_stays_within_alpha():
    assert max(false_alarms(runs=60, looks=50, per_look=40, seed=1).values()) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_ten_thousand_runs_of_a_hundred_peeks_stay_within_alpha():
    found = false_alarms(runs=10_000, looks=100, per_look=40, seed=2)
    print(found)

    assert max(found.values()) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 10_000)


def test_a_split_of_52_to_48_is_flagged_and_50_to_50_is_not():
    assert sample_ratio({"a": 10_400, "b": 9_600}, {"a": 1, "b": 1}).p_value < 0.001
    assert sample_ratio({"a": 10_010, "b": 9_990}, {"a": 1, "b": 1}).p_value > 0.5


def test_an_arm_of_weight_zero_is_left_out_of_the_ratio():
    with_zero = sample_ratio({"a": 480, "b": 520, "c": 0}, {"a": 1, "b": 1, "c": 0})

    assert with_zero == sample_ratio({"a": 480, "b": 520}, {"a": 1, "b": 1})


def test_nothing_dealt_is_no_mismatch():
    assert sample_ratio({}, {"a": 1, "b": 1}).p_value == 1.0
