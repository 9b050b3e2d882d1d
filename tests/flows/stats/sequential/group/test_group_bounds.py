"""Group sequential bounds against published tables, other software, and a slow recursion."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from flows.stats.sequential.group.bounds import (
    MAX_BOUND,
    constant_shape,
    efficacy_bounds,
    exits,
    fixed_bounds,
    last_bound,
    walked,
)
from flows.stats.sequential.group.spending import hwang_shih_decani, obrien_fleming, pocock, power_family


def equal(looks: int):
    return np.arange(1, looks + 1) / looks


spendings = st.sampled_from([obrien_fleming(), pocock(), power_family(3), hwang_shih_decani(-2), power_family(1)])
gaps = st.lists(st.floats(0.02, 1), min_size=1, max_size=12)


def as_times(steps):
    times = np.cumsum(steps)
    return times / times[-1]


# ------------------------------------------------------------------ other software and tables


def test_ldbounds_obrien_fleming_type_of_five_looks():
    # R ldbounds, ldBounds(5); Reboussin et al. (2000), Control. Clin. Trials 21:190-207.
    found = efficacy_bounds(equal(5), spending=obrien_fleming())

    assert found == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=6e-5)


def test_lan_demets_pocock_type_of_five_looks():
    # Jennison and Turnbull (2000), and R ldbounds, ldBounds(5, iuse = 2).
    found = efficacy_bounds(equal(5), spending=pocock())

    assert found == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=6e-4)


def test_ldbounds_power_family_on_beta_blocker_heart_attack_trial():
    # R ldbounds, example of ldBounds, time scales both of the calendar: 2.53, 2.61, 2.57, 2.47, 2.43, 2.38.
    times = [0.2292, 0.3333, 0.4375, 0.5833, 0.7083, 0.8333]

    found = efficacy_bounds(times, spending=power_family(1))

    assert found == pytest.approx([2.53, 2.61, 2.57, 2.47, 2.43, 2.38], abs=6e-3)


def test_gsdesign_defaults():
    # gsDesign(): alpha 0.025, sfHSD gamma -4, three looks.
    found = efficacy_bounds(equal(3), alpha=0.025, sided=1, spending=hwang_shih_decani(-4))

    assert found == pytest.approx([3.010739, 2.546531, 1.999226], abs=1e-6)


@pytest.mark.parametrize(
    ("times", "alpha", "spending", "expected"),
    [
        # rpact, tests/testthat/test-f_design_group_sequential.R
        ([0.2, 0.4, 1.0], 0.03, hwang_shih_decani(0), [2.5121443, 2.4228747, 2.0280392]),
        ([0.2, 0.4, 1.0], 0.07, hwang_shih_decani(-1), [2.364813, 2.1928805, 1.5660474]),
        ([0.3, 0.7, 1.0], 0.03, power_family(2.2), [2.8594012, 2.2435708, 1.9735737]),
        ([0.35, 0.7, 1.0], 0.13, pocock(), [1.5446617, 1.4828682, 1.4620058]),
        ([0.4, 0.7], 0.025, pocock(), [2.223875, 2.3050796]),
        ([0.4, 0.75, 1.0], 0.13, obrien_fleming(), [2.1280732, 1.4368565, 1.2468994]),
        ([0.4, 0.75, 0.85, 1.0], 0.13, obrien_fleming(), [2.1280732, 1.4368565, 1.422873, 1.2970881]),
    ],
)
def test_rpact_one_sided_spending(times, alpha, spending, expected):
    found = efficacy_bounds(times, alpha=alpha, sided=1, spending=spending)

    assert found == pytest.approx(expected, abs=2e-7)


def test_rpact_wang_tsiatis():
    one = constant_shape([0.2, 0.5, 1.0], shape=0.3, alpha=0.025, sided=1)
    two = constant_shape([0.3, 0.8, 1.0], shape=0.24, alpha=0.025, sided=2)

    assert one == pytest.approx([2.8688923, 2.3885055, 2.0793148], abs=3e-7)
    assert two == pytest.approx([3.2029374, 2.4819703, 2.3420706], abs=3e-7)
    # rpact optimises the shape to 0.39, 0.48 and 0.18 and prints these.
    assert constant_shape([0.3, 0.8, 1.0], shape=0.39, alpha=0.025, sided=1) == pytest.approx(
        [2.4761792, 2.2229286, 2.1690292], abs=3e-7
    )
    assert constant_shape([0.3, 0.6, 0.8, 1.0], shape=0.48, alpha=0.025) == pytest.approx(
        [2.6416137, 2.6052458, 2.5902992, 2.5787648], abs=3e-7
    )


@pytest.mark.parametrize(
    ("looks", "flat", "steep"),
    [
        (2, 2.178, 1.977),
        (3, 2.289, 2.004),
        (4, 2.361, 2.024),
        (5, 2.413, 2.040),
        (10, 2.555, 2.087),
        (20, 2.672, 2.126),
    ],
)
def test_jennison_and_turnbull_tables_2_1_and_2_3(looks, flat, steep):
    assert constant_shape(equal(looks), shape=0.5)[-1] == pytest.approx(flat, abs=6e-4)
    assert constant_shape(equal(looks), shape=0.0)[-1] == pytest.approx(steep, abs=6e-4)


def test_rpact_haybittle_peto():
    assert last_bound(equal(4), [3, 3, 3], alpha=0.025, sided=1) == pytest.approx(1.9827514, abs=2e-7)
    with pytest.raises(ValueError, match=r"earlier bounds use up alpha 0\.05"):
        last_bound(equal(2), [1.0])


def test_spotify_confidence_pins_8_where_the_bound_is_5_3215():
    # Its tests/frequentist/test_bounds.py, test_many_days: first looks of 201; one bound per side.
    times = [0.0016169976338740648, 0.0057857955498163615, 0.012200379088315757, 0.020199591701142824]

    found = efficacy_bounds(times, alpha=0.003333333, spending=power_family(2))

    assert found[0] == pytest.approx(5.75400023, abs=1e-7)
    assert found[1] == pytest.approx(5.3215, abs=5e-5)
    # Its next two (5.147, 4.915) are as wrong: it stops searching at an error of 1e-7 in probability.
    assert found[2:] == pytest.approx([5.0744104, 4.9115752], abs=1e-6)


def test_spotify_confidence_bounds_when_samples_run_over():
    # Its test_seq_bounds_run_over: 250, 450, 630, 810 of 300 expected; adjusted alphas to 1e-4.
    n = np.array([250, 450, 630, 810])

    bounds = efficacy_bounds(n / n[-1], alpha=0.01, spending=power_family(2))

    assert 2 * stats.norm.sf(bounds) == pytest.approx([0.00095, 0.00241, 0.00410, 0.00636], abs=1e-4)


# ------------------------------------------------------------------ an independent recursion


def simpson_crossing(times, bounds, *, sided: int, steps: int) -> list[float]:
    """Jennison and Turnbull (2000), 19.2: sub-densities of z by Simpson's rule; upper exits."""
    found, grid, mass = [], np.zeros(1), np.ones(1)
    before = 0.0
    for now, bound in zip(times, bounds, strict=True):
        gap = math.sqrt(now - before)
        found.append(float(mass @ special.ndtr(-(bound * math.sqrt(now) - grid * math.sqrt(before)) / gap)))
        points = np.linspace(-bound if sided == 2 else -9.0, bound, 2 * steps + 1)
        weights = np.full(points.size, 2.0)
        weights[1::2], weights[[0, -1]] = 4.0, 1.0
        weights *= (points[1] - points[0]) / 3
        z = (points[:, None] * math.sqrt(now) - grid[None, :] * math.sqrt(before)) / gap
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * math.sqrt(now) / gap
        grid, mass, before = points, weights * (density @ mass), now
    return found


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("spending", [obrien_fleming(), pocock(), hwang_shih_decani(-2)])
def test_a_slow_simpson_recursion_finds_what_was_to_be_spent(spending, sided):
    times = np.array([0.03, 0.1, 0.11, 0.3, 0.55, 0.8, 0.85, 1.0])
    level = 0.05 / sided

    bounds = efficacy_bounds(times, spending=spending, sided=sided)

    spent = np.cumsum(simpson_crossing(times, bounds, sided=sided, steps=600))
    assert spent == pytest.approx(np.exp(spending.log_spent(times, math.log(level))), abs=1e-9)


@pytest.mark.parametrize("sided", [1, 2])
def test_thirty_looks_agree_with_the_slow_recursion_within_1e_9(sided):
    bounds = efficacy_bounds(equal(30), spending=power_family(2), sided=sided)

    spent = np.cumsum(simpson_crossing(equal(30), bounds, sided=sided, steps=750 // sided))
    assert spent == pytest.approx(0.05 / sided * equal(30) ** 2, abs=1e-9)


def test_a_long_gap_after_looks_close_together_is_as_exact():
    times = np.array([0.2, 0.2003, 0.2009, 1.0])

    bounds = efficacy_bounds(times, spending=pocock())

    spent = np.cumsum(simpson_crossing(times, bounds, sided=2, steps=1000))
    assert spent == pytest.approx(0.025 * np.log(1 + (math.e - 1) * times), abs=1e-9)


# ------------------------------------------------------------------ tiny error rates


def log_second_crossing(times, first: float, second: float) -> float:
    """Log of P(z1 < first, z2 >= second) by adaptive quadrature, scaled by the largest integrand."""
    t, u = times
    root = math.sqrt(u - t)

    def log_integrand(z):
        step = (second * math.sqrt(u) - z * math.sqrt(t)) / root
        return stats.norm.logpdf(z) + special.log_ndtr(-step)

    peak = min(second * math.sqrt(t / u), first)
    top = log_integrand(peak)
    inside = integrate.quad(
        lambda z: math.exp(log_integrand(z) - top), peak - 12, first, epsabs=0, epsrel=1e-12, limit=200, points=[peak]
    )
    return top + math.log(inside[0])


@pytest.mark.parametrize("times", [(0.01, 0.02), (0.005, 0.006), (0.002, 0.01), (0.004, 0.3)])
def test_looks_that_may_spend_hardly_anything_are_exact_on_the_log_scale(times):
    spending = obrien_fleming()

    first, second = efficacy_bounds(times, spending=spending)

    early, late = spending.log_spent(times, math.log(0.025))
    assert early < -200
    assert special.log_ndtr(-first) == pytest.approx(early, rel=1e-12)
    assert log_second_crossing(times, first, second) == pytest.approx(
        late + math.log1p(-math.exp(early - late)), rel=1e-10
    )


def test_a_bound_beyond_the_cap_is_the_cap_and_never_infinite():
    times = (1e-6, 1e-5, 2e-4, 0.1, 1.0)

    looks = walked(times, times, math.log(0.025), 2, obrien_fleming())

    assert looks.high[:2] == (MAX_BOUND, MAX_BOUND)
    assert looks.high[2] == MAX_BOUND
    assert looks.high[3] == pytest.approx(efficacy_bounds([0.1, 1.0], spending=obrien_fleming())[0], abs=1e-12)
    assert looks.log_spent[-1] == pytest.approx(math.log(0.025), abs=1e-12)


def test_a_look_after_all_is_spent_has_the_cap():
    found = efficacy_bounds([0.5, 1.0, 1.2], spending=obrien_fleming())

    assert found[2] == MAX_BOUND


# ------------------------------------------------------------------ laws


@settings(max_examples=40, deadline=None)
@given(gaps, spendings, st.sampled_from([1, 2]), st.floats(1e-4, 0.2))
def test_what_is_spent_adds_up_to_alpha(steps, spending, sided, alpha):
    times = tuple(map(float, as_times(steps)))

    looks = walked(times, times, math.log(alpha / sided), sided, spending)

    up = [chance for chance, _ in exits(looks)]
    assert math.fsum(up) == pytest.approx(alpha / sided, rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(gaps, spendings, st.floats(0.01, 100))
def test_the_unit_of_information_is_of_no_account(steps, spending, unit):
    times = as_times(steps)

    assert efficacy_bounds(times * unit, spending=spending, spent_at=times) == pytest.approx(
        efficacy_bounds(times, spending=spending), rel=1e-9
    )


@settings(max_examples=30, deadline=None)
@given(gaps, spendings)
def test_bounds_never_fall_below_those_of_a_single_look(steps, spending):
    found = efficacy_bounds(as_times(steps), spending=spending)

    assert np.all(found >= stats.norm.isf(0.025) - 1e-9)


@settings(max_examples=20, deadline=None)
@given(gaps, spendings)
def test_bounds_so_far_do_not_depend_on_looks_to_come(steps, spending):
    times = as_times([*steps, 0.5])

    assert efficacy_bounds(times[:-1], spending=spending) == pytest.approx(
        efficacy_bounds(times, spending=spending)[:-1], rel=1e-10
    )


def test_the_sum_of_all_exits_is_one_under_every_drift():
    for drift in (-5.0, 0.0, 0.7, 3.0, 12.0):
        bounds = constant_shape(equal(6), shape=0.2)
        looks = fixed_bounds(equal(6), -bounds, bounds)
        middle = looks._replace(high=(*looks.high[:-1], 0.4), low=(*looks.low[:-1], 0.4))

        assert math.fsum(up + down for up, down in exits(middle, drift)) == pytest.approx(1.0, abs=1e-11)


def test_swapping_the_arms_swaps_the_exits():
    bounds = efficacy_bounds(equal(7), spending=pocock())
    looks = fixed_bounds(equal(7), -bounds, bounds)

    there, back = exits(looks, 1.3), exits(looks, -1.3)

    assert np.array(there) == pytest.approx(np.array(back)[:, ::-1], rel=1e-12)


def test_a_thousand_looks_are_finite_and_a_little_above_a_hundred():
    hundred = efficacy_bounds(equal(100), spending=obrien_fleming())[-1]

    thousand = efficacy_bounds(equal(1000), spending=obrien_fleming())

    assert np.all(np.isfinite(thousand))
    assert hundred < thousand[-1] < 2.2414  # the reflection principle's bound for looking all the time


def test_looks_very_close_together_keep_the_error_rate():
    times = (0.5, 0.50001, 0.6, 0.600013, 1.0)

    assert np.all(np.isfinite(efficacy_bounds(times, spending=pocock())))
    looks = walked(times, times, math.log(0.025), 2, pocock())

    assert math.fsum(up for up, _ in exits(looks)) == pytest.approx(0.025, rel=1e-10)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize("times", [[0.5, 0.5], [0.5, 0.4], [0.0, 1.0], [-0.1, 1.0], [], [0.5, 0.5000001]])
def test_times_that_do_not_grow_are_refused(times):
    with pytest.raises(ValueError, match=r"times: \d of \d looks do not add to the information"):
        efficacy_bounds(times, spending=pocock())


def test_times_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="times has 1 of 2 values that are NaN or infinite"):
        efficacy_bounds([0.5, math.nan], spending=pocock())


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([-2.0], [2.0, 2.0], "2 looks have 1 low and 2 high bounds"),
        ([-2.0, 3.0], [2.0, 2.0], "low is above high, or no number, at 1 of 2 looks"),
        ([-2.0, math.nan], [2.0, 2.0], "low is above high, or no number, at 1 of 2 looks"),
        ([-2.0, -2.0], [2.0, math.inf], "high has 1 of 2 values that are NaN or infinite"),
    ],
)
def test_bounds_that_make_no_region_are_refused(low, high, message):
    with pytest.raises(ValueError, match=message):
        fixed_bounds([0.5, 1.0], low, high)


def test_wang_tsiatis_shapes_above_pocock_and_times_of_nothing():
    high = constant_shape(equal(4), shape=0.8)

    assert fixed_bounds(equal(4), -high, high).log_spent[-1] == pytest.approx(math.log(0.025), abs=1e-10)
    with pytest.raises(ValueError, match="times: 1 of 2 looks"):
        constant_shape([0.0, 1.0], shape=0.0)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha is"):
        efficacy_bounds([0.5, 1.0], spending=pocock(), alpha=alpha)


def test_three_sides_are_refused():
    with pytest.raises(ValueError, match="sided is 3; give 1 or 2"):
        efficacy_bounds([0.5, 1.0], spending=pocock(), sided=3)


# ------------------------------------------------------------------ speed


@pytest.mark.parametrize(("looks", "limit"), [(30, 0.1), (100, 1.0)])
def test_bounds_are_found_in_time(looks, limit):
    taken = []
    for repeat in range(3):
        start = time.perf_counter()
        efficacy_bounds(equal(looks), spending=obrien_fleming(), alpha=0.05 + repeat * 1e-6)
        taken.append(time.perf_counter() - start)

    assert min(taken) <= limit
