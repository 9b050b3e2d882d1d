"""Conditions of slices are read with the configuration, not after hours of training."""

import polars as pl
import pytest

from flows.config.load import parse_config
from flows.config.slices import slice_rows
from flows.errors import ConfigError


def refused(**validation):
    features = {"numeric": ["age"], "categorical": ["job"]}
    whole = {"model": "churn", "task": "binary", "target": "left", "features": features, "validation": validation}
    with pytest.raises(ConfigError) as caught:
        parse_config(whole, "test")
    return caught.value.why


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("aeg > 3", 'unable to find column "aeg"'),
        ("age + 1", "not true or false"),
        ("max(age) > 3", "one value for all rows"),
        ("age >", "unable to parse"),
        ("job > 3", "cannot compare"),
        ("age > 1; drop table rows", "invalid expression"),
        ("read_csv('secret')", "unsupported function"),
    ],
)
def test_a_condition_that_is_none_is_a_mistake_of_the_file(where, said):
    assert said in refused(slices=[{"name": "s", "where": where}])


def test_two_slices_of_one_name_and_a_test_that_is_no_function_are_told_together():
    said = refused(slices=[{"name": "s", "where": "age > 1"}, {"name": "s", "where": "age > 2"}], tests=["mine.py"])

    assert "two slices are named 's'" in said
    assert "test 'mine.py' does not look like module:function" in said


def test_a_missing_value_is_outside():
    frame = pl.DataFrame({"age": [70.0, None, 30.0], "job": ["retired", "retired", None]})

    assert slice_rows(frame, "age > 60 and job = 'retired'").to_list() == [True, False, False]
    assert slice_rows(frame, "job is null").to_list() == [False, False, True]
