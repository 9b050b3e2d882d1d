"""Bad columns are named and left out; too little data is said to be that."""

from datetime import UTC, datetime

import joint_making
import numpy as np
import polars as pl
import pytest

from flows.config.detection.joint import Joint
from flows.detection.joint.drift import joint_drift
from flows.detection.joint.profile import joint_profile

PLAIN = Joint(classifier_rows=0)
QUICK = Joint(classifier_rows=300, permutations=19)
ROWS = 1500


@pytest.mark.parametrize("rows", [(0, 2000), (2000, 0), (999, 2000), (2000, 1)])
def test_too_few_rows_are_not_enough_and_never_no_drift(rows):
    found = joint_drift(joint_making.table(1, rows[0]), joint_making.table(2, rows[1]), PLAIN, 1)

    assert not found.enough
    assert "not enough data" in found.said
    assert found.metrics()["joint_drift"] is None


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        (pl.DataFrame(), pl.DataFrame()),
        (pl.DataFrame({"a": [1.0] * ROWS}), pl.DataFrame({"b": [1.0] * ROWS})),
        (pl.DataFrame({"a": np.arange(ROWS)}), pl.DataFrame({"a": np.arange(ROWS)})),
        (pl.DataFrame({"a": [None] * ROWS, "b": [1] * ROWS}), pl.DataFrame({"a": [None] * ROWS, "b": [1] * ROWS})),
    ],
)
def test_tables_without_two_comparable_columns_are_not_enough(reference, current):
    assert not joint_drift(reference, current, QUICK, 1).enough


SPOILT = {
    "null": pl.Series([None] * ROWS, dtype=pl.Float64),
    "constant": pl.Series([3.0] * ROWS),
    "infinite": pl.Series([np.inf] * ROWS),
    "text": pl.Series(["much"] * ROWS),
    "moments": pl.Series([datetime(2026, 3, 1, tzinfo=UTC)] * ROWS),
    "lists": pl.Series([[1.0, 2.0]] * ROWS),
    "objects": pl.Series([object()] * ROWS, dtype=pl.Object),
    "identifiers": pl.Series([f"id {place}" for place in range(ROWS)]),
}


@pytest.mark.parametrize("side", ["reference", "current"])
@pytest.mark.parametrize("name", SPOILT)
def test_a_bad_column_is_named_and_the_rest_is_still_looked_at(name, side):
    tables = {"reference": joint_making.table(1, ROWS), "current": joint_making.table(2, ROWS, correlation=0)}
    tables[side] = tables[side].with_columns(SPOILT[name].alias("x5"))

    found = joint_drift(tables["reference"], tables["current"], QUICK, 1)

    assert found.drifted
    assert "x5" in found.left_out
    assert set(found.features[:2]) == {"x0", "x1"}


def test_a_column_that_is_gone_is_named():
    reference, current = joint_making.table(1), joint_making.table(2, correlation=0).drop("x4")

    for was in (reference, joint_profile(reference, PLAIN)):
        found = joint_drift(was, current, PLAIN, 1)
        assert found.drifted
        assert found.left_out == {"x4": "the window has no such column"}


def test_a_column_that_only_the_window_has_is_not_looked_at():
    current = joint_making.table(2).with_columns(more=pl.lit(1))

    assert joint_drift(joint_making.table(1), current, PLAIN, 1).left_out == {}


@pytest.mark.parametrize("infinite", [np.inf, -np.inf, np.nan, None])
def test_some_unusable_values_count_as_missing(infinite):
    current = joint_making.table(2).with_columns(
        x0=pl.when(pl.row_index() % 10 == 0).then(pl.lit(infinite)).otherwise("x0")
    )

    found = joint_drift(joint_making.table(1), current, QUICK, 1)

    assert found.enough
    assert not found.drifted


def test_a_level_that_has_vanished_leaves_its_column_out():
    reference = joint_making.table(1, kind="mixed")
    current = joint_making.table(2, 4000, kind="mixed").filter(pl.col("x9") == "no")

    found = joint_drift(reference, current, PLAIN, 1)

    assert found.left_out == {"x9": "it has all but lost 'yes'"}


def test_a_new_level_has_no_weight():
    reference = joint_making.table(1, kind="mixed")
    current = joint_making.table(2, kind="mixed").with_columns(
        x9=pl.when(pl.row_index() % 20 == 0).then(pl.lit("perhaps")).otherwise("x9")
    )

    found = joint_drift(reference, current, QUICK, 1)

    assert not found.drifted
    assert found.effective <= 1900


def test_whole_numbers_of_another_type_are_the_same_levels():
    rng = np.random.default_rng(0)
    reference = pl.DataFrame({"flag": rng.integers(0, 2, ROWS), "x": rng.normal(size=ROWS)})
    current = reference.with_columns(pl.col("flag").cast(pl.Float32))

    found = joint_drift(reference, current, PLAIN, 1)

    assert found.enough
    assert found.left_out == {}
    assert found.pairs[0].was == pytest.approx(found.pairs[0].now, abs=1e-4)


def test_many_rare_levels_are_looked_at_in_groups():
    def towns(seed: int, *, tied: bool) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        town = rng.integers(0, 200, 4000)
        height = (rng.normal(size=200)[town] if tied else rng.normal(size=4000)) + 0.1 * rng.normal(size=4000)
        return pl.DataFrame({"town": [f"town {place}" for place in town], "height": height})

    found = joint_drift(towns(1, tied=True), towns(2, tied=False), PLAIN, 1)
    still = joint_drift(towns(1, tied=True), towns(1, tied=True).sample(fraction=1.0, seed=3), PLAIN, 1)

    assert found.drifted
    assert set(found.features) == {"town", "height"}
    assert not still.drifted
