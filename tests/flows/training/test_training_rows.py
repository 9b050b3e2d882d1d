from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from training_making import NOW, make_config, make_frame

from flows.errors import DataError
from flows.training.layout import Span
from flows.training.rows import fingerprint, refuse_empty, usable


def test_rows_come_out_in_time_order_and_never_from_the_future():
    frame = make_frame(300).sample(fraction=1.0, shuffle=True, seed=1)

    rows = usable(make_config(), frame, NOW - timedelta(hours=100))

    assert len(rows.times) == 200
    assert (np.diff(rows.times) > 0).all()
    assert rows.times[-1] == (NOW - timedelta(hours=100)).timestamp()


def test_infinite_numbers_count_as_missing():
    frame = make_frame(300).with_columns(a=pl.lit(float("inf")))

    rows = usable(make_config(), frame, NOW)

    assert rows.frame["a"].null_count() == 300


def test_all_missing_columns_are_named_at_once():
    frame = make_frame(300).drop("a", "_label")

    with pytest.raises(DataError, match=r"no feature 'a'.*no target 'y'"):
        usable(make_config(), frame, NOW)


@pytest.mark.parametrize("label", [None, float("nan"), float("inf")])
def test_labels_that_are_no_number_are_counted_and_refused(label):
    frame = make_frame(300).with_columns(
        _label=pl.when(pl.col("_key").is_in(["7", "8"])).then(pl.lit(label, pl.Float64)).otherwise("_label")
    )

    with pytest.raises(DataError, match="2 of 300 labels of 'y' are missing or not finite"):
        usable(make_config(), frame, NOW)


def test_a_label_of_no_class_is_shown_and_refused():
    frame = make_frame(300).with_columns(_label=pl.col("_label") + 1)

    with pytest.raises(DataError, match="must be 0 or 1, but 2 is among them"):
        usable(make_config(), frame, NOW)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_number_beyond_single_precision_is_refused_with_its_column(task):
    huge = pl.when(pl.int_range(pl.len()) == 7).then(-1e300)
    frame = make_frame(300, task=task).with_columns(a=huge.otherwise("a"))

    with pytest.raises(DataError, match=r"Feature 'a' holds 1e\+300: .* ends at 3.40282e\+38"):
        usable(make_config(task), frame, NOW)

    if task == "regression":
        frame = make_frame(300, task=task).with_columns(_label=huge.otherwise("_label"))
        with pytest.raises(DataError, match=r"Target 'y' holds 1e\+300"):
            usable(make_config(task), frame, NOW)


def test_an_all_null_feature_and_a_single_class_are_refused_together():
    frame = make_frame(300).with_columns(b=pl.lit(None, pl.Float64), _label=pl.lit(1.0))
    rows = usable(make_config(), frame, NOW)

    with pytest.raises(DataError, match=r"feature 'b' has no value at all; all 300 labels are 1"):
        refuse_empty(make_config().features, rows, Span(0, 300))


def test_the_fingerprint_names_the_values_not_the_object():
    frame, names = make_frame(300), ("a", "b", "c")
    changed = frame.with_columns(c=pl.when(pl.col("_key") == "9").then(pl.lit("pink")).otherwise("c"))

    assert fingerprint(frame.clone().rechunk(), names) == fingerprint(frame, names)
    assert fingerprint(changed, names) != fingerprint(frame, names)
