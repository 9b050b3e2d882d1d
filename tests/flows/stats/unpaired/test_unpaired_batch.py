"""Many comparisons at once are the single ones."""

import dataclasses
import math
import timeit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unpaired_making import SAMPLES

from flows.stats.moments import Moments
from flows.stats.sequential.asymptotic import two_sample_sequence
from flows.stats.unpaired.batch import compare_many
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.relative import relative_lift

ODD = [
    Moments(0, 0.0, 0.0),
    Moments(1, 2.0, 0.0),
    Moments(5, 1.0, 0.0),
    Moments(50, 0.0, 0.0),
    Moments(50, 0.0, 9.0),
    Moments(60, -2.0, 10.0),
    Moments(60, 3.0, 1000.0),
    Moments(40, 1e8, 40.0),
    Moments(40, 1e150, 1e280),
    Moments(900, 5.0, 1e-5),
]


def many(ours, theirs, **how):
    return compare_many(tuple(zip(*ours, strict=True)), tuple(zip(*theirs, strict=True)), **how)


def agree(ours, theirs, confidence):
    found = many(ours, theirs, confidence=confidence)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        plain, lift = welch(a, b, confidence=confidence), relative_lift(a, b, confidence=confidence)
        always = two_sample_sequence(a, b, alpha=1 - confidence)
        close = {"rel": 1e-9, "abs": 1e-12}
        assert (found.estimate[i], found.low[i], found.high[i]) == pytest.approx(
            (plain.estimate, plain.low, plain.high), **close
        )
        assert (found.log_p[i], found.p_value[i]) == pytest.approx((plain.log_p, plain.p_value), **close)
        assert (found.lift[i], found.lift_low[i], found.lift_high[i]) == pytest.approx(
            (lift.estimate, lift.low, lift.high), **close
        )
        assert found.lift_log_p[i] == pytest.approx(lift.log_p, **close)
        assert found.lift_bounded[i] == math.isfinite(lift.low)
        assert (found.always_low[i], found.always_high[i]) == pytest.approx((always.low, always.high), **close)
        assert found.always_log_p[i] == pytest.approx(always.log_p, **close)
        assert found.effect(i).estimate == plain.estimate
    return len(found.estimate)


@given(st.lists(st.tuples(SAMPLES, SAMPLES), min_size=1, max_size=5), st.sampled_from([0.8, 0.95, 0.999]))
def test_each_is_what_the_single_functions_give(samples, confidence):
    agree([a for a, _ in samples], [b for _, b in samples], confidence)


def test_odd_ones_too():
    assert agree([a for a in ODD for _ in ODD], ODD * len(ODD), 0.95) == len(ODD) ** 2


def test_nothing_is_ever_nan():
    found = many([a for a in ODD for _ in ODD], ODD * len(ODD))

    assert not any(np.isnan(getattr(found, field.name)).any() for field in dataclasses.fields(found))
    assert (found.p_value > 0).all()
    assert (found.lift_p > 0).all()
    assert (found.always_p > 0).all()


def test_no_comparison_is_none():
    assert compare_many(([], [], []), ([], [], [])).n.size == 0


def test_nonsense_is_refused_with_its_count():
    fine = ([5, 5], [1.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="challenger has 1 of 2 samples with NaN or infinite"):
        compare_many(fine, ([5, 5], [1.0, math.nan], [1.0, 1.0]))
    with pytest.raises(ValueError, match="champion has 2 of 2 counts"):
        compare_many(([5.5, -1], [1.0, 1.0], [1.0, 1.0]), fine)
    with pytest.raises(ValueError, match="champion has 1 of 2 m2 below 0"):
        compare_many(([5, 5], [1.0, 1.0], [1.0, -1.0]), fine)
    with pytest.raises(ValueError, match=r"shapes \(2,\), \(2,\) and \(1,\)"):
        compare_many(([5, 5], [1.0, 1.0], [1.0]), fine)
    with pytest.raises(ValueError, match="champion has 2 samples, challenger 1"):
        compare_many(fine, ([5], [1.0], [1.0]))


def test_it_is_quick():
    """Far below the bound of 200,000 a second, so that a busy machine does not fail it; see the benchmark."""
    k = 20_000
    rng = np.random.default_rng(0)
    n = rng.integers(100, 100_000, k)
    ours, theirs = ((n, rng.normal(1, 0.01, k), n * rng.uniform(0.5, 2, k)) for _ in range(2))

    assert k / min(timeit.repeat(lambda: compare_many(ours, theirs), number=1, repeat=3)) > 50_000
