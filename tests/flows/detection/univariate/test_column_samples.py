from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.detection.univariate import sorting
from flows.detection.univariate.samples import Levels, Numbers, moments

NUMBERS = st.lists(st.floats() | st.none(), max_size=60)


def levels(values, dtype=None):
    return dict(Levels.of(pl.Series("c", values, dtype=dtype)).counts.iter_rows())


@given(NUMBERS)
def test_every_row_is_a_finite_value_or_missing(values):
    found = Numbers.of(pl.Series("x", values, dtype=pl.Float64))

    assert found.values.tolist() == sorted(v for v in values if v is not None and np.isfinite(v))
    assert found.n + found.missing == len(values)
    assert found.infinite == sum(v is not None and np.isinf(v) for v in values)


@pytest.mark.parametrize("by", [sorting._by_integers, np.sort])
def test_both_sorts_give_the_same(by):
    dice = np.random.default_rng(0)
    values = np.concatenate([dice.normal(size=999) ** 9, [np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1.7e308]])

    assert by(values).tolist() == sorted(values.tolist())


def test_long_columns_are_sorted_too():
    values = np.random.default_rng(0).normal(size=50_000)

    assert np.array_equal(Numbers.of(pl.Series("x", values)).values, np.sort(values))


def test_text_among_numbers_is_foreign_and_numbers_written_as_text_are_numbers():
    found = Numbers.of(pl.Series("x", ["1.5", "abc", None, "-2", "inf"]))

    assert (found.values.tolist(), found.foreign, found.infinite, found.missing) == ([-2.0, 1.5], 1, 1, 3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False, None], [0.0, 1.0]),
        ([Decimal("1.5"), Decimal(2)], [1.5, 2.0]),
        ([date(1970, 1, 2)], [86400.0]),
        ([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)], [1.0]),
        ([timedelta(minutes=1)], [60.0]),
        ([2**40, 1], [1.0, 2.0**40]),
        ([[1], [2]], []),
        ([None, None], []),
    ],
)
def test_whatever_has_a_place_on_a_line_is_a_number(values, expected):
    assert Numbers.of(pl.Series("x", values)).values.tolist() == expected


def test_objects_of_many_kinds_are_read_one_by_one():
    column = pl.Series("x", [1, "2", "x", None, 3.5, {}], dtype=pl.Object)

    found = Numbers.of(column)

    assert (found.values.tolist(), found.foreign, found.missing) == ([1.0, 2.0, 3.5], 2, 3)
    assert Levels.of(column).n == 5


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_moments_are_finite_and_within_the_values(values):
    mean, sd = moments(np.sort(np.array(values)))

    slack = 1e-9 * max(map(abs, values))
    assert np.isfinite([mean, sd]).all()
    assert sd >= 0
    assert min(values) - slack <= mean <= max(values) + slack


@pytest.mark.parametrize("value", [0.1, 1e-300, 7.0, -1.1e200])
def test_a_constant_has_itself_as_mean_and_no_deviation(value):
    assert moments(np.full(1000, value)) == (value, 0.0)


@pytest.mark.parametrize("unit", [1e-250, 1e-160, 1e-99, 1e99, 1e160, 1e250])
def test_moments_do_not_ask_for_the_unit(unit):
    mean, sd = moments(np.array([1.0, 2.0, 3.0, 6.0]) * unit)

    assert (mean / unit, sd / unit) == pytest.approx((3.0, 3.5**0.5))


def test_levels_come_with_the_most_frequent_first():
    found = Levels.of(pl.Series("c", ["b", "a", "a", None, "c"]))

    assert found.counts.rows() == [("a", 2.0), ("b", 1.0), ("c", 1.0)]
    assert (found.n, found.missing) == (4, 1)


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Float64, pl.String, pl.Categorical, pl.Enum(["1", "2"])])
def test_whole_numbers_are_called_alike_in_every_type(dtype):
    values = ["1", "2", "2"] if dtype not in (pl.Int8, pl.Float64) else [1, 2, 2]

    assert levels(values, dtype) == {"1": 1, "2": 2}


def test_other_numbers_keep_their_digits_and_nan_is_no_level():
    assert levels([1.5, 2.0, float("nan"), None, 1e300]) == {"1.5": 1, "2": 1, "1e+300": 1}
    assert levels([True, False, True]) == {"true": 2, "false": 1}
