"""Two models on different callers."""

import math

import numpy as np
import pytest
from scipy import stats

from flows.stats.unpaired.means import welch
from flows.stats.unpaired.proportions import newcombe


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=30), rng.normal(0.5, 2, 50)

    effect = welch((30, a.mean(), a.var() * 30), (50, b.mean(), b.var() * 50))
    reference = stats.ttest_ind(b, a, equal_var=False)

    assert effect.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx(tuple(reference.confidence_interval()), rel=1e-9)


def test_newcombe_agrees_with_the_published_example():
    assert newcombe((48, 80), (56, 70)) == pytest.approx((0.20, 0.0524, 0.3339), abs=5e-5)


def test_a_single_value_bounds_nothing():
    effect = welch((1, 0.0, 0.0), (10, 1.0, 3.0))

    assert (effect.low, effect.high, effect.p_value) == (-math.inf, math.inf, 1.0)


def test_large_offsets_keep_their_digits():
    near, far = welch((10, 0.0, 9.0), (12, 1.0, 11.0)), welch((10, 1e8, 9.0), (12, 1e8 + 1, 11.0))

    assert far.p_value == pytest.approx(near.p_value, rel=1e-6)


def test_an_empty_group_is_refused():
    with pytest.raises(ValueError, match="0 and 5"):
        newcombe((0, 0), (1, 5))
