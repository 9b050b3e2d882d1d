"""Looking ahead from a look."""

import math

import numpy as np
import pytest
from scipy import stats

from flows.stats.sequential.group.bounds import constant_shape, exits
from flows.stats.sequential.group.design import GroupDesign, operating
from flows.stats.sequential.group.monitor import monitor
from flows.stats.sequential.group.outlook import outlook, shifted
from flows.stats.sequential.group.spending import pocock

PLAN = GroupDesign(horizon=1000)


def test_rpact_conditional_rejection_probabilities():
    # rpact, test-f_analysis_base_means.R, inverse normal, WT 0.4: 0.046837862, 0.16190673, 0.42383694.
    times = [0.25, 0.5, 0.75, 1.0]
    high = constant_shape(times, shape=0.4, alpha=0.025, sided=1)
    for k, (z, printed) in enumerate([(1.1666257, 0.046837862), (1.9256836, 0.16190673), (2.4675727, 0.42383694)]):
        ahead = shifted(times[k + 1 :], high[k + 1 :], sided=1, time=times[k], z=z)

        assert math.fsum(up for up, _ in exits(ahead)) == pytest.approx(printed, abs=1e-7)


def test_the_outlook_averages_to_the_power():
    # The law of total probability over the first look.
    design = GroupDesign(horizon=1000, spending=pocock())
    error, drift = 1 / math.sqrt(200), 2.0
    mean = drift * math.sqrt(0.2)
    middles = (np.arange(400) + 0.5) / 400
    wins = []
    for z in stats.norm.ppf(middles, mean):
        seen = monitor(design, [(200, z * error, error)])
        wins.append(outlook(design, seen, effect=mean * error).win)

    assert np.mean(wins) == pytest.approx(operating(design, drift).power, abs=2e-3)


def test_the_last_step_is_a_normal_tail():
    seen = monitor(PLAN, [(800, 0.02, 0.01)])

    ahead = outlook(PLAN, seen, effect=0.0)

    (_, bound) = seen.next_bounds[-1]
    gap = (bound - 2 * math.sqrt(0.8)) / math.sqrt(0.2)
    assert ahead.win == pytest.approx(0.5 * math.erfc(gap / math.sqrt(2)), rel=1e-10)
    assert (ahead.expected_more, ahead.most) == pytest.approx((200, 200))


def test_swapping_the_arms_swaps_win_and_harm():
    there = outlook(PLAN, monitor(PLAN, [(300, 0.01, 0.01)]))
    back = outlook(PLAN, monitor(PLAN, [(300, -0.01, 0.01)]))

    assert (there.win, there.harm) == pytest.approx((back.harm, back.win), rel=1e-10)
    assert there.expected_more == pytest.approx(back.expected_more)


def test_a_test_that_is_over_needs_nothing_more():
    ended = outlook(PLAN, monitor(PLAN, [(600, 0.03, 0.01)]))

    assert (ended.win, ended.expected_more) == (1.0, 0.0)


def test_without_a_look_or_a_variance_there_is_nothing_to_look_ahead_from():
    assert outlook(PLAN, monitor(PLAN, [])) is None
    assert outlook(PLAN, monitor(PLAN, [(300, 0.1, 0.0)])) is None
