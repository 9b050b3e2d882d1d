"""Sample ratio mismatch: peers' reference values, laws, and what is said of odd input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaln

from flows.stats.integrity.phases import sample_ratio_by_phase
from flows.stats.integrity.srm import sample_ratio

EVEN = {"a": 1.0, "b": 1.0}
whole = st.integers(0, 10**6)


def ratio(counts, weights, **options):
    names = [f"arm {i}" for i in range(len(counts))]
    return sample_ratio(dict(zip(names, counts, strict=True)), dict(zip(names, weights, strict=True)), **options)


@pytest.mark.parametrize(
    ("counts", "weights", "p"),
    [
        # GrowthBook, packages/back-end/test/stats.test.ts and packages/stats/tests
        ([1000, 1200], [0.5, 0.5], 0.000020079),
        ([135, 115], [0.5, 0.5], 0.205903211),
        ([310, 98], [0.75, 0.25], 0.647434186),
        ([1000, 1200, 900], [0.5, 0.5, 0], 0.000020079),
        ([0, 10, 10], [0.34, 0.33, 0.33], 0.005790624),
        ([500, 500, 600], [0.34, 0.33, 0.33], 0.000592638),
        ([505, 500], [0.5, 0.5], 0.874677381),
        ([500, 500], [0.5, 0.5], 1.0),
        ([0, 0, 0], [0.34, 0.33, 0.33], 1.0),
        ([1000, 900, 800], [1, 0, 0], 1.0),
        # Kohavi, Tang, Xu (2020), Trustworthy Online Controlled Experiments, chapter 3: p = 1.8e-6
        ([821_588, 815_482], [1, 1], 0.0000018),
        # tea-tasting, tests/metrics/test_proportion.py: normal approximation without correction
        ([53, 47], [1, 1], 0.5485062355001472),
    ],
)
def test_chi_square_agrees_with_peers(counts, weights, p):
    assert ratio(counts, weights).p_chi2 == pytest.approx(p, abs=5e-10 if p != 0.0000018 else 5e-8)


def test_a_zero_weight_arm_costs_no_degree_of_freedom():
    # gbstats 0.8.0 `check_srm` counts it and gives .6065.
    assert ratio([4950, 5050, 0], [1, 1, 0]).p_chi2 == pytest.approx(0.3173105, abs=5e-8)


def test_three_arms_of_spotify_are_flagged_on_the_third_day_only():
    # spotify-confidence, tests/frequentist/test_srmtest.py: cumulative counts, expected .3 / .3 / .4
    days = [(100, 99, 102), (300, 295, 306), (600, 570, 612)]
    p = [ratio(day, [0.3, 0.3, 0.4]).p_chi2 for day in days]

    assert p == pytest.approx([stats.chisquare(d, np.array([0.3, 0.3, 0.4]) * sum(d)).pvalue for d in days], rel=1e-9)
    assert p[0] > 0.01 > p[2]


@pytest.mark.parametrize(
    ("counts", "weights", "strength", "bayes_factor"),
    [
        # ssrm-test 0.1.5, sequential_bayes_factors(..., dirichlet_concentration=strength)
        ([100, 900], [0.5, 0.5], 10_000, 4223151752822.52),
        ([5200, 4800], [0.5, 0.5], 10_000, 38.62426344650505),
        ([60, 63, 32], [0.4, 0.4, 0.2], 10_000, 0.985463152440032),
        ([5200, 4800], [0.5, 0.5], 1000, 435.20520329940274),
        ([60, 63, 32], [0.4, 0.4, 0.2], 1000, 0.8713637695189864),
        ([19_100, 900], [0.95, 0.05], 1000, 40.23030633412906),
        ([5200, 4800], [0.5, 0.5], 100, 274.13300594618494),
        ([60, 63, 32], [0.4, 0.4, 0.2], 100, 0.40212316609058446),
    ],
)
def test_bayes_factors_agree_with_the_ssrm_package(counts, weights, strength, bayes_factor):
    seen = ratio(counts, weights, strength=strength)

    assert math.exp(seen.log_e) == pytest.approx(bayes_factor, rel=1e-8)
    assert seen.p_value == pytest.approx(min(1.0, 1 / bayes_factor), rel=1e-8)


@given(a=st.integers(0, 5000), b=st.integers(0, 5000), share=st.floats(0.05, 0.95), strength=st.floats(1, 5000))
def test_two_arms_are_a_beta_binomial_bayes_factor(a, b, share, strength):
    if a + b == 0:
        return
    alpha, beta = share * strength, (1 - share) * strength
    direct = betaln(alpha + a, beta + b) - betaln(alpha, beta) - a * math.log(share) - b * math.log1p(-share)

    assert ratio([a, b], [share, 1 - share], strength=strength).log_e == pytest.approx(direct, rel=1e-9, abs=1e-8)


@given(counts=st.lists(whole, min_size=2, max_size=6), data=st.data())
def test_the_order_and_unit_of_the_arms_do_not_matter(counts, data):
    weights = data.draw(st.lists(st.floats(0.01, 100), min_size=len(counts), max_size=len(counts)))
    seen, turned = ratio(counts, weights), ratio(counts[::-1], [3 * w for w in weights[::-1]])

    assert turned.log_e == pytest.approx(seen.log_e, rel=1e-7, abs=1e-7)
    assert turned.log_p_chi2 == pytest.approx(seen.log_p_chi2, rel=1e-7, abs=1e-7)


@given(a=whole, b=whole)
def test_the_interval_of_two_arms_leaves_out_the_plan_exactly_when_it_is_rejected(a, b):
    seen = ratio([a, b], [1, 1])
    if seen.n == 0:
        return
    arm = seen.arms[0]

    assert arm.low <= arm.observed <= arm.high
    if abs(seen.log_p - math.log(0.001)) > 1e-6:
        assert seen.mismatch == (not arm.low <= 0.5 <= arm.high)


def test_the_interval_of_one_of_three_arms_is_the_projection_of_the_joint_set():
    from flows.stats.integrity.multinomial import log_mixture

    counts = np.array([300.0, 250.0, 450.0])
    seen = ratio(counts.astype(int).tolist(), [1, 1, 1], alpha=0.05)
    mixed = log_mixture(counts, np.full(3, 1000 / 3)) + float(np.sum(counts * np.log(counts / 1000)))
    grid = np.linspace(0.001, 0.998, 2001)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    third = 1 - first - second
    with np.errstate(invalid="ignore", divide="ignore"):
        likelihood = counts[0] * np.log(first) + counts[1] * np.log(second) + counts[2] * np.log(third)
        kept = first[(third > 0) & (mixed - likelihood < math.log(20))]

    assert (seen.arms[0].low, seen.arms[0].high) == pytest.approx((kept.min(), kept.max()), abs=1e-3)


def test_p_values_that_underflow_keep_their_logarithm():
    seen = ratio([10**9, 0], [1, 1])

    assert seen.p_value > 0 and seen.p_chi2 > 0
    assert seen.log_p == pytest.approx(-693_140_119.031, rel=1e-9)
    assert seen.log_p_chi2 == pytest.approx(math.log(2) + stats.norm.logsf(math.sqrt(1e9)), rel=1e-9)
    assert (seen.arms[0].high, seen.arms[1].low) == (1.0, 0.0)


def test_a_billion_requests_lose_no_digits():
    # Normal limit of the Bayes factor: z^2/2 n/(n + k) - log((n + k)/k)/2, here to 1e-5.
    n, k = 4_000_000_000, 1000.0
    seen = ratio([n // 2 + 300_000, n // 2 - 300_000], [1, 1])
    z2 = 4 * 300_000**2 / n

    assert seen.log_e == pytest.approx(z2 / 2 * n / (n + k) - math.log((n + k) / k) / 2, abs=1e-3)


def test_an_arm_of_weight_zero_with_requests_is_a_stated_finding():
    seen = sample_ratio({"a": 500, "b": 500, "c": 7}, {"a": 1, "b": 1, "c": 0})

    assert seen.n == 1000
    assert seen.unplanned == (("c", 7),)
    assert "'c' has weight 0 and yet 7 requests" in seen.note


def test_an_arm_that_the_plan_does_not_know_is_named():
    seen = sample_ratio({"a": 500, "b": 500, "typo": 2}, EVEN)

    assert seen.unplanned == (("typo", 2),)
    assert "'typo' is not in the plan" in seen.note


def test_the_worst_arm_is_named():
    seen = sample_ratio({"a": 9000, "b": 480, "c": 520}, {"a": 90, "b": 5, "c": 5})

    assert seen.worst is not None
    assert seen.worst.arm in ("b", "c")
    assert sample_ratio({}, EVEN).worst is None


@pytest.mark.parametrize(
    ("counts", "weights", "said"),
    [({}, EVEN, "no requests"), ({"a": 5}, {"a": 1}, "nothing to compare"), ({"a": 5}, {"a": 0, "b": 0}, "'a' has")],
)
def test_too_little_to_test_is_stated(counts, weights, said):
    seen = sample_ratio(counts, weights)

    assert (seen.p_value, seen.log_p, seen.p_chi2) == (1.0, 0.0, 1.0)
    assert said in seen.note


@pytest.mark.parametrize(
    ("counts", "weights", "options", "said"),
    [
        ({"a": -1, "b": 2}, EVEN, {}, "count of a is -1"),
        ({"a": 1.5, "b": 2}, EVEN, {}, "count of a is 1.5"),
        ({"a": math.nan, "b": 2}, EVEN, {}, "count of a is nan"),
        ({"a": 1, "b": 2}, {"a": math.nan, "b": 1}, {}, "1 of 2 are negative or not finite (a has nan)"),
        ({"a": 1, "b": 2}, {"a": -1, "b": 1}, {}, "1 of 2 are negative"),
        ({"a": 1, "b": 2}, EVEN, {"strength": 0.0}, "strength is 0.0"),
        ({"a": 1, "b": 2}, EVEN, {"alpha": 1.0}, "alpha is 1.0"),
    ],
)
def test_bad_input_is_named(counts, weights, options, said):
    with pytest.raises(ValueError, match=r"is|are") as refusal:
        sample_ratio(counts, weights, **options)
    assert said in str(refusal.value)


def test_phases_with_different_weights_are_no_mismatch_though_their_sum_is():
    tenth = ({"a": 9000, "b": 1000}, {"a": 9, "b": 1})
    half = ({"a": 5000, "b": 5000}, EVEN)
    summed = sample_ratio({"a": 14_000, "b": 6000}, EVEN)

    seen = sample_ratio_by_phase({"10 %": tenth, "50 %": half})

    assert summed.mismatch
    assert not seen.mismatch and seen.finding == "" and seen.n == 20_000


def test_the_broken_phase_and_arm_are_named_after_clean_ones():
    clean = {f"clean {i}": ({"a": 90_000, "b": 10_000}, {"a": 9, "b": 1}) for i in range(4)}
    seen = sample_ratio_by_phase({**clean, "broken": ({"a": 10_600, "b": 9400}, EVEN)})

    assert seen.mismatch
    assert seen.finding.startswith("phase 'broken': arm 'a' got 53.00 %")
    assert [phase.phase for phase in seen.phases if phase.log_p < math.log(0.001)] == ["broken"]


def test_a_small_mismatch_that_persists_adds_up_over_phases():
    phase = ({"a": 5100, "b": 4900}, EVEN)
    alone, together = sample_ratio(*phase), sample_ratio_by_phase(dict.fromkeys("abcdefgh", phase))

    assert not alone.mismatch
    assert together.log_p < alone.log_p


def test_evidence_over_phases_is_half_their_product_and_half_their_weighted_mean():
    one, two = ({"a": 520, "b": 480}, EVEN), ({"a": 70, "b": 30}, {"a": 6, "b": 4})
    e1, e2 = (math.exp(sample_ratio(*phase).log_e) for phase in (one, two))

    seen = sample_ratio_by_phase({"1": one, "2": two})

    assert math.exp(seen.log_e) == pytest.approx(e1 * e2 / 2 + (e1 / 2 + e2 / 6 + 1 / 3) / 2, rel=1e-12)


def test_no_phase_is_no_evidence_and_bad_phases_are_named():
    assert sample_ratio_by_phase({}).p_value == pytest.approx(1.0)
    assert "phase 'x': no requests" in sample_ratio_by_phase({"x": ({}, EVEN)}).note
    with pytest.raises(ValueError, match="phase 'x': count of a is -3"):
        sample_ratio_by_phase({"x": ({"a": -3}, EVEN)})
