"""Relative lift: log-ratio test and Fieller's interval."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from scipy import optimize, special
from unpaired_making import POSITIVE, SAMPLES

from flows.stats.moments import Moments
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.relative import fieller, relative_lift

OURS, THEIRS = (300, 2.0, 1500.0), (200, 2.6, 900.0)


def _freedom_and_errors(ours, theirs):
    (n1, mean1, m1), (n2, mean2, m2) = ours, theirs
    v1, v2 = m1 / (n1 - 1) / n1, m2 / (n2 - 1) / n2
    a, b = v1 / mean1**2, v2 / mean2**2
    return (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1)), v1, v2


def test_the_interval_holds_the_ratios_that_a_t_test_does_not_reject():
    freedom, v1, v2 = _freedom_and_errors(OURS, THEIRS)
    quantile = special.stdtrit(freedom, 0.975)

    def beyond(ratio):
        return (THEIRS[1] - ratio * OURS[1]) ** 2 - quantile**2 * (v2 + ratio**2 * v1)

    effect = relative_lift(OURS, THEIRS)

    assert effect.low == pytest.approx(optimize.brentq(beyond, 0, 1.3) - 1, rel=1e-9)
    assert effect.high == pytest.approx(optimize.brentq(beyond, 1.3, 3) - 1, rel=1e-9)
    assert effect.estimate == pytest.approx(0.3, rel=1e-12)


def test_the_test_is_that_of_the_log_ratio():
    freedom, v1, v2 = _freedom_and_errors(OURS, THEIRS)
    t = math.log(1.3) / math.sqrt(v1 / 4 + v2 / 2.6**2)

    assert relative_lift(OURS, THEIRS).p_value == pytest.approx(2 * special.stdtr(freedom, -t), rel=1e-9)


def test_it_is_near_the_interval_of_the_log_ratio_where_data_are_many():
    effect = relative_lift((10_000, 2.0, 9999.0), (10_000, 2.1, 9999.0))
    half = 1.96 * math.sqrt(1 / 2.0**2 + 1 / 2.1**2) / 100

    assert effect.low == pytest.approx(1.05 * math.exp(-half) - 1, abs=2e-4)
    assert effect.high == pytest.approx(1.05 * math.exp(half) - 1, abs=2e-4)


@given(POSITIVE, POSITIVE)
def test_swapping_the_arms_inverts_the_ratio(a, b):
    assume(a.m2 > 1e-6 and b.m2 > 1e-6)
    one, other = relative_lift(a, b), relative_lift(b, a)

    assert one.estimate + 1 == pytest.approx(1 / (other.estimate + 1), rel=1e-9)
    if math.isfinite(one.high) and math.isfinite(other.high) and other.low > -1 + 1e-9 and one.low > -1 + 1e-9:
        assert one.log_p == pytest.approx(other.log_p, rel=1e-6, abs=1e-9)
        assert one.low + 1 == pytest.approx(1 / (other.high + 1), rel=1e-6)


@given(SAMPLES, SAMPLES)
def test_nothing_is_ever_nan_and_the_interval_holds_the_estimate(a, b):
    effect = relative_lift(a, b)

    assert not any(math.isnan(x) for x in (effect.estimate, effect.low, effect.high, effect.p_value, effect.log_p))
    assert effect.p_value > 0
    slack = 1e-9 * max(1.0, abs(effect.estimate)) if math.isfinite(effect.estimate) else 0.0
    assert effect.low - slack <= effect.estimate <= effect.high + slack


@given(SAMPLES, SAMPLES)
def test_a_change_of_sign_changes_only_the_side(a, b):
    negated = [Moments(m.n, -m.mean, m.m2) for m in (a, b)]
    assume(abs(a.mean) > 1e-6)
    one, other = relative_lift(a, b), relative_lift(*negated)

    assert one.estimate == pytest.approx(-other.estimate, rel=1e-9, abs=1e-12)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


def test_losses_that_were_negated_are_better_when_nearer_to_0():
    effect = relative_lift((50, -2.0, 9.0), (60, -1.0, 10.0))

    assert effect.estimate == pytest.approx(0.5)
    assert 0 < effect.low < effect.high
    assert "mean is negative" in effect.note


def test_an_unbounded_interval_is_stated_with_what_it_excludes():
    effect = relative_lift((50, 0.1, 9.0), (60, 1.0, 10.0))

    assert (effect.low, effect.high) == (-math.inf, math.inf)
    assert effect.p_value == welch((50, 0.1, 9.0), (60, 1.0, 10.0)).p_value
    assert "unbounded" in effect.note
    assert "only lifts between -46.93 and 3.463 are excluded" in effect.note


def test_fieller_names_its_three_cases():
    assert fieller(OURS, THEIRS)[2] == "bounded"
    assert fieller((50, 0.1, 9.0), (60, 1.0, 10.0))[2] == "complement"
    assert fieller((50, 0.1, 90.0), (60, 0.05, 90.0)) == (-math.inf, math.inf, "unbounded")


def test_a_mean_of_0_has_no_relative_lift():
    effect = relative_lift((50, 0.0, 9.0), (60, -1.0, 10.0))

    assert (effect.estimate, effect.low, effect.high) == (-math.inf, -math.inf, math.inf)
    assert effect.p_value == welch((50, 0.0, 9.0), (60, -1.0, 10.0)).p_value
    assert "mean is 0" in effect.note


@pytest.mark.parametrize(
    ("ours", "theirs", "note"),
    [
        ((0, 0.0, 0.0), (0, 0.0, 0.0), "fewer than two"),
        ((1, 2.0, 0.0), (5, 3.0, 1.0), "fewer than two"),
        ((50, 1.0, 0.0), (60, 2.0, 0.0), "no variance"),
        ((50, 0.0, 0.0), (60, 2.0, 0.0), "no variance"),
        ((50, 0.0, 0.0), (60, 0.0, 0.0), "mean is 0"),
        ((50, 1.0, 0.0), (60, 1.0, 0.0), "no difference on any row"),
        ((50, 2.0, 0.1), (60, -2.0, 0.1), "differ in sign"),
    ],
)
def test_every_degenerate_case_says_so(ours, theirs, note):
    effect = relative_lift(ours, theirs)

    assert note in effect.note
    assert not any(math.isnan(x) for x in (effect.estimate, effect.low, effect.high, effect.log_p))


def test_far_values_and_tiny_p_values_stay_exact():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, 1000), rng.normal(0, 1, 1000)
    far = relative_lift(Moments.of(x + 1e8), Moments.of(y + 1.01e8))

    assert far.estimate == pytest.approx(0.01, rel=1e-6)
    assert (far.high - far.low) * 1e8 == pytest.approx(2 * 1.96 * math.sqrt(2.02 / 1000), rel=0.1)
    assert far.log_p < -5000
    assert far.p_value > 0


def test_groups_too_small_for_a_set_are_refused():
    with pytest.raises(ValueError, match="1 and 5 values; both need two"):
        fieller((1, 1.0, 0.0), (5, 1.0, 1.0))
