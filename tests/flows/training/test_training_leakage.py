"""Features that look like the answer are found; honest ones are left alone."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from training_making import NOW, make_config, make_frame

from flows.config.load import load_config
from flows.data import prepare, read_table
from flows.errors import DataError
from flows.training.candidate import train_candidate
from flows.training.layout import Span
from flows.training.leakage import leaks, refuse_leaks
from flows.training.rows import usable

ROWS = 2500
PAST, JUDGED = Span(0, 2000), Span(2000, ROWS)
EXAMPLES = Path(__file__).parents[3] / "examples"


def found(task="binary", seed=0, **columns):
    frame = make_frame(ROWS, task=task, seed=seed).with_columns(**columns)
    return leaks(usable(make_config("regression"), frame, NOW), task, PAST, JUDGED)


def shown(task="binary", seed=0, **columns):
    return [(leak.check, leak.feature) for leak in found(task, seed, **columns)]


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_honest_tables_have_no_finding(task):
    assert [seed for seed in range(25) if shown(task, seed)] == []


@pytest.mark.parametrize(
    ("task", "leak"),
    [
        ("binary", pl.col("_label")),
        ("binary", 1 - pl.col("_label")),
        ("binary", 7 + pl.col("_label") * 3 + pl.col("b") / 1000),
        ("regression", pl.col("_label")),
        ("regression", -3 * pl.col("_label") + 5),
        ("regression", pl.col("_label").log()),
        ("regression", pl.col("_label") + pl.col("b") / 100),
    ],
)
def test_a_copy_of_the_answer_is_a_finding(task, leak):
    assert shown(task, b=leak) == [("proxy", "b")]


def test_a_level_that_names_the_answer_is_a_finding():
    level = pl.when(pl.col("_label") == 1).then(pl.lit("refunded")).otherwise(pl.lit("kept"))

    assert shown(c=level) == [("proxy", "c")]


def test_a_class_among_several_that_is_named_by_a_feature_is_a_finding():
    classes = (pl.int_range(ROWS) * 7 % 3).cast(pl.Float64)

    assert shown("multiclass", _label=classes, b=classes * 10) == [("proxy", "b")]


def test_a_feature_that_is_filled_in_after_the_outcome_is_a_finding():
    assert shown(b=pl.when(pl.col("_label") == 1).then("b")) == [("missing", "b")]


def test_the_answer_of_the_next_row_is_a_finding():
    assert shown("regression", b=pl.col("_label").shift(-1)) == [("future", "b")]


def test_the_answer_of_the_row_before_is_none_though_the_target_persists():
    walk = pl.Series(np.cumsum(np.random.default_rng(3).normal(size=ROWS)))

    assert shown("regression", _label=walk, b=walk.shift(1)) == []
    assert shown("regression", _label=walk, b=walk.shift(-1)) == [("future", "b")]


def test_parts_that_add_up_to_the_answer_are_a_finding():
    part = 500 + 50 * pl.col("b")

    (leak,) = found("regression", a=pl.col("_label") - part, b=part)

    assert leak.check == "sum"
    assert leak.said.startswith("A weighted sum of 'a', 'b' is the answer (100.00% of the variance)")


def test_a_constant_feature_is_none():
    assert shown(b=pl.lit(1.0)) == []


def test_rows_on_both_sides_of_the_split_are_a_finding():
    old = pl.int_range(ROWS) % 2000
    twins = {name: pl.col(name).gather(old) for name in ("a", "b", "c")}

    (leak,) = found(**twins)

    assert (leak.check, leak.value) == ("twins", 1.0)


def test_coarse_rows_have_twins_by_chance():
    assert shown(a=pl.col("a") // 10, b=pl.col("b").round(0)) == []


def test_too_few_rows_say_nothing():
    rows = usable(make_config(), make_frame(150).with_columns(b=pl.col("_label")), NOW)

    assert leaks(rows, "binary", Span(0, 99), Span(99, 150)) == ()


def test_all_findings_are_refused_at_once():
    with pytest.raises(DataError, match=r"'a' alone tells.*'b' is missing"):
        refuse_leaks(found(a=pl.col("_label"), b=pl.when(pl.col("_label") == 1).then("b")))


def test_no_finding_refuses_nothing():
    assert refuse_leaks(()) is None


@pytest.mark.skipif("UNDERSTUDY_DATA" not in os.environ, reason="UNDERSTUDY_DATA names no folder of real tables")
@pytest.mark.parametrize("name", ["bikes", "bank", "electricity"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_real_tables_have_no_finding(name, share):
    config = load_config(EXAMPLES / f"{name}.yaml")
    frame = prepare(config, read_table(str(config.data.source))).filter(pl.col("_label").is_not_null())
    rows = usable(config, frame, datetime(2030, 1, 1, tzinfo=UTC))
    cut = int(share * len(rows.labels))

    assert leaks(rows, config.task, Span(0, cut), Span(cut, len(rows.labels))) == ()


def candidate(leakage, frame):
    training = {"leakage": leakage, "families": ["linear"], "trials": 1}
    return train_candidate(
        make_config(training=training), frame, champion=None, champion_scorer=None, seed=0, as_of=NOW
    )


def test_a_warning_stands_in_the_card_and_the_training_goes_on():
    made = candidate("warn", make_frame().with_columns(b=pl.col("_label"), c=pl.lit("red")))

    assert [warning.split(" (")[0] for warning in made.warnings] == [
        "Feature 'b' alone tells the answer",
        "Feature 'c' is 'red' in all 1200 rows: nothing is learned.",
    ]
    assert all(warning in made.files["card.md"].decode() for warning in made.warnings)


def test_leaks_can_be_refused_or_not_looked_for():
    leaking = make_frame().with_columns(b=pl.col("_label"))

    with pytest.raises(DataError, match="'b' alone tells"):
        candidate("refuse", leaking)
    assert candidate("off", leaking).warnings == ()
