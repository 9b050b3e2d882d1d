"""Sufficient statistics: merged, streamed, and far from zero."""

import math
import sys
import timeit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.stats.moments import CoMoments, JointMoments, Moments

VALUES = st.lists(st.floats(-1e3, 1e3), max_size=30)
PAIRS = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), max_size=30)


def pairs(rows):
    return CoMoments.of([x for x, _ in rows], [y for _, y in rows])


def pushed(values):
    moments = Moments.empty()
    for value in values:
        moments = moments.push(value)
    return moments


@given(VALUES, VALUES)
def test_merging_is_exactly_commutative(a, b):
    left, right = Moments.of(a), Moments.of(b)

    assert left.merge(right) == right.merge(left)


@given(PAIRS, PAIRS)
def test_merging_pairs_is_exactly_commutative(a, b):
    assert pairs(a).merge(pairs(b)) == pairs(b).merge(pairs(a))


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_but_for_rounding(a, b, c):
    x, y, z = Moments.of(a), Moments.of(b), Moments.of(c)

    assert x.merge(y).merge(z) == pytest.approx(x.merge(y.merge(z)), rel=1e-9, abs=1e-7)
    assert x.merge(y).merge(z) == pytest.approx(Moments.of(a + b + c), rel=1e-9, abs=1e-7)


@given(PAIRS, PAIRS, PAIRS)
def test_merging_pairs_is_associative_but_for_rounding(a, b, c):
    x, y, z = pairs(a), pairs(b), pairs(c)

    assert x.merge(y).merge(z) == pytest.approx(x.merge(y.merge(z)), rel=1e-9, abs=1e-6)
    assert x.merge(y).merge(z) == pytest.approx(pairs(a + b + c), rel=1e-9, abs=1e-6)


@given(VALUES)
def test_nothing_is_the_identity(values):
    moments = Moments.of(values)

    assert moments.merge(Moments.empty()) == moments == Moments.empty().merge(moments)


@given(PAIRS)
def test_no_pair_is_the_identity(rows):
    assert pairs(rows).merge(CoMoments.empty()) == pairs(rows) == CoMoments.empty().merge(pairs(rows))


@given(VALUES)
def test_streaming_gives_what_the_whole_sample_gives(values):
    assert pushed(values) == pytest.approx(Moments.of(values), rel=1e-9, abs=1e-7)


@given(PAIRS)
def test_streaming_pairs_gives_what_the_whole_sample_gives(rows):
    moments = CoMoments.empty()
    for x, y in rows:
        moments = moments.push(x, y)

    assert moments == pytest.approx(pairs(rows), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("way", [Moments.of, pushed, lambda v: Moments.of(v[:3000]).merge(Moments.of(v[3000:]))])
def test_an_offset_of_1e8_keeps_five_digits(way):
    values = np.random.default_rng(1).normal(size=10_000)

    assert way(values + 1e8).variance == pytest.approx(values.var(ddof=1), rel=1e-5)


def test_pairs_far_from_zero_keep_their_covariance():
    rng = np.random.default_rng(2)
    x = rng.normal(size=10_000)
    y = x + rng.normal(size=10_000)

    assert CoMoments.of(x + 1e8, y - 1e8).covariance == pytest.approx(np.cov(x, y)[0, 1], rel=1e-5)


def test_the_tables_of_gbstats_come_out():
    # gbstats, tests/models/test_statistics.py: METRIC_1 and METRIC_3.
    moments = CoMoments.of([2, 1, 5, 3], [0.3, 0.5, 0.9, 22])

    assert moments.y.variance == pytest.approx(np.var([0.3, 0.5, 0.9, 22], ddof=1), rel=1e-12)
    assert moments.covariance == pytest.approx(np.cov([0.3, 0.5, 0.9, 22], [2, 1, 5, 3])[0, 1], rel=1e-12)


def test_too_few_values_have_no_variance_yet():
    assert Moments.of([5.0]).variance == math.inf == Moments.empty().error
    assert CoMoments.of([1.0], [2.0]).covariance == 0.0


@given(VALUES.filter(bool), VALUES.filter(bool))
def test_joint_moments_of_two_are_comoments(a, b):
    size = min(len(a), len(b))
    rows = np.column_stack([a[:size], b[:size]])

    joint, both = JointMoments.of(rows), CoMoments.of(rows[:, 0], rows[:, 1])

    assert joint.means == pytest.approx([both.mean_x, both.mean_y], abs=1e-9)
    assert joint.m2.ravel() == pytest.approx([both.m2_x, both.co, both.co, both.m2_y], rel=1e-9, abs=1e-6)


def test_joint_moments_merge():
    rows = np.random.default_rng(3).normal(size=(50, 4)) + 1e8
    merged = JointMoments.of(rows[:20]).merge(JointMoments.of(rows[20:])).merge(JointMoments.of(np.empty((0, 4))))

    assert merged.n == 50
    assert merged.m2 / 49 == pytest.approx(np.cov(rows - 1e8, rowvar=False), rel=1e-5, abs=1e-6)


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="values has 2 of 3 values"):
        Moments.of([1.0, math.nan, math.inf])
    with pytest.raises(ValueError, match="value is nan"):
        Moments.empty().push(math.nan)
    with pytest.raises(ValueError, match=r"pair is \(1.0, inf\)"):
        CoMoments.empty().push(1.0, math.inf)
    with pytest.raises(ValueError, match="x: 2, y: 1"):
        CoMoments.of([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="rows has 1 of 2 values"):
        JointMoments.of([[1.0, math.nan]])
    with pytest.raises(ValueError, match="2 values per key, the other 1"):
        JointMoments.of([[1.0, 2.0]]).merge(JointMoments.of([[1.0]]))
    with pytest.raises(ValueError, match=r"2 of 2 values beyond 1e150, too large to square"):
        Moments.of([1e200, -1e200])
    with pytest.raises(ValueError, match="1 dimensions"):
        JointMoments.of([1.0])


def test_a_streaming_update_is_quick_and_small():
    moments, both = Moments.of([1.0, 2.5]), CoMoments.of([1.0, 2.5], [2.0, 3.5])

    assert min(timeit.repeat(lambda: moments.push(0.5), number=2000, repeat=5)) / 2000 <= 5e-6
    assert min(timeit.repeat(lambda: both.push(0.5, 1.5), number=2000, repeat=5)) / 2000 <= 5e-6
    assert sys.getsizeof(both) + sum(map(sys.getsizeof, both)) <= 1024
