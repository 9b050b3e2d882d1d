import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.detection.performance.scales import Point, change, interval, point, presumed
from flows.stats.unpaired.one_sample import mean_interval, share_interval

SCALES = ["share", "logit", "log", "rest", "plain"]
shares = st.floats(0.02, 0.98)


def seen(value, error=0.02, n=500):
    return Point(value, error, n, float(n))


def test_a_share_has_wilsons_interval():
    rows = np.arange(400) < 330
    mine = point(rows.mean(), rows - rows.mean(), ordered=False)
    theirs = share_interval(330, 400)

    assert interval("share", mine, 0.95) == pytest.approx(theirs, abs=1e-3)


def test_a_mean_has_students_interval():
    rows = np.random.default_rng(0).normal(size=50)
    mine = point(rows.mean(), rows - rows.mean(), ordered=False)

    assert interval("plain", mine, 0.95) == pytest.approx(mean_interval(rows))


@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=25)
@given(value=shares, error=st.floats(1e-4, 0.5))
def test_an_interval_holds_the_value_and_stays_where_values_are(scale, value, error):
    low, high = interval(scale, Point(value, error, 200, 150.0), 0.95)

    assert low <= value + 1e-12
    assert high >= value - 1e-12
    assert scale not in ("share", "logit") or (low >= 0 and high <= 1)
    assert scale != "log" or low > 0
    assert scale != "rest" or high <= 1


@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=25)
@given(now=shares, before=shares)
def test_what_is_lower_is_not_higher(scale, now, before):
    found = change(scale, seen(now), seen(before), 0.95)

    assert found.p_lower + found.p_higher == pytest.approx(1)
    assert (found.p_lower < 0.5) == (now < before) or found.p_lower == pytest.approx(0.5)
    assert found.low <= now <= found.high or math.isclose(found.low, now) or math.isclose(found.high, now)


@pytest.mark.parametrize("scale", SCALES)
def test_a_baseline_of_few_rows_makes_a_change_less_sure(scale):
    now = seen(0.7)
    p = [change(scale, now, presumed(scale, 0.76, rows, now), 0.95).p_lower for rows in (50, 500, 5000, None)]

    assert p == sorted(p, reverse=True)
    assert p[0] > 0.05


def test_noise_that_may_have_raised_a_value_lowers_its_interval_and_raises_p():
    plain, raised = seen(0.1), Point(0.1, 0.02, 500, 500.0, slack=0.03)
    before = Point(0.05, 0.0, 0, 0.0)

    assert interval("plain", raised, 0.95)[0] == pytest.approx(interval("plain", plain, 0.95)[0] - 0.03)
    assert change("plain", raised, before, 0.95).p_higher > 10 * change("plain", plain, before, 0.95).p_higher


@pytest.mark.parametrize("scale", SCALES)
def test_values_at_the_border_have_an_interval_all_the_same(scale):
    for value in (0.0, 1.0):
        low, high = interval(scale, Point(value, 0.0, 100, 100.0), 0.95)
        assert low <= value <= high
