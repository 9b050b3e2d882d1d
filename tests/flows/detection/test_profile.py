import numpy as np
import polars as pl
import pytest
from drift_making import make_config, sample
from hypothesis import given
from hypothesis import strategies as st

from flows.detection.profile import (
    MOST_LEVELS,
    RESOLUTION,
    ReferenceProfile,
    category_profile,
    moments,
    numeric_profile,
    profile,
)
from flows.detection.univariate.ranks import order_statistics

numbers = st.lists(st.floats() | st.none(), max_size=60)


@given(numbers)
def test_what_is_no_finite_number_is_missing(values):
    found = numeric_profile(pl.Series("x", values, dtype=pl.Float64))
    there = sorted(v for v in values if v is not None and np.isfinite(v))

    assert (found.n, found.missing) == (len(there), len(values) - len(there))
    assert list(found.quantiles) == there


@given(numbers)
def test_a_profile_survives_its_json(values):
    found = ReferenceProfile(rows=len(values), numeric={"x": numeric_profile(pl.Series("x", values, dtype=pl.Float64))})

    assert ReferenceProfile.from_json(found.to_json()) == found


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_moments_are_finite_and_within_the_values(values):
    mean, sd = moments(np.sort(np.array(values)))

    assert np.isfinite([mean, sd]).all()
    assert sd >= 0
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= mean <= max(values) + slack


@pytest.mark.parametrize("value", [0.1, 1e-300, 7.0, -1.1e200])
def test_a_constant_has_itself_as_mean_and_no_deviation(value):
    assert moments(np.full(1000, value)) == (value, 0.0)


@pytest.mark.parametrize("unit", [1e-250, 1e-160, 1e-99, 1e99, 1e160, 1e250])
def test_moments_do_not_ask_for_the_unit(unit):
    mean, sd = moments(np.array([1.0, 2.0, 3.0, 6.0]) * unit)

    assert (mean / unit, sd / unit) == pytest.approx((3.0, 3.5**0.5))


def test_moments_are_those_of_numpy():
    values = np.sort(np.random.default_rng(0).normal(3, 2, 500))

    assert moments(values) == pytest.approx((values.mean(), values.std()))


def test_a_long_column_keeps_1001_of_its_own_values():
    values = np.random.default_rng(0).poisson(3, 20_000).astype(float)
    found = numeric_profile(pl.Series("x", values))

    assert len(found.quantiles) == RESOLUTION
    assert set(found.quantiles) <= set(values.tolist())
    assert list(found.quantiles) == order_statistics(np.sort(values), RESOLUTION).tolist()


def test_a_profile_is_a_few_kilobytes_however_long_the_table():
    found = profile(sample(50_000, 1), make_config())

    assert len(found.to_json()) < 32_000


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["1", "2", "x"])])
def test_categories_that_are_numbers_count_as_what_they_are_called(dtype):
    assert numeric_profile(pl.Series("x", ["1", "2", "x", None], dtype=dtype)).quantiles == (1.0, 2.0)


def test_the_most_frequent_levels_are_kept_and_the_others_counted():
    values = [level for i in range(MOST_LEVELS + 5) for level in [f"l{i:04}"] * (2 if i < 3 else 1)]
    found = category_profile(pl.Series("c", [*values, None]))

    assert len(found.counts) == MOST_LEVELS
    assert list(found.counts)[:3] == ["l0000", "l0001", "l0002"]
    assert (found.n, found.missing, found.rest) == (MOST_LEVELS + 8, 1, 5)


def test_a_column_that_the_table_has_not_is_not_in_the_profile():
    assert profile(sample(10, 0).drop("x"), make_config()).numeric == {}


def test_scores_and_labels_are_profiled_where_there_are_some():
    found = profile(sample(4, 0, _score=[0.1, 0.2, 0.3, None], _label=[0.0, 1.0, 1.0, 1.0]), make_config())

    assert (found.score.n, found.score.missing, found.label.mean) == (3, 1, 0.75)
    assert profile(sample(4, 0), make_config()).score is None
