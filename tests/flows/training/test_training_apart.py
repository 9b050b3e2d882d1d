"""What is judged stays apart from what is learned: in time by a gap, and by keys."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_making import HOUR, NOW, make_config, make_frame

from flows.errors import DataError
from flows.training.candidate import train_candidate
from flows.training.layout import Span, before
from flows.training.rows import usable


@given(
    steps=st.lists(st.integers(0, 5), min_size=2, max_size=200),
    gap=st.integers(0, 20),
    place=st.floats(0, 1),
)
def test_no_row_is_learned_from_that_is_closer_than_the_gap(steps, gap, place):
    times = np.cumsum(steps).astype(float)
    first = min(int(place * len(times)), len(times) - 1)

    past = before(times, first, None, gap=float(gap))

    assert past.stop <= first
    assert (times[first] - times[past.start : past.stop] >= gap).all()
    assert gap == 0 or (times[first] - times[past.stop : first] < gap).all()


@given(
    keys=st.lists(st.one_of(st.none(), st.sampled_from(["ann", "bob", "", "0"])), min_size=40, max_size=40),
    cut=st.integers(1, 39),
)
def test_a_key_that_is_judged_on_is_never_learned_from(keys, cut):
    frame = make_frame(40).with_columns(_key=pl.Series(keys, dtype=pl.String))
    rows = usable(make_config(training={"grouped": True}), frame, NOW)
    past, future = Span(0, cut), Span(cut, 40)

    learned = rows.sample(past, judged=future)

    judged = {key for key in keys[cut:] if key is not None}
    kept = [n for n, key in enumerate(keys[:cut]) if key is None or key not in judged]
    assert learned.labels.tolist() == rows.labels[kept].tolist()
    assert learned.features.equals(rows.cut(past).select(rows.names)[kept])


def test_weights_stay_with_their_rows():
    frame = make_frame(10).with_columns(_key=pl.Series(["a", "b"] * 5))
    rows = usable(make_config(training={"grouped": True, "recency": "3h"}), frame, NOW)

    learned = rows.sample(Span(0, 9), judged=Span(9, 10))

    ages = 8 - np.arange(0, 9, 2)
    assert learned.weights / learned.weights[-1] == pytest.approx(0.5 ** (ages / 3))


def test_without_groups_all_of_the_past_is_learned_from():
    frame = make_frame(10).with_columns(_key=pl.lit("ann"))

    assert len(usable(make_config(), frame, NOW).sample(Span(0, 9), judged=Span(9, 10)).labels) == 9


def test_a_table_without_keys_cannot_be_grouped():
    with pytest.raises(DataError, match="no key"):
        usable(make_config(training={"grouped": True}), make_frame(300).drop("_key"), NOW)


def test_a_training_with_gap_and_groups_ends_in_a_candidate():
    frame = make_frame(900).with_columns(_key=pl.Series([str(n // 3) for n in range(900)]))
    training = {"gap": "5h", "grouped": True, "families": ["linear"], "trials": 1}

    made = train_candidate(
        make_config(training=training), frame, champion=None, champion_scorer=None, seed=0, as_of=NOW
    )

    assert made.metrics["auc"] > 0.7
    assert made.holdout.times[0] - HOUR * 5 > frame["_time"][0]


def refusal_of(frame, **training):
    with pytest.raises(DataError) as refused:
        train_candidate(
            make_config(training={"families": ["linear"], "trials": 0} | training),
            frame,
            champion=None,
            champion_scorer=None,
            seed=0,
            as_of=NOW,
        )
    return str(refused.value)


def test_a_gap_longer_than_the_data_is_named():
    said = refusal_of(make_frame(), gap="100d")

    assert "training.gap" in said
    assert "row 1200 of 1500" in said


@pytest.mark.parametrize("keys", [["k"] * 1500, ["a"] * 600 + ["b"] * 600 + ["a", "b"] * 150], ids=["one", "all"])
def test_a_holdout_that_holds_every_key_is_refused_by_name(keys):
    said = refusal_of(make_frame().with_columns(_key=pl.Series(keys)), grouped=True)

    assert "Of the 1200 rows before the holdout, 0 are of keys that are not in it (training.grouped)" in said


def test_folds_that_hold_every_key_are_refused_by_name():
    keys = ["a"] * 1120 + ["b"] * 80 + ["c"] * 300

    said = refusal_of(make_frame().with_columns(_key=pl.Series(keys)), grouped=True)

    assert "0 rows are left to learn from by training.grouped" in said
