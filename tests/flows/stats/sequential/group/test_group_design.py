"""What a design promises, against rpact, gsDesign and printed tables; and its plans."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flows.stats.planning.group import (
    group_discordant,
    group_means,
    group_paired_means,
    group_plan,
    group_proportions,
)
from flows.stats.planning.means import two_means_n
from flows.stats.sequential.group.bounds import constant_shape, exits, fixed_bounds
from flows.stats.sequential.group.design import (
    GroupDesign,
    boundaries,
    drift_needed,
    inflation,
    operating,
    planned,
)
from flows.stats.sequential.group.futility import with_futility
from flows.stats.sequential.group.spending import hwang_shih_decani, obrien_fleming, pocock, power_family


def equal(looks: int):
    return tuple(float(k) for k in np.arange(1, looks + 1) / looks)


GSDESIGN = GroupDesign(
    horizon=1,
    alpha=0.025,
    sided=1,
    power=0.9,
    fractions=equal(3),
    spending=hwang_shih_decani(-4),
    futility=hwang_shih_decani(-2),
)


def test_gsdesign_defaults():
    # gsDesign(): n.I 1.069883, E{N} under H0 and H1, and crossing probabilities as printed.
    plan = boundaries(GSDESIGN)

    assert plan.efficacy == pytest.approx([3.0107, 2.5465, 1.9992], abs=6e-5)
    assert plan.futility == pytest.approx([-0.2387, 0.9411, 1.9992], abs=6e-5)
    assert inflation(GSDESIGN) == pytest.approx(1.0699, abs=6e-5)
    null, planned = operating(GSDESIGN, 0.0), operating(GSDESIGN, drift_needed(GSDESIGN))
    assert null.expected * inflation(GSDESIGN) == pytest.approx(0.6249, abs=6e-5)
    assert planned.expected * inflation(GSDESIGN) == pytest.approx(0.7913, abs=6e-5)
    assert null.power == pytest.approx(0.0233, abs=6e-5)
    assert planned.power == pytest.approx(0.9, abs=1e-9)


@pytest.mark.parametrize(
    ("design", "shift", "factor", "average", "lower"),
    [
        # rpact, tests/testthat/test-f_design_group_sequential.R: shift, inflationFactor,
        # averageSampleNumber1, 01 and 0, futilityBounds.
        (
            GroupDesign(
                horizon=1, alpha=0.03, sided=1, power=0.86, fractions=(0.2, 0.4, 1.0), spending=hwang_shih_decani(0)
            ),
            9.4594101,
            1.0788327,
            (0.83081135, 1.0142116, 1.0697705),
            (),
        ),
        (
            GroupDesign(
                horizon=1,
                alpha=0.07,
                sided=1,
                power=0.86,
                fractions=(0.2, 0.4, 1.0),
                spending=hwang_shih_decani(-1),
                futility=hwang_shih_decani(-2),
            ),
            7.1015942,
            1.0869177,
            (0.82636428, 0.916142, 0.79471657),
            (-1.1063623, -0.35992439),
        ),
        (
            GroupDesign(
                horizon=1,
                alpha=0.03,
                sided=1,
                power=0.66,
                fractions=(0.3, 0.7, 1.0),
                spending=power_family(2.2),
                futility=power_family(3.2),
            ),
            5.551371,
            1.0555891,
            (0.86740735, 0.87361707, 0.75480974),
            (-1.1558435, 0.72836893),
        ),
    ],
)
def test_rpact_design_characteristics(design, shift, factor, average, lower):
    drift = drift_needed(design)

    assert drift**2 == pytest.approx(shift, rel=2e-7)
    assert inflation(design) == pytest.approx(factor, rel=2e-7)
    for under, expected in zip((drift, drift / 2, 0.0), average, strict=True):
        assert operating(design, under).expected * factor == pytest.approx(expected, rel=2e-7)
    assert boundaries(design).futility[: len(lower)] == pytest.approx(lower, abs=2e-7)


@pytest.mark.parametrize(
    ("fractions", "lower", "power"),
    [
        ((0.4, 0.75, 1.0), [-0.83725762, 0.35992547], [0.10903632, 0.42541278, 0.59]),
        ((0.4, 0.75, 0.85, 1.0), [-0.82676531, 0.3743303, 0.65077266], [0.1110095, 0.43099683, 0.50326205, 0.59]),
    ],
)
def test_rpact_obrien_fleming_type_with_non_binding_futility(fractions, lower, power):
    # rpact, asOF with bsKD gammaB = 2.5, alpha 0.13, beta 0.41.
    design = GroupDesign(
        horizon=1,
        alpha=0.13,
        sided=1,
        power=0.59,
        fractions=fractions,
        spending=obrien_fleming(),
        futility=power_family(2.5),
    )

    assert boundaries(design).futility[:-1] == pytest.approx(lower, abs=2e-7)
    assert operating(design, drift_needed(design)).power == pytest.approx(power[-1], abs=1e-9)


def test_rpact_stage_rejections_of_wang_tsiatis():
    # rpact, test-f_design_plan_means.R: WT 0.3 at 0.2, 0.5, 1; one-sided 0.025, power 0.9.
    high = constant_shape([0.2, 0.5, 1.0], shape=0.3, alpha=0.025, sided=1)
    looks = fixed_bounds([0.2, 0.5, 1.0], [-math.inf] * 3, high)
    drift = 0.3 / 2 * math.sqrt(492.61495)

    ups = [up for up, _ in exits(looks, drift)]

    assert ups == pytest.approx([0.08379162, 0.40937259, 0.40683579], abs=2e-7)


@pytest.mark.parametrize(
    ("looks", "flat", "steep"), [(2, 1.100, 1.007), (3, 1.151, 1.016), (4, 1.183, 1.022), (5, 1.207, 1.026)]
)
def test_jennison_and_turnbull_inflation_tables_2_2_and_2_4(looks, flat, steep):
    # Power 0.9, two-sided 0.05.
    single = stats.norm.isf(0.025) + stats.norm.isf(0.1)
    for shape, printed in ((0.5, flat), (0.0, steep)):
        high = constant_shape(equal(looks), shape=shape)
        bounds = fixed_bounds(equal(looks), -high, high)
        drift = single * math.sqrt(printed)

        assert math.fsum(up for up, _ in exits(bounds, drift)) == pytest.approx(0.9, abs=4e-4)


# The figures that are promised: >= 96 % of the power of one look at <= 76 % of its sample.


@pytest.mark.parametrize(
    ("spending", "looks", "power"),
    [
        (obrien_fleming(), 5, 0.9),
        (obrien_fleming(), 10, 0.9),
        (obrien_fleming(), 20, 0.8),
        (hwang_shih_decani(-2), 5, 0.8),
        (power_family(2), 5, 0.8),
    ],
)
def test_a_horizon_as_long_as_one_look_keeps_96_percent_of_its_power_with_76_percent_of_its_sample(
    spending, looks, power
):
    design = GroupDesign(horizon=1, spending=spending, fractions=equal(looks))

    seen = operating(design, stats.norm.isf(0.025) + stats.norm.isf(1 - power))

    assert seen.power >= 0.96 * power
    assert seen.expected <= 0.76


def test_the_default_design_needs_two_and_a_half_percent_more_than_one_look():
    design = GroupDesign(horizon=1000)

    assert inflation(design) == pytest.approx(1.025, abs=5e-4)
    assert operating(design, 0.0).power + operating(design, 0.0).harm == pytest.approx(0.05, abs=1e-12)


def test_futility_does_not_raise_the_type_one_error_and_saves_when_there_is_no_effect():
    plain = GroupDesign(horizon=1)
    hopeful = replace(plain, futility=obrien_fleming())

    assert boundaries(hopeful).efficacy == boundaries(plain).efficacy
    assert operating(hopeful, 0.0).power < 0.025
    assert operating(hopeful, 0.0).expected < operating(plain, 0.0).expected
    assert drift_needed(hopeful) > drift_needed(plain)


def test_futility_is_never_below_harm_nor_above_efficacy():
    design = GroupDesign(horizon=1, spending=pocock(), futility=obrien_fleming(), fractions=equal(10))
    plan = boundaries(design)

    # O'Brien-Fleming type futility hardly spends at the first look, where Pocock's harm already stops.
    assert plan.futility[0] == -plan.efficacy[0]
    assert all(-up <= low <= up for low, up in zip(plan.futility, plan.efficacy, strict=True))

    looks = planned(design)
    overpowered = with_futility(looks, looks.times, math.log(0.2), 12.0, pocock())
    assert overpowered.low[-1] == overpowered.high[-1]
    assert len(overpowered.low) < 10


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([obrien_fleming(), pocock(), power_family(1.5), hwang_shih_decani(1)]),
    st.sampled_from([None, obrien_fleming(), pocock(), power_family(2)]),
    st.sampled_from([1, 2]),
    st.integers(1, 8),
    st.floats(0.5, 0.99),
)
def test_the_drift_needed_gives_the_power_wanted(spending, futility, sided, looks, power):
    design = GroupDesign(
        horizon=1, spending=spending, futility=futility, sided=sided, fractions=equal(looks), power=power
    )

    seen = operating(design, drift_needed(design))

    assert seen.power == pytest.approx(power, abs=1e-9)
    assert math.fsum(seen.stop) == pytest.approx(1.0, abs=1e-9)
    assert 0 < seen.expected <= 1
    assert inflation(design) >= 1 - 1e-9


def test_one_look_is_the_fixed_test():
    design = GroupDesign(horizon=1, fractions=(1.0,), power=0.9)

    assert boundaries(design).efficacy == pytest.approx([stats.norm.isf(0.025)])
    assert inflation(design) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 0}, "horizon is 0; give the information planned"),
        ({"horizon": math.nan}, "horizon is nan"),
        ({"alpha": 1.0}, "alpha is 1.0; it must lie strictly between 0 and 1"),
        ({"power": 0.04}, "power is 0.04, not above alpha 0.05"),
        ({"sided": 0}, "sided is 0; give 1 or 2"),
        ({"fractions": (0.5, 0.9)}, "fractions end at 0.9; the last planned look is at 1"),
        ({"fractions": (0.5, 0.5, 1.0)}, "fractions: 1 of 3 looks do not add"),
    ],
)
def test_a_design_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        GroupDesign(**{"horizon": 1000, **change})


# ------------------------------------------------------------------ planning


def test_gsdesign_n_fix():
    # gsDesign(n.fix = 100): n.I 35.66, 71.33, 106.99.
    plan = group_plan(100, design=GSDESIGN)

    assert plan.looks == pytest.approx([35.6628, 71.3255, 106.9883], abs=1e-3)
    assert plan.design.horizon == plan.horizon


def test_a_plan_for_means_stretches_the_fixed_sample():
    plan = group_means(0.2, 1.0, ratio=2.0, design=GroupDesign(horizon=1, power=0.9))

    n = two_means_n(0.2, 1.0, ratio=2.0, power=0.9)
    assert plan.fixed == pytest.approx(3 * n)
    assert plan.champion == pytest.approx(n * plan.inflation)
    assert plan.challenger == pytest.approx(2 * plan.champion)
    assert plan.champion + plan.challenger == pytest.approx(plan.horizon)
    assert plan.expected < plan.fixed


def test_paired_plans_have_the_same_rows_on_both_sides():
    for plan in (group_paired_means(0.1, 1.0), group_discordant(0.01, 0.06)):
        assert plan.champion == plan.challenger == plan.horizon


def test_the_horizon_of_rates_gives_the_power_in_theory():
    plan = group_proportions(0.10, 0.12)

    error = math.sqrt(0.10 * 0.90 / plan.champion + 0.12 * 0.88 / plan.challenger)
    assert operating(plan.design, 0.02 / error).power == pytest.approx(0.8, abs=2e-3)


def test_a_fixed_sample_of_nothing_is_refused():
    with pytest.raises(ValueError, match="fixed is 0; it must be above 0"):
        group_plan(0)
