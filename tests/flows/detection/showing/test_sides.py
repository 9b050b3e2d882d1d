"""Two sides of a feature, in few enough pieces to be drawn."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.detection.showing.sides import LEVELS, level_sides, numeric_sides, sides
from flows.detection.univariate.profile import profile_table
from flows.detection.univariate.samples import Levels, Numbers
from flows.detection.univariate.tables import columns

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite, min_size=1, max_size=60), st.lists(finite, min_size=1, max_size=60))
def test_shares_of_both_sides_add_up_to_one_whatever_the_values_are(was, now):
    found = numeric_sides("x", Numbers.of(pl.Series(was)), Numbers.of(pl.Series(now)))

    if found is not None:
        assert math.isclose(sum(found.reference), 1) and math.isclose(sum(found.current), 1)
        assert len(found.edges) == len(found.current) + 1
        assert list(found.edges) == sorted(set(found.edges))


def test_one_absurd_value_hides_nothing():
    values = np.arange(1000.0)
    found = numeric_sides("x", Numbers.of(pl.Series(values)), Numbers.of(pl.Series([*values, 1e300])))

    assert found.edges[-1] < 1001


@pytest.mark.parametrize("most", [1, 7, 25, 30, 100])
def test_no_bin_of_whole_numbers_is_empty_for_want_of_one(most):
    values = Numbers.of(pl.Series(np.tile(np.arange(most + 1), 50)))
    found = numeric_sides("x", values, values)

    assert min(found.reference) > 0
    assert len(found.edges) > 1


@pytest.mark.parametrize("empty", [pl.Series([], dtype=pl.Float64), pl.Series([None, None], dtype=pl.Float64)])
def test_a_side_without_values_has_no_picture(empty):
    assert numeric_sides("x", Numbers.of(empty), Numbers.of(pl.Series([1.0]))) is None
    assert level_sides("c", Levels.of(pl.Series(["a"])), Levels.of(empty.cast(pl.String))) is None


def test_numbers_beside_numbers_in_text_are_drawn_as_numbers_and_beside_lists_not_at_all():
    was = pl.DataFrame({"x": np.arange(100.0), "tags": ["a"] * 100})
    now = pl.DataFrame({"x": [f"{n}" for n in range(100)], "tags": [["a"]] * 100})

    (found,) = sides(columns(was), columns(now), ["x", "tags"])

    assert found.name == "x"
    assert found.levels == ()


def test_many_levels_are_cut_and_the_rest_is_one():
    many = pl.Series([f"level {n}" for n in range(500)])
    found = level_sides("c", Levels.of(many), Levels.of(many))

    assert len(found.levels) == LEVELS + 1
    assert found.levels[-1] == "all others"
    assert math.isclose(sum(found.reference), 1)


def test_a_profile_and_the_table_it_is_of_look_alike():
    dice = np.random.default_rng(1)
    table = pl.DataFrame({"x": dice.normal(size=5000), "c": dice.choice(["a", "b"], 5000)})
    kept = profile_table(table, ["x"], ["c"])
    exact, rough = (sides(one, columns(table), ["x", "c", "gone"]) for one in (columns(table), kept))

    assert [one.name for one in exact] == [one.name for one in rough] == ["x", "c"]
    assert np.abs(np.subtract(exact[0].reference, rough[0].reference)).max() < 0.005
    assert exact[1] == rough[1]
