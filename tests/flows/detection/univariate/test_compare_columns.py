import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.detection.univariate.compare import compare
from flows.detection.univariate.statistics import ABSENT, ColumnStatistics

ROBUST = ("ks", "ks_p", "psi", "jensen_shannon", "scaled", "moved", "outliers", "bins")
COLUMNS = st.sampled_from([
    pl.Series("x", [1.0, 2.0, None]),
    pl.Series("x", [None, None]),
    pl.Series("x", [], dtype=pl.Float64),
    pl.Series("x", [float("inf"), float("nan"), -float("inf")]),
    pl.Series("x", [7]),
    pl.Series("x", ["a", "1", None]),
    pl.Series("x", [True, None]),
    pl.Series("x", [[1], [2]]),
    pl.Series("x", [b"1"]),
    pl.Series("x", [{"a": 1}]),
    pl.Series("x", [object(), 1], dtype=pl.Object),
    pl.Series("x", [0, 10**9], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
    pl.Series("x", [1, 2], dtype=pl.Int32).cast(pl.Date),
    pl.Series("x", [-1.7e308, 1.7e308]),
    pl.Series("x", [5e-324, 0.0]),
    pl.Series("x", ["a", "b"], dtype=pl.Categorical),
    pl.Series("x", [1, 2]).cast(pl.Decimal(10, 2)),
])  # fmt: skip


def table(rows=2_000, seed=0, shift=0.0):
    dice = np.random.default_rng(seed)
    return pl.DataFrame({
        "x": dice.normal(shift, 1, rows),
        "count": dice.poisson(3, rows),
        "c": dice.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
    })  # fmt: skip


def one(reference, current, **options):
    (found,) = compare(reference.to_frame("x"), current.to_frame("x"), **options)
    return found


def test_every_column_is_measured_by_what_its_type_says():
    x, count, c = compare(table(), table(seed=1))

    assert [x.kind, count.kind, c.kind] == ["numeric", "numeric", "categorical"]
    assert None not in [getattr(x, name) for name in (*ROBUST, "wasserstein", "mean", "sd", "low", "high", "outside")]
    assert None not in (c.chi2, c.chi2_p, c.cramers_v_even, c.cramers_v, c.pooled_p, c.psi, c.jensen_shannon)
    assert (x.bins, c.bins, c.new_levels, x.error, c.error) == (10, 3, (), "", "")


def test_names_and_kinds_can_be_given():
    found = compare(table(), table(seed=1), numeric=["x"], categorical=["count"])

    assert [(column.name, column.kind) for column in found] == [("x", "numeric"), ("count", "categorical")]


def test_threads_change_nothing():
    assert compare(table(), table(seed=1), threads=4) == compare(table(), table(seed=1))


@pytest.mark.parametrize("kind", ["path", "text", "query"])
def test_a_parquet_file_gives_what_the_table_gives(tmp_path, kind):
    path = tmp_path / "reference.parquet"
    table().write_parquet(path)
    opened = {"path": path, "text": str(path), "query": pl.scan_parquet(path)}[kind]

    assert compare(opened, table(seed=1)) == compare(table(), table(seed=1))


def test_columns_may_be_called_like_patterns(tmp_path):
    table = pl.DataFrame({"*": [1.0, 2.0, 3.0], "^x.*$": [4.0, 5.0, 6.0], "x1": [7.0, 8.0, 9.0]})
    table.write_parquet(tmp_path / "t.parquet")

    found = {one.name: one.low for one in compare(tmp_path / "t.parquet", tmp_path / "t.parquet")}
    assert found == {"*": 1.0, "^x.*$": 4.0, "x1": 7.0}


def test_bins_may_be_equally_wide():
    by_width, by_deciles = (one(table()["x"], table(seed=1)["x"], binning=b) for b in ("width", "quantile"))

    assert by_width.psi != by_deciles.psi
    assert by_width.ks == by_deciles.ks


@pytest.mark.parametrize("side", ["reference", "current"])
def test_one_value_of_a_million_changes_nothing_but_the_mean(side):
    sides = {"reference": table(50_000)["x"], "current": table(50_000, 1, 0.5)["x"]}
    before = one(**sides)
    sides[side] = sides[side].scatter(7, 1e6)
    after = one(**sides)

    for name in ROBUST:
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=0.02), name
    assert after.wasserstein > 10


def test_missing_infinite_and_foreign_values_are_counted_apart():
    now = pl.Series("x", ["1", "2", None, "inf", "abc", "nan"])
    found = one(pl.Series("x", [1.0, 2.0, 3.0]), now)

    assert (found.n, found.missing, found.infinite, found.foreign) == (2, 4, 1, 1)
    assert "types differ" in found.note


def test_new_and_vanished_levels_are_named_with_their_share():
    found = one(pl.Series("x", ["a"] * 8 + ["b"] * 2), pl.Series("x", ["a"] * 6 + ["d"] + ["c"] * 3))

    assert found.new_levels == (("c", 0.3), ("d", 0.1))
    assert found.vanished_levels == (("b", 0.2),)
    assert (found.new_count, found.new_share, found.vanished_count) == (2, 0.4, 1)


def test_a_column_of_names_of_its_own_tells_only_the_first_twenty():
    found = one(pl.Series("x", ["a"] * 100), pl.Series("x", [f"id {i}" for i in range(100)]))

    assert (len(found.new_levels), found.new_count, found.new_share) == (20, 100, 1.0)


@pytest.mark.parametrize(
    ("reference", "current", "said"),
    [
        ([None, None], [1.0, 2.0], "the reference has no numbers: of 2 rows 2 are missing"),
        ([1.0, 2.0], [None, None], "the window has no numbers: of 2 rows 2 are missing"),
        ([1.0, 2.0], ["a", "b", None], "the window has no numbers: of 3 rows 1 are missing, 2 are no numbers"),
        ([1.0], [float("inf")], "the window has no numbers: of 1 rows 1 are infinite"),
        (["a"], [None], "the window has no values: all of its 1 rows are missing"),
        ([[1]], [[2]], "columns of type List(Int64) cannot be compared"),
    ],
)
def test_what_cannot_be_measured_is_said(reference, current, said):
    assert one(pl.Series("x", reference), pl.Series("x", current)).error == said


def test_an_empty_window_is_said():
    assert one(table()["x"], table()["x"].head(0)).error == "the window has no numbers: it has no rows"
    assert one(table()["c"].head(0), table()["c"]).error == "the reference has no values: it has no rows"


def test_a_column_of_one_side_is_said_and_the_others_are_measured():
    x, count, c, extra = compare(table(), table(seed=1).drop("c").with_columns(extra=1))

    assert (c.error, c.reference_n, c.n) == (ABSENT, 2_000, 0)
    assert (extra.error, extra.n) == ("the reference has no such column", 0)
    assert x.ks is not None
    assert count.ks is not None


def test_no_common_column_is_said_of_each():
    found = compare(table().select("x"), table().select("c"), numeric=["x", "nowhere"])

    assert [column.error for column in found] == [ABSENT, "neither side has this column"]


def test_constants_are_measured_without_a_spread():
    still = one(pl.Series("x", [3.0] * 50), pl.Series("x", [3.0] * 40))
    moved = one(pl.Series("x", [3.0] * 50), pl.Series("x", [4.0] * 40))

    assert (still.ks, still.psi, still.scaled, still.outliers, still.sd) == (0.0, 0.0, None, 0.0, 0.0)
    assert (moved.ks, moved.wasserstein, moved.outside) == (1.0, 1.0, 1.0)
    assert moved.psi > 1


@pytest.mark.parametrize(
    ("ours", "theirs", "error", "note"),
    [
        ("UTC", "Europe/Berlin", "", "compared as instants"),
        (None, "UTC", "time zones differ: none in the reference, UTC in the window", ""),
        ("UTC", "UTC", "", ""),
    ],
)
def test_time_zones_that_differ_are_said(ours, theirs, error, note):
    moments = pl.Series("x", range(0, 10**12, 10**10)).cast(pl.Datetime("us"))
    found = one(moments.cast(pl.Datetime("us", ours)), moments.cast(pl.Datetime("ms", theirs)))

    assert found.error == error
    assert note in found.note
    assert found.ks == (None if error else 0.0)


def test_times_and_numbers_are_not_compared():
    found = one(pl.Series("x", [1, 2]).cast(pl.Datetime), pl.Series("x", [1.0, 2.0]))

    assert "types differ: Datetime" in found.error


def test_a_column_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    path = tmp_path / "current.parquet"
    table(seed=1).write_parquet(path)
    broken = pl.scan_parquet(path).with_columns(x=pl.col("c").cast(pl.Float64, strict=True))
    x, count, c = compare(table(), broken)

    assert "it cannot be read or measured: InvalidOperationError" in x.error
    assert count.ks is not None
    assert c.chi2 is not None


@settings(max_examples=60)
@given(COLUMNS, COLUMNS, st.sampled_from(["numeric", "categorical"]))
def test_no_pair_of_columns_is_an_exception_and_every_answer_survives_its_json(reference, current, kind):
    found = one(reference, current, **{kind: ["x"]})

    assert "cannot be read or measured" not in found.error
    assert ColumnStatistics.from_json(found.to_json()) == found


@given(st.integers(2, 300), st.integers(2, 300), st.floats(-3, 3))
@settings(max_examples=30)
def test_swapping_the_sides_keeps_the_distances(n, m, shift):
    ours, theirs = table(n)["x"], table(m, 1, shift)["x"]
    there, back = one(ours, theirs), one(theirs, ours)

    assert (there.ks, there.wasserstein) == pytest.approx((back.ks, back.wasserstein), abs=1e-12)
    assert there.ks_p == pytest.approx(back.ks_p, abs=1e-12)
