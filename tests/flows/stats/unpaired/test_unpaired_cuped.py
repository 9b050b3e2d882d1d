"""CUPED for means and ratios."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from flows.stats.moments import CoMoments, JointMoments
from flows.stats.unpaired.cuped import cuped, cuped_lift, cuped_ratio, cuped_ratio_lift, slope
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.relative import relative_lift

# tea-tasting, tests/metrics/test_mean.py: make_users_data(n_users=100, covariates=True, seed=42):
# sessions, orders, sessions_covariate, orders_covariate.
TEA_CONTROL = JointMoments(
    53,
    np.array([105, 30, 102, 28]) / 53,
    np.array(
        [
            [50.98113207547169, 20.566037735849072, 57.924528301886795, 20.528301886792466],
            [20.566037735849072, 41.018867924528266, 36.264150943396224, 40.150943396226474],
            [57.924528301886795, 36.264150943396224, 183.69811320754718, 64.1132075471698],
            [20.528301886792466, 40.150943396226474, 64.1132075471698, 75.20754716981129],
        ]
    ),
)
TEA_TREATMENT = JointMoments(
    47,
    np.array([89, 18, 92, 15]) / 47,
    np.array(
        [
            [36.468085106382986, 6.91489361702127, 38.787234042553195, 7.595744680851063],
            [6.91489361702127, 23.106382978723424, 6.765957446808504, 17.255319148936177],
            [38.787234042553195, 6.765957446808504, 109.91489361702132, 12.638297872340429],
            [7.595744680851063, 17.255319148936177, 12.638297872340429, 26.212765957446805],
        ]
    ),
)


def orders_by_covariate(joint):
    return CoMoments(joint.n, joint.means[3], joint.means[1], joint.m2[3, 3], joint.m2[1, 1], joint.m2[1, 3])


def arm(seed, count, lift, apart=0.0):
    """The arms of the gbstats figures below."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2, 1, count) + apart
    return x, (x + rng.gamma(1, 1, count)) * lift


OURS, THEIRS = arm(1, 400, 1.0), arm(2, 420, 1.3)


def test_a_mean_agrees_with_tea_tasting():
    ours, theirs = orders_by_covariate(TEA_CONTROL), orders_by_covariate(TEA_TREATMENT)
    effect = cuped(ours, theirs)

    assert effect.estimate == pytest.approx(-0.0639860810399242, rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx((-0.2873693273276433, 0.15939716524779488), rel=1e-9)
    assert effect.p_value == pytest.approx(0.5710263126825313, rel=1e-9)
    assert cuped_lift(ours, theirs).estimate == pytest.approx(-0.125444835494242, rel=1e-9)


def test_a_ratio_agrees_with_tea_tasting():
    effect = cuped_ratio(TEA_CONTROL, TEA_TREATMENT)

    assert effect.estimate == pytest.approx(-0.02022561679752835, rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx((-0.13255454661183272, 0.09210331301677602), rel=1e-9)
    assert effect.p_value == pytest.approx(0.7216216788350075, rel=1e-9)
    assert cuped_ratio_lift(TEA_CONTROL, TEA_TREATMENT).estimate == pytest.approx(-0.07909174651619344, rel=1e-9)


def test_a_mean_agrees_with_gbstats():
    # gbstats 0.8.0: TwoSidedTTest of RegressionAdjustedStatistics, theta by compute_theta. Its p was 0.0.
    effect = cuped(CoMoments.of(*OURS), CoMoments.of(*THEIRS))

    assert effect.estimate == pytest.approx(0.9140381649106826, rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx((0.7459699473163243, 1.082106382505041), rel=1e-9)
    assert slope(CoMoments.of(*OURS).merge(CoMoments.of(*THEIRS))) == pytest.approx(1.1874074415859397, rel=1e-9)
    assert 0 < effect.p_value < 1e-20
    lift = cuped_lift(CoMoments.of(*OURS), CoMoments.of(*THEIRS), base="observed")
    assert lift.estimate == pytest.approx(0.31020985198965734, rel=1e-9)


@pytest.mark.parametrize("base", ["adjusted", "observed"])
def test_the_lift_has_the_whole_gradient(base):
    """The standard error that gbstats loses: theta * (xT - xC) in the derivative by the champion's mean."""
    ours, theirs = CoMoments.of(*arm(1, 4000, 1.0, 1.0)), CoMoments.of(*arm(2, 4200, 1.3))
    theta = slope(ours.merge(theirs))
    means = np.array([ours.mean_x, ours.mean_y, theirs.mean_x, theirs.mean_y])
    spread = np.zeros((4, 4))
    for at, m in ((0, ours), (2, theirs)):
        spread[at : at + 2, at : at + 2] = np.array([[m.m2_x, m.co], [m.co, m.m2_y]]) / (m.n - 1) / m.n

    def lift(at):
        x1, y1, x2, y2 = at
        centre = (ours.n * x1 + theirs.n * x2) / (ours.n + theirs.n)
        if base == "observed":
            return (y2 - y1 - theta * (x2 - x1)) / y1
        return (y2 - theta * (x2 - centre)) / (y1 - theta * (x1 - centre)) - 1

    gradient = optimize.approx_fprime(means, lift, 1e-7)
    effect = cuped_lift(ours, theirs, base=base)

    assert effect.estimate == pytest.approx(lift(means), rel=1e-12)
    assert (effect.high - effect.low) / 2 / special.ndtri(0.975) == pytest.approx(
        math.sqrt(gradient @ spread @ gradient), rel=5e-3
    )


def test_a_covariate_that_says_nothing_changes_nothing():
    rng = np.random.default_rng(4)
    y1, y2 = rng.gamma(2, size=60), rng.gamma(2, size=70)
    ours, theirs = CoMoments.of(np.ones(60), y1), CoMoments.of(np.ones(70), y2)

    assert cuped(ours, theirs).log_p == welch(ours.y, theirs.y).log_p
    assert cuped_lift(ours, theirs).low == relative_lift(ours.y, theirs.y).low


def test_a_good_covariate_narrows_the_interval():
    ours, theirs = CoMoments.of(*OURS), CoMoments.of(*THEIRS)
    plain, better = relative_lift(ours.y, theirs.y), cuped_lift(ours, theirs)

    assert better.high - better.low < 0.8 * (plain.high - plain.low)


def test_swapping_the_arms_flips_the_effect_and_inverts_the_ratio():
    ours, theirs = CoMoments.of(*OURS), CoMoments.of(*THEIRS)
    one, other = cuped(ours, theirs), cuped(theirs, ours)
    up, down = cuped_lift(ours, theirs), cuped_lift(theirs, ours)

    assert (one.estimate, one.log_p) == pytest.approx((-other.estimate, other.log_p), rel=1e-9)
    assert up.low + 1 == pytest.approx(1 / (down.high + 1), rel=1e-9)
    assert up.log_p == pytest.approx(down.log_p, rel=1e-9)


def test_a_metric_that_its_covariate_explains_wholly_has_no_variance_left():
    ours, theirs = CoMoments.of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]), CoMoments.of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])

    assert cuped(ours, theirs).p_value == 1.0
    assert cuped_lift(ours, theirs).estimate == 0.0


def test_too_few_keys_are_a_stated_outcome():
    empty = JointMoments.of(np.empty((0, 4)))

    assert "fewer than two" in cuped(CoMoments.empty(), CoMoments.of(*OURS)).note
    assert "fewer than two" in cuped_lift(CoMoments.of([1.0], [2.0]), CoMoments.of(*OURS)).note
    assert "fewer than two" in cuped_ratio(empty, TEA_CONTROL).note
    assert "fewer than two" in cuped_ratio_lift(empty, TEA_CONTROL).note


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="confidence is 0"):
        cuped_lift(CoMoments.of(*OURS), CoMoments.of(*THEIRS), confidence=0)
    with pytest.raises(ValueError, match="mean of y of challenger is inf"):
        cuped(CoMoments.of(*OURS), (5, 1.0, math.inf, 1.0, 1.0, 0.0))
