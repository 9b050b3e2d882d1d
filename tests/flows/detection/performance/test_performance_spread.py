import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from performance_making import wave
from scipy import special

from flows.detection.performance.spread import spread

numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


def covered(n, memory, *, ordered=True, rounds=400):
    """Share of intervals at 95 % that hold the true mean, 0."""
    dice, hits = np.random.default_rng(5), 0
    for _ in range(rounds):
        rows = wave(dice, n, memory)
        found = spread(rows, ordered=ordered)
        half = special.stdtrit(max(found.effective - 1, 2), 0.975) * found.error
        hits += abs(rows.mean()) <= half
    return hits / rounds


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_intervals_cover_as_often_as_they_say_when_neighbours_resemble_each_other(memory):
    assert covered(300, memory) >= 0.925


def test_an_interval_for_independent_rows_covers_far_too_seldom_there():
    assert covered(300, 0.8, ordered=False) < 0.6


def test_without_an_order_it_is_the_usual_standard_error():
    rows = np.random.default_rng(0).gamma(1, 1, 500)

    assert spread(rows, ordered=False) == pytest.approx((rows.std(ddof=1) / 500**0.5, 500))


@given(numbers)
def test_order_never_makes_an_interval_narrower(rows):
    values = np.array(rows)

    assert spread(values, ordered=True).error >= spread(values, ordered=False).error
    assert spread(values, ordered=True).effective <= values.size * (1 + 1e-9)


@given(numbers, st.floats(0.01, 100))
def test_the_error_has_the_unit_of_the_rows(rows, unit):
    values = np.array(rows)
    here, there = spread(values, ordered=True), spread(values * unit, ordered=True)
    rounding = 1e-9 * max(1.0, float(np.abs(values).max()) * unit)

    assert there.error == pytest.approx(here.error * unit, rel=1e-6, abs=rounding)


def test_one_row_says_nothing_of_its_spread():
    assert spread(np.array([1.0]), ordered=True) == (np.inf, 1.0)
