"""Asymptotic confidence sequences: agreement, start rules, symmetry, awkward numbers."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from flows.stats.moments import CoMoments
from flows.stats.sequential.arms import arms, effective_events
from flows.stats.sequential.asymptotic import (
    MIN_PAIRED,
    paired_sequence,
    relative_sequence,
    two_sample_sequence,
    unit_paired_sequence,
    unit_relative_sequence,
    unit_sequence,
)
from flows.stats.sequential.losses import loss_difference_sequence
from flows.stats.sequential.mixture import log_p, radius, tuning
from flows.stats.sequential.msprt import msprt

sizes = st.integers(30, 100_000)
means = st.floats(0.01, 100)
spreads = st.floats(0.01, 100)


def mixed(z: float, n: float, rho2: float) -> float:
    """Likelihood ratio mixed over a normal drift, by quadrature."""
    total = z * math.sqrt(n)
    peak = total / (n + 1 / rho2)

    def density(drift: float) -> float:
        return math.exp(drift * total - drift**2 * (n + 1 / rho2) / 2) / math.sqrt(2 * math.pi * rho2)

    return quad(density, peak - 12 / math.sqrt(n), peak + 12 / math.sqrt(n), epsabs=0, epsrel=1e-12)[0]


@pytest.mark.parametrize(("n", "tuned_to", "alpha"), [(500, 500, 0.05), (40, 500, 0.05), (10_000, 100, 0.01)])
def test_boundary_and_p_value_are_the_mixture_integrated(n, tuned_to, alpha):
    rho2 = tuning(alpha, tuned_to)
    z = brentq(lambda z: math.log(mixed(z, n, rho2)) + math.log(alpha), 0.1, 30)

    assert float(radius(1.0, n, alpha=alpha, tuned_to=tuned_to)) == pytest.approx(z, rel=1e-9)
    assert float(log_p(z**2, n, alpha=alpha, tuned_to=tuned_to)) == pytest.approx(math.log(alpha), rel=1e-9)


def test_the_boundary_is_the_one_of_confseq():
    # confseq, uniform_boundaries_unittest.cpp: TwoSidedNormalMixture(100, .05).
    assert 1 / tuning(0.05, 100) == pytest.approx(12.60056, abs=1e-5)
    assert 10 * float(radius(1.0, 100, alpha=0.05, tuned_to=100)) == pytest.approx(30.35209, abs=1e-5)
    log_e = 0.5 * 1.0**2 * 100 / 112.60056 - 0.5 * math.log(112.60056 / 12.60056)
    assert log_e == pytest.approx(-0.6510052, abs=1e-5)
    assert float(log_p(1.0, 100, alpha=0.05, tuned_to=100)) == 0.0


def test_the_margin_is_the_one_of_drconfseq():
    # drconfseq, std_conjmix_margin(t, rho2, alpha), as printed there.
    t, rho2 = 250.0, tuning(0.05, 400)
    margin = math.sqrt(2 * (t * rho2 + 1) * math.log(math.sqrt(t * rho2 + 1) / 0.05) / (t**2 * rho2))

    assert paired_sequence((250, 0.0, 249.0), tuned_to=400).high == pytest.approx(margin, rel=1e-12)


def test_even_arms_have_the_error_of_welch_at_the_time_of_one_arm():
    error, time = arms(400, 2.0, 400, 0.5, 1.25)

    assert (float(error), float(time)) == pytest.approx((math.sqrt(2.5 / 400), 400))


@given(sizes, sizes, spreads, spreads)
def test_the_error_is_at_least_welchs_and_at_most_the_pooled_one_beyond(n1, n2, v1, v2):
    pooled = ((n1 - 1) * v1 + (n2 - 1) * v2) / (n1 + n2 - 2)
    error, _ = arms(n1, v1, n2, v2, pooled)
    welch, other = v1 / n1 + v2 / n2, pooled * (1 / n1 + 1 / n2)

    assert welch * (1 - 1e-12) <= float(error) ** 2 <= max(welch, other) * (1 + 1e-12)
    if max(n1, n2) <= 1.25 * min(n1, n2):
        assert float(error) ** 2 == pytest.approx(welch, rel=1e-12)


@given(sizes, st.floats(-10, 10), spreads, st.integers(1, 10**6))
def test_with_known_variance_the_msprt_is_the_same_test(n, mean, variance, tuned_to):
    assume(n >= MIN_PAIRED)
    seen = paired_sequence((n, mean, variance * (n - 1)), tuned_to=tuned_to)
    other = msprt(mean, math.sqrt(variance / n), prior=math.sqrt(tuning(0.05, tuned_to) * variance))

    assert (seen.low, seen.high) == pytest.approx((other.low, other.high), rel=1e-9, abs=1e-9)
    assert seen.log_p == pytest.approx(other.log_p, rel=1e-9, abs=1e-9)


@given(sizes, sizes, means, means, spreads, spreads)
def test_interval_and_p_value_agree_on_both_scales(n1, n2, a, b, v1, v2):
    for function in (two_sample_sequence, relative_sequence):
        seen = function((n1, a, v1 * (n1 - 1)), (n2, b, v2 * (n2 - 1)))
        assume(abs(seen.log_p - math.log(0.05)) > 1e-9)

        assert (seen.low > 0 or seen.high < 0) == (seen.p_value < 0.05)
        assert seen.low <= seen.estimate <= seen.high


@given(sizes, sizes, means, means, spreads, spreads)
def test_swapping_the_arms_inverts_the_ratio(n1, n2, a, b, v1, v2):
    ours, theirs = (n1, a, v1 * (n1 - 1)), (n2, b, v2 * (n2 - 1))
    there, back = relative_sequence(ours, theirs), relative_sequence(theirs, ours)
    assume(math.isfinite(there.high))

    assert there.log_p == pytest.approx(back.log_p, rel=1e-9, abs=1e-12)
    assert 1 + there.low == pytest.approx(1 / (1 + back.high), rel=1e-9)


@given(sizes, sizes, means, means, spreads, spreads, st.floats(0.001, 1000))
def test_the_unit_of_the_values_changes_no_p_value(n1, n2, a, b, v1, v2, unit):
    for function in (two_sample_sequence, relative_sequence):
        plain = function((n1, a, v1 * (n1 - 1)), (n2, b, v2 * (n2 - 1)))
        scaled = function((n1, unit * a, unit**2 * v1 * (n1 - 1)), (n2, unit * b, unit**2 * v2 * (n2 - 1)))

        assert scaled.log_p == pytest.approx(plain.log_p, rel=1e-6, abs=1e-9)


@given(sizes, sizes, st.floats(-5, 5), st.floats(-5, 5), spreads, spreads, st.floats(-1000, 1000))
def test_an_offset_changes_no_difference(n1, n2, a, b, v1, v2, offset):
    plain = two_sample_sequence((n1, a, v1 * (n1 - 1)), (n2, b, v2 * (n2 - 1)))
    moved = two_sample_sequence((n1, a + offset, v1 * (n1 - 1)), (n2, b + offset, v2 * (n2 - 1)))

    assert (moved.low, moved.high) == pytest.approx((plain.low, plain.high), rel=1e-6, abs=1e-6)


def test_an_offset_of_a_hundred_million_keeps_five_digits():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=500), rng.normal(0.3, 1, 500)
    parts = [[(500, float(v.mean()), float(((v - v.mean()) ** 2).sum())) for v in (x + c, y + c)] for c in (0, 1e8)]
    plain, moved = (two_sample_sequence(*part) for part in parts)

    assert moved.log_p == pytest.approx(plain.log_p, rel=1e-5)


def test_the_wider_the_tuning_is_off_the_wider_the_interval():
    at = [paired_sequence((500, 0.0, 499.0), tuned_to=t).high for t in (50, 500, 5000)]

    assert at[1] < min(at[0], at[2])


def test_a_tiny_p_value_is_never_zero():
    seen = two_sample_sequence((10**6, 0.0, 10**6 - 1.0), (10**6, 1.0, 10**6 - 1.0), tuned_to=10**6)

    assert seen.p_value > 0
    assert seen.log_p < -200_000


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        (paired_sequence((0, 0.0, 0.0)), "fewer than 100 differences"),
        (paired_sequence((99, 5.0, 1.0)), "fewer than 100 differences"),
        (paired_sequence((500, 0.0, 0.0)), "no variance"),
        (two_sample_sequence((0, 0.0, 0.0), (1, 1.0, 0.0)), "fewer than 30 values in an arm"),
        (two_sample_sequence((30, 0.0, 0.0), (30, 1.0, 0.0)), "no variance"),
        (relative_sequence((100, 0.0, 1.0), (100, 1.0, 1.0)), "champion's mean is not positive"),
        (relative_sequence((100, 1.0, 1.0), (100, -1.0, 1.0)), "challenger's mean is not positive"),
        (relative_sequence((1000, 0.5, 250.0), (1000, 0.004, 3.984)), "challenger's mean rests on fewer than 5"),
        (unit_paired_sequence(CoMoments(0, 0.0, 0.0, 0.0, 0.0, 0.0)), "keys has fewer than 20 effective keys"),
        (unit_sequence(*[CoMoments(1, 1.0, 1.0, 0.0, 0.0, 0.0)] * 2), "champion has fewer than 20 effective keys"),
        (unit_paired_sequence(CoMoments(500, 0.0, 1.0, 0.0, 1.0, 0.0)), "keys has fewer than 20 effective keys"),
    ],
)
def test_too_little_is_said_to_be_too_little(seen, note):
    assert note in seen.note
    assert (seen.low, seen.high, seen.p_value, seen.log_p) == (-math.inf, math.inf, 1.0, 0.0)
    assert math.isfinite(seen.estimate)


def test_an_arm_without_events_is_judged_on_the_absolute_scale():
    seen = two_sample_sequence((19_000, 0.02, 372.4), (1000, 0.0, 0.0))

    assert seen.high < 0
    assert seen.p_value < 0.05


def test_zeros_and_ones_have_as_many_effective_events_as_ones():
    assert effective_events(50, 0.1, 0.09 * 50 / 49) == pytest.approx(5)
    assert effective_events(0, 0.0, 0.0) == 0.0


def test_requests_of_one_key_each_are_requests():
    rng = np.random.default_rng(2)
    sides = rng.exponential(size=(2, 400))
    plain = [(400, float(v.mean()), float(((v - v.mean()) ** 2).sum())) for v in sides]
    keys = [CoMoments(400, 1.0, mean, 0.0, m2, 0.0) for _, mean, m2 in plain]

    assert unit_sequence(*keys).low == pytest.approx(two_sample_sequence(*plain).low, rel=1e-12)
    assert unit_relative_sequence(*keys).low == pytest.approx(relative_sequence(*plain).low, rel=1e-12)
    assert unit_paired_sequence(keys[0]).low == pytest.approx(paired_sequence(plain[0]).low, rel=1e-12)


def test_a_ratio_over_keys_has_the_error_of_its_residuals():
    rng = np.random.default_rng(3)
    x = 1.0 + rng.poisson(3, 500)
    y = 0.3 * x + rng.normal(size=500)
    found = CoMoments(
        500,
        float(x.mean()),
        float(y.mean()),
        float(((x - x.mean()) ** 2).sum()),
        float(((y - y.mean()) ** 2).sum()),
        float(((x - x.mean()) * (y - y.mean())).sum()),
    )
    seen = unit_paired_sequence(found)
    residuals = (y - seen.estimate * x) / x.mean()
    error = float(residuals.std(ddof=1)) / math.sqrt(500)

    assert seen.estimate == pytest.approx(y.sum() / x.sum())
    assert seen.high - seen.estimate == pytest.approx(float(radius(error, 500, alpha=0.05, tuned_to=500)), rel=1e-9)


def test_losses_with_bounds_are_bet_on_and_without_are_asymptotic():
    rng = np.random.default_rng(4)
    ours, theirs = rng.beta(2, 8, 600), rng.beta(2, 8, 600) * 0.7
    exact, near = loss_difference_sequence(ours, theirs, bounds=(0, 1)), loss_difference_sequence(ours, theirs)

    assert exact.estimate == pytest.approx(float(np.mean(ours - theirs)))
    assert 0 < exact.low < near.low < near.high < exact.high
    assert loss_difference_sequence([], []).note.startswith("fewer than 100")
    with pytest.raises(ValueError, match=r"champion has 1 of 2 values outside of \[-1, 0\]"):
        loss_difference_sequence([0.5, 1.5], [0.5, 0.5], bounds=(0, 1))


def test_nonsense_is_refused_in_words():
    with pytest.raises(ValueError, match="tuned_to is 0"):
        paired_sequence((500, 0.0, 1.0), tuned_to=0)
    with pytest.raises(ValueError, match="alpha is 1"):
        paired_sequence((500, 0.0, 1.0), alpha=1)
    with pytest.raises(ValueError, match="co of champion is 5"):
        unit_sequence(*[CoMoments(500, 1.0, 1.0, 1.0, 1.0, 5.0)] * 2)
    with pytest.raises(ValueError, match="mean of challenger is nan"):
        two_sample_sequence((500, 0.0, 1.0), (500, math.nan, 1.0))
    with pytest.raises(ValueError, match="error is 0"):
        msprt(0.1, 0.0, prior=1.0)
    with pytest.raises(ValueError, match="estimate is nan"):
        msprt(math.nan, 1.0, prior=1.0)


def moments(n: int, total: float, squares: float) -> tuple[int, float, float]:
    return n, total / n, squares - total**2 / n


def test_the_answer_is_the_one_of_gbstats():
    # gbstats 0.8.0, SequentialTwoSidedTTest, absolute, tuning parameter 1000; it counts both arms, so twice ours.
    seen = two_sample_sequence(
        moments(3000, 1396.87, 52377.9767), moments(3000, 2422.7, 134698.29), alpha=0.05, tuned_to=500
    )

    assert (seen.low, seen.high) == pytest.approx((-0.11273522706142353, 0.7966218937280902), rel=1e-9)
    assert seen.p_value == pytest.approx(0.42710613359565497, rel=1e-9)


def test_at_a_nearly_even_split_it_differs_from_gbstats_by_the_information_time_only():
    # As above, ProportionStatistic, tuning parameter 5000.
    seen = two_sample_sequence(moments(3000, 1396, 1396), moments(3461, 2422, 2422), tuned_to=2500)

    assert (seen.low, seen.high) == pytest.approx((0.19804879693925878, 0.2708800290262618), abs=3e-6)
    assert seen.log_p == pytest.approx(math.log(6.300128463364954e-76), rel=2e-3)


def test_before_it_can_bound_anything_the_estimate_by_key_is_that_of_the_rows():
    ours, theirs = CoMoments.of([1.0] * 200, [0.4] * 200), CoMoments.of([1.0] * 5, [0.3, 0.5, 0.2, 0.4, 0.1])
    found = unit_sequence(ours, theirs)

    assert found.estimate == pytest.approx(-0.1)
    assert (found.low, found.p_value) == (-math.inf, 1.0)
