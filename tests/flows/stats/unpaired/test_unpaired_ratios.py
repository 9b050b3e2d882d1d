"""Ratio metrics and clustering by key."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.stats.moments import CoMoments, JointMoments, Moments
from flows.stats.unpaired.ratios import key_moments, ratio_difference, ratio_lift, ratio_moments, ratio_pairs

# tea-tasting, tests/metrics/test_mean.py: make_users_data(n_users=100, seed=42), x sessions, y orders.
TEA_CONTROL = CoMoments(53, 105 / 53, 30 / 53, 50.98113207547169, 41.018867924528266, 20.566037735849072)
TEA_TREATMENT = CoMoments(47, 89 / 47, 18 / 47, 36.468085106382986, 23.106382978723424, 6.91489361702127)

KEYS = st.lists(st.tuples(st.integers(1, 9), st.floats(-50, 50).map(lambda x: round(x, 2))), min_size=2, max_size=15)


def keys(rows):
    return CoMoments.of([x for x, _ in rows], [y for _, y in rows])


def requests(rng, count, effect=0.0):
    """Requests of keys: heavy ones are alike."""
    per_key = rng.geometric(0.2, count)
    base = np.repeat(rng.normal(size=count), per_key)
    return np.repeat(np.arange(count), per_key), base + effect + rng.normal(size=per_key.sum())


def test_the_difference_agrees_with_tea_tasting():
    effect = ratio_difference(TEA_CONTROL, TEA_TREATMENT)

    assert effect.estimate == pytest.approx(-0.08346709470304975, rel=1e-12)
    assert (effect.low, effect.high) == pytest.approx((-0.235929864264466, 0.0689956748583665), rel=1e-9)
    assert effect.p_value == pytest.approx(0.2799601070110709, rel=1e-9)


def test_the_lift_agrees_with_tea_tasting_in_its_estimate():
    assert ratio_lift(TEA_CONTROL, TEA_TREATMENT).estimate == pytest.approx(-0.2921348314606741, rel=1e-12)


def test_the_variance_agrees_with_gbstats():
    # gbstats 0.8.0: RatioStatistic of METRIC_1 over METRIC_3 of its tests.
    moments = ratio_moments(CoMoments.of([2, 1, 5, 3], [0.3, 0.5, 0.9, 22]))

    assert (moments.mean, moments.variance) == pytest.approx((2.1545454545454543, 15.764613528219837), rel=1e-12)


def test_the_variance_is_that_of_a_jackknife_over_keys():
    rng = np.random.default_rng(0)
    x, y = rng.geometric(0.3, 400).astype(float), rng.normal(size=400)
    y = y * x + x
    left = np.array([(y.sum() - b) / (x.sum() - a) for a, b in zip(x, y, strict=True)])

    assert key_moments(x, y).error == pytest.approx(math.sqrt(399 / 400 * np.sum((left - left.mean()) ** 2)), rel=0.02)


@given(KEYS)
def test_comoments_and_the_keys_themselves_give_the_same(rows):
    from_comoments = ratio_moments(keys(rows))
    from_keys = key_moments([x for x, _ in rows], [y for _, y in rows])

    assert from_keys.mean == pytest.approx(from_comoments.mean, rel=1e-9, abs=1e-9)
    assert from_keys.m2 == pytest.approx(from_comoments.m2, rel=1e-6, abs=1e-6)


@given(KEYS, KEYS)
def test_swapping_the_arms_flips_the_difference(a, b):
    one, other = ratio_difference(keys(a), keys(b)), ratio_difference(keys(b), keys(a))

    assert (one.estimate, one.low, one.high, one.log_p) == (-other.estimate, -other.high, -other.low, other.log_p)


@given(st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=2, max_size=15))
def test_one_request_per_key_is_a_plain_mean(values):
    plain, by_key = Moments.of(values), key_moments(np.ones(len(values)), values)

    assert by_key == pytest.approx(plain, rel=1e-9, abs=1e-9)


def test_keys_far_from_0_keep_five_digits():
    owner, values = requests(np.random.default_rng(1), 1000)
    counts = np.bincount(owner)
    near = key_moments(counts, np.bincount(owner, weights=values))
    far = key_moments(counts, np.bincount(owner, weights=values + 1e8))

    assert far.variance == pytest.approx(near.variance, rel=1e-5)


def test_two_ratios_of_joint_moments_are_the_ratios_by_themselves():
    rows = np.random.default_rng(2).gamma(2, size=(60, 4))
    pairs = ratio_pairs(JointMoments.of(rows))

    assert pairs.y == pytest.approx(ratio_moments(CoMoments.of(rows[:, 0], rows[:, 1])), rel=1e-9)
    assert pairs.x == pytest.approx(ratio_moments(CoMoments.of(rows[:, 2], rows[:, 3])), rel=1e-9)


def test_no_key_is_a_stated_outcome():
    assert ratio_moments(CoMoments.empty()) == key_moments([], []) == Moments.empty()
    assert ratio_pairs(JointMoments.of(np.empty((0, 4)))) == CoMoments.empty()
    assert "fewer than two" in ratio_difference(CoMoments.empty(), TEA_CONTROL).note


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="denominator is 0 on average over 2 keys"):
        ratio_moments(CoMoments.of([0.0, 0.0], [1.0, 2.0]))
    with pytest.raises(ValueError, match="denominator is 0 on average over 2 keys"):
        key_moments([1.0, -1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="m2 of x of the keys is nan"):
        ratio_moments((5, 1.0, 1.0, math.nan, 1.0, 0.0))
    with pytest.raises(ValueError, match="co of the keys is 9"):
        ratio_moments((5, 1.0, 1.0, 1.0, 1.0, 9.0))
    with pytest.raises(ValueError, match="3 values per key"):
        ratio_pairs(JointMoments.of(np.ones((5, 3))))
