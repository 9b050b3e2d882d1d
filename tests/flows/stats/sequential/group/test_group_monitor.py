"""Monitoring: what is decided at the looks really taken."""

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flows.stats.sequential.group.bounds import efficacy_bounds
from flows.stats.sequential.group.design import GroupDesign, boundaries
from flows.stats.sequential.group.monitor import GroupLook, Look, monitor
from flows.stats.sequential.group.spending import obrien_fleming, pocock, power_family

PLAN = GroupDesign(horizon=1000)


def look(n: float, z: float, unit: float = 1.0) -> Look:
    """A look with a given z whose standard error shrinks as it should."""
    error = unit / math.sqrt(n)
    return Look(n, z * error, error)


def test_planned_looks_have_the_planned_bounds():
    plan = boundaries(PLAN)

    for k in range(1, 6):
        seen = monitor(PLAN, [look(200 * j, 0.1) for j in range(1, k + 1)])

        assert seen.bound == pytest.approx(plan.efficacy[k - 1], rel=1e-12)
        assert seen.spent == pytest.approx(plan.spent[k - 1], rel=1e-9)
        assert [bound for _, bound in seen.next_bounds] == pytest.approx(plan.efficacy[k:], rel=1e-12)
        assert seen.finished == (k == 5)


def test_a_look_that_reaches_its_bound_stops_for_efficacy_and_its_mirror_image_for_harm():
    better = monitor(PLAN, [look(200, 1.0), look(600, 2.9)])
    worse = monitor(PLAN, [look(200, -1.0), look(600, -2.9)])

    assert (better.crossed, worse.crossed) == ("efficacy", "harm")
    assert better.finished and worse.finished
    assert (better.low, better.high) == pytest.approx((-worse.high, -worse.low))
    assert better.log_p == pytest.approx(worse.log_p)
    assert 0 < better.estimate < better.observed
    assert better.low > 0


def test_a_bound_is_reached_at_its_value_and_not_below():
    bound = monitor(PLAN, [look(400, 0.0)]).bound

    assert monitor(PLAN, [Look(400, bound, 1.0)]).crossed == "efficacy"
    assert monitor(PLAN, [Look(400, bound * (1 - 1e-9), 1.0)]).crossed is None


@pytest.mark.parametrize("sided", [1, 2])
def test_at_its_bound_the_interval_begins_at_zero(sided):
    # At the first look p is the nominal one; at the last with nothing before, alpha itself.
    design = GroupDesign(horizon=1000, sided=sided, alpha=0.04)

    seen = monitor(design, [look(1000, stats.norm.isf(0.04 / sided) + 1e-9)])

    assert seen.crossed == "efficacy"
    assert seen.low == pytest.approx(0.0, abs=1e-8)
    assert seen.p_value == pytest.approx(0.04, rel=1e-6)


def test_at_the_horizon_there_is_no_futility():
    seen = monitor(GroupDesign(horizon=1000, futility=power_family(2)), [look(500, 1.5), look(1000, -0.5)])

    assert (seen.crossed, seen.futility, seen.finished) == (None, None, True)


def test_a_one_sided_design_never_stops_for_harm():
    seen = monitor(GroupDesign(horizon=1000, sided=1), [look(400, -9.0)])

    assert seen.crossed is None and not seen.finished


def test_while_it_runs_the_interval_is_the_repeated_one():
    seen = monitor(PLAN, [look(200, 1.0), look(400, 2.0)])

    error = 1 / math.sqrt(400)
    assert (seen.low, seen.high) == pytest.approx(((2 - seen.bound) * error, (2 + seen.bound) * error))
    assert seen.p_value > 0.05
    assert seen.nominal_p == pytest.approx(2 * stats.norm.sf(2.0))
    assert "repeated" in seen.method


def test_the_estimate_is_in_the_unit_of_the_metric():
    seen = monitor(PLAN, [look(200, 1.0, 7.0), look(600, 2.9, 7.0)])
    unit = monitor(PLAN, [look(200, 1.0), look(600, 2.9)])

    assert (seen.low, seen.estimate, seen.high) == pytest.approx((7 * unit.low, 7 * unit.estimate, 7 * unit.high))


def test_looks_at_other_times_get_the_bounds_of_those_times():
    n = [130, 455, 770]

    seen = monitor(PLAN, [look(k, 0.5) for k in n])

    assert seen.bound == pytest.approx(efficacy_bounds(np.array(n) / 1000, spending=obrien_fleming())[-1], rel=1e-12)
    assert [fraction for fraction, _ in seen.next_bounds] == [0.8, 1.0]


def test_a_planned_look_that_is_practically_here_is_not_still_to_come():
    assert [fraction for fraction, _ in monitor(PLAN, [look(399.9999, 0.5)]).next_bounds] == [0.6, 0.8, 1.0]


def test_over_running_spends_what_is_left_with_the_information_really_there():
    n = np.array([205.0, 285.0, 393.0])
    design = GroupDesign(horizon=387, alpha=0.025, sided=1, spending=pocock(), fractions=(0.4, 0.7, 1.0))

    seen = monitor(design, [look(k, 0.5) for k in n])

    assert seen.finished and seen.spent == pytest.approx(0.025)
    assert seen.fraction == pytest.approx(393 / 387)
    assert "101.6% of the horizon" in seen.note
    # rpact's way to update: rates by the information reached, alpha spent by the plan.
    assert seen.bound == pytest.approx(
        efficacy_bounds(n / 393, alpha=0.025, sided=1, spending=pocock(), spent_at=[205 / 387, 285 / 387, 1.0])[-1],
        rel=1e-9,
    )


def test_under_running_spends_what_is_left():
    open_still = monitor(PLAN, [look(500, 0.5), look(800, 2.1)])
    last = monitor(PLAN, [look(500, 0.5), look(800, 2.1)], final=True)

    assert open_still.crossed is None and not open_still.finished
    assert last.crossed == "efficacy" and last.finished
    assert last.bound < open_still.bound
    assert last.spent == pytest.approx(0.05)


def test_at_the_horizon_it_is_over_without_a_winner():
    seen = monitor(PLAN, [look(500, 0.5), look(1000, 1.5)])

    assert seen.crossed is None and seen.finished
    assert seen.low < 0 < seen.high
    assert "stagewise" in seen.method
    assert seen.next_bounds == ()


def test_looks_after_the_horizon_or_a_crossing_are_not_used():
    beyond = monitor(PLAN, [look(500, 0.5), look(1000, 1.5), look(1500, 4.0)])
    after = monitor(PLAN, [look(600, 2.9), look(700, 0.0)])

    assert beyond.crossed is None and beyond.n == 1000
    assert "look 2 was at the horizon; 1 later looks are not used" in beyond.note
    assert after.crossed == "efficacy" and after.n == 600
    assert "look 1 reached its bound" in after.note


def test_looks_without_new_information_are_not_counted():
    once = monitor(PLAN, [look(500, 0.5)])
    thrice = monitor(PLAN, [Look(0, 0.0, 0.0), look(500, 0.5), look(500, 0.5), look(500.001, 9.0)])

    assert thrice.bound == once.bound
    assert thrice.look == 1 and thrice.crossed is None
    assert thrice.note == "looks without new information are not counted: 1, 3, 4"


def test_a_thousand_looks_without_labels_cost_nothing():
    idle = [look(300, 0.2)] * 1000

    assert monitor(PLAN, idle).bound == monitor(PLAN, idle[:1]).bound


def test_futility_is_only_looked_at_on_the_last_look():
    design = GroupDesign(horizon=1000, futility=power_family(2))

    hopeless = monitor(design, [look(400, -1.0)])
    went_on = monitor(design, [look(400, -1.0), look(600, 1.5)])

    assert hopeless.crossed == "futility" and hopeless.finished
    assert hopeless.futility == pytest.approx(boundaries(design).futility[1], abs=0.1)
    assert went_on.crossed is None and not went_on.finished


def test_futility_bounds_at_the_planned_looks_are_the_planned_ones():
    design = GroupDesign(horizon=1000, futility=power_family(2))

    for k in range(1, 5):
        seen = monitor(design, [look(200 * j, 1.6) for j in range(1, k + 1)])

        assert seen.futility == pytest.approx(boundaries(design).futility[k - 1], abs=1e-9)


def test_harm_comes_before_futility():
    design = GroupDesign(horizon=1000, futility=power_family(2))

    assert monitor(design, [look(400, -5.0)]).crossed == "harm"


def test_few_degrees_of_freedom_are_judged_by_students_p_value():
    one = GroupDesign(horizon=1000, spending=pocock())
    rough, fine = monitor(one, [(200, 2.6, 1.0)]), monitor(one, [(200, 2.6, 1.0, 9)])

    assert rough.crossed == "efficacy" and fine.crossed is None
    assert stats.norm.sf(fine.z) == pytest.approx(stats.t.sf(2.6, 9), rel=1e-12)
    assert fine.high - fine.estimate == pytest.approx(stats.t.isf(stats.norm.sf(fine.bound), 9))


def test_at_the_first_look_the_interval_is_students():
    # z is the quantile of Student's p-value, so the limit at 0 is right and others are close.
    seen = monitor(GroupDesign(horizon=100, fractions=(1.0,)), [(100, 3.0, 1.0, 20)])

    assert seen.p_value == pytest.approx(2 * stats.t.sf(3.0, 20), rel=1e-12)
    assert seen.low == pytest.approx(3.0 - stats.t.isf(0.025, 20), abs=0.1)


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 5), st.floats(1.5, 500))
def test_the_t_interval_excludes_zero_exactly_when_a_bound_was_reached(t, freedom):
    seen = monitor(GroupDesign(horizon=1000, spending=pocock()), [(300, t, 1.0, freedom)])

    assert (seen.low > 0 or seen.high < 0) == (seen.crossed is not None)
    assert seen.low <= seen.estimate <= seen.high


def test_before_the_first_look_nothing_is_claimed():
    for looks in ([], [Look(0, 0.0, 0.0)]):
        seen = monitor(PLAN, looks)

        assert (seen.low, seen.high, seen.p_value, seen.crossed) == (-math.inf, math.inf, 1.0, None)
        assert len(seen.next_bounds) == 5
        assert seen.note


def test_no_variance_is_said_and_decides_nothing():
    for estimate in (0.0, 0.3):
        seen = monitor(PLAN, [Look(400, estimate, 0.0)])
        last = monitor(PLAN, [Look(1000, estimate, 0.0)])

        assert (seen.crossed, seen.z, seen.low, seen.high) == (None, 0.0, -math.inf, math.inf)
        assert (last.low, last.high, last.p_value) == (-math.inf, math.inf, 1.0)
        assert "no variance" in seen.note


def test_a_huge_z_never_prints_a_p_value_of_zero():
    seen = monitor(PLAN, [look(200, 100.0)])

    assert seen.p_value > 0
    assert seen.log_p == pytest.approx(math.log(2) + stats.norm.logsf(100.0), rel=1e-12)


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        ([(100, math.nan, 0.1)], "estimate is nan at look 1"),
        ([(100, 0.1, 0.1), (200, 0.1, math.inf)], "standard error is inf at look 2"),
        ([(-5, 0.1, 0.1)], "information is -5 at look 1"),
        ([(100, 0.1, 0.1, 0.0)], "freedom is 0.0 at look 1"),
        ([(100, 0.1, -0.1)], "standard error is -0.1 at look 1; leave out looks"),
        ([(100, 0.1, 0.1), (90, 0.1, 0.1)], "information falls from 100.0 to 90.0 at look 2; give looks in the order"),
    ],
)
def test_looks_that_cannot_be_are_refused(looks, message):
    with pytest.raises(ValueError, match=message):
        monitor(PLAN, looks)


designs = st.builds(
    GroupDesign,
    horizon=st.floats(10, 1e6),
    alpha=st.floats(0.001, 0.2),
    sided=st.sampled_from([1, 2]),
    spending=st.sampled_from([obrien_fleming(), pocock(), power_family(2)]),
    futility=st.sampled_from([None, obrien_fleming()]),
)


@settings(max_examples=40, deadline=None)
@given(designs, st.lists(st.tuples(st.floats(0.001, 0.6), st.floats(-8, 8)), max_size=6), st.booleans())
def test_no_number_is_ever_undefined(design, moves, final):
    n = np.cumsum([gain for gain, _ in moves]) * design.horizon
    looks = [look(float(k), z) for k, (_, z) in zip(n, moves, strict=True)]

    seen = monitor(design, looks, final=final)

    for field in fields(GroupLook):
        value = getattr(seen, field.name)
        assert not (isinstance(value, float) and math.isnan(value)), field.name
    assert seen.low <= seen.estimate <= seen.high
    assert 0 < seen.p_value <= 1
    if seen.crossed == "efficacy":
        assert seen.low > -1e-9 * abs(seen.high) and seen.p_value <= design.alpha * (1 + 1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.02, 0.6), st.floats(-4, 4)), min_size=1, max_size=6))
def test_swapping_the_arms_flips_everything(moves):
    n = np.cumsum([gain for gain, _ in moves]) * PLAN.horizon
    there = monitor(PLAN, [look(float(k), z) for k, (_, z) in zip(n, moves, strict=True)])
    back = monitor(PLAN, [look(float(k), -z) for k, (_, z) in zip(n, moves, strict=True)])

    assert (there.low, there.estimate, there.high) == pytest.approx((-back.high, -back.estimate, -back.low), abs=1e-7)
    assert there.log_p == pytest.approx(back.log_p, abs=1e-8)
    assert {there.crossed, back.crossed} in ({None}, {"efficacy", "harm"})
