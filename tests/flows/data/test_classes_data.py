"""Names of classes become their numbers."""

import polars as pl
import pytest

from flows.config.model import ModelConfig
from flows.data.prepare import prepare
from flows.errors import DataError


def config(*classes: str) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "model": "m",
            "task": "multiclass",
            "target": "y",
            "features": {"numeric": ["x"]},
            "data": {"classes": classes},
        }
    )


def labels(values, *classes: str) -> list[float | None]:
    return prepare(config(*classes), pl.DataFrame({"x": [1.0] * len(values), "y": values}))["_label"].to_list()


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        (["b", "a", None, "c"], ("a", "b", "c"), [1.0, 0.0, None, 2.0]),
        ([3, 1, None, 2], ("1", "2", "3"), [2.0, 0.0, None, 1.0]),
        ([3.0, 1.0, float("nan")], ("1", "2", "3"), [2.0, 0.0, None]),
        ([0.5, 1.5], ("0.5", "1.0", "1.5"), [0.0, 2.0]),
    ],
)
def test_a_label_is_the_place_of_its_class(values, classes, expected):
    assert labels(values, *classes) == expected


def test_a_value_that_is_no_class_is_refused_with_the_known_ones():
    with pytest.raises(DataError) as refused:
        labels(["a", "d", "d", "b"], "a", "b", "c")

    assert "target 'y' holds 'd' in 2 rows, data.classes has 'a', 'b', 'c'" in str(refused.value)
