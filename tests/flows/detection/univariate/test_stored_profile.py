import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import ValidationError

from flows.detection.univariate.compare import compare
from flows.detection.univariate.profile import (
    MOST_LEVELS,
    RESOLUTION,
    ReferenceProfile,
    category_profile,
    numeric_profile,
    profile_table,
)
from flows.detection.univariate.ranks import ks_distance, order_statistics
from flows.detection.univariate.statistics import ABSENT

STEP = 1 / (RESOLUTION - 1)
NUMBERS = st.lists(st.floats() | st.none(), max_size=60)
SHAPES = {
    "normal": lambda dice, n: dice.normal(size=n),
    "far from zero": lambda dice, n: 1e6 + dice.normal(size=n),
    "heavy": lambda dice, n: dice.standard_cauchy(n),
    "tiny": lambda dice, n: dice.lognormal(0, 3, n) * 1e-12,
    "counts": lambda dice, n: dice.poisson(3, n) * 1.0,
    "rounded": lambda dice, n: dice.normal(size=n).round(2),
    "half zero": lambda dice, n: np.maximum(dice.normal(size=n), 0),
    "constant": lambda dice, n: np.full(n, 0.1),
}


def made(shape, n, seed=0):
    return pl.Series("x", SHAPES[shape](np.random.default_rng(seed), n))


def wide(rows, seed=0):
    dice = np.random.default_rng(seed)
    numeric = {f"x{i}": dice.normal(i * 10, 1 + i, rows) for i in range(40)}
    return pl.DataFrame(numeric | {f"c{i}": dice.integers(0, 200, rows).astype(str) for i in range(10)})


@given(NUMBERS)
def test_what_is_no_finite_number_is_missing(values):
    found = numeric_profile(pl.Series("x", values, dtype=pl.Float64))
    there = sorted(v for v in values if v is not None and np.isfinite(v))

    assert (found.n, found.missing) == (len(there), len(values) - len(there))
    assert list(found.quantiles) == there


@given(NUMBERS, st.sampled_from(sorted(SHAPES)))
@settings(max_examples=30)
def test_a_profile_survives_its_json(values, shape):
    columns = {"few": pl.Series("x", values, dtype=pl.Float64), "many": made(shape, 3_000)}
    found = ReferenceProfile(rows=1, numeric={name: numeric_profile(column) for name, column in columns.items()})
    back = ReferenceProfile.from_json(found.to_json())

    assert back == found
    assert back.to_json() == found.to_json()
    assert back.digest() == found.digest()


def test_a_profile_of_before_with_its_quantiles_in_the_open_is_read():
    kept = [float(i) for i in range(1001)]
    old = {"rows": 5000, "numeric": {"x": {"n": 5000, "missing": 0, "mean": 500.0, "sd": 288.7, "quantiles": kept}}}

    found = ReferenceProfile.from_json(json.dumps(old))

    assert list(found.numeric["x"].quantiles) == kept
    assert ReferenceProfile.from_json(found.to_json()) == found


@pytest.mark.parametrize("packed", ["AAAA", "eJwDAAAAAAE="])
def test_a_damaged_profile_is_refused(packed):
    with pytest.raises(ValidationError):
        ReferenceProfile.from_json(json.dumps({"rows": 1, "numeric": {"x": {"n": 1, "missing": 0, "packed": packed}}}))


def test_fifty_columns_are_less_than_300_kilobytes_and_hold_no_row():
    frame = wide(20_000)
    found = profile_table(frame, frame.columns[:40], frame.columns[40:])

    assert len(found.to_json()) < 300_000
    assert {len(one.quantiles) for one in found.numeric.values()} == {RESOLUTION}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_rounding_moves_no_quantile_past_a_twentieth_of_a_step(shape):
    column = made(shape, 60_000)
    values, kept = np.sort(column.to_numpy()), np.array(numeric_profile(column).quantiles)
    exact = order_statistics(values, RESOLUTION)
    apart = np.searchsorted(values, kept, "right") - np.searchsorted(values, exact, "right")

    assert np.abs(apart).max() <= 60_000 * STEP / 20
    assert (np.diff(kept) >= 0).all()
    assert (kept[0], kept[-1]) == (values[0], values[-1])


@pytest.mark.parametrize("shape", ["counts", "rounded", "constant"])
def test_values_that_rows_share_are_kept_as_they_are(shape):
    column = made(shape, 60_000)

    assert list(numeric_profile(column).quantiles) == order_statistics(np.sort(column.to_numpy()), RESOLUTION).tolist()


@pytest.mark.parametrize("shift", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_kolmogorov_smirnov_of_a_profile_is_off_by_a_step_at_most_and_its_p_value_never_too_small(shape, shift):
    ours, theirs = made(shape, 30_000), made(shape, 10_000, 1)
    theirs = theirs + shift * (ours.quantile(0.75) - ours.quantile(0.25))
    kept = ReferenceProfile(rows=1, numeric={"x": numeric_profile(ours)})
    (found,), (whole,) = compare(kept, theirs.to_frame()), compare(ours.to_frame(), theirs.to_frame())

    assert whole.ks - 1.1 * STEP <= found.ks <= whole.ks + 0.1 * STEP + 1 / 30_000
    assert found.ks_p >= whole.ks_p - 1e-12


@pytest.mark.parametrize("shape", ["normal", "counts", "half zero", "rounded", "far from zero"])
def test_the_other_statistics_of_a_profile_are_near_those_of_the_table(shape):
    ours, theirs = made(shape, 100_000), made(shape, 50_000, 1) * 1.2 + 0.3
    kept = ReferenceProfile(rows=1, numeric={"x": numeric_profile(ours)})
    (found,), (whole,) = compare(kept, theirs.to_frame()), compare(ours.to_frame(), theirs.to_frame())

    for name in ("psi", "jensen_shannon", "wasserstein", "scaled", "moved"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=0.02, abs=0.004), name
    for name in ("mean", "sd", "reference_mean", "reference_sd", "low", "high", "outliers", "bins", "outside"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-12, abs=2e-3), name


def test_a_short_reference_is_kept_whole_and_gives_what_the_table_gives():
    ours, theirs = made("normal", 900), made("normal", 800, 1)
    kept = ReferenceProfile(rows=1, numeric={"x": numeric_profile(ours)})

    assert compare(kept, theirs.to_frame()) == compare(ours.to_frame(), theirs.to_frame())
    assert ks_distance(np.sort(ours.to_numpy()), np.sort(theirs.to_numpy())) == compare(kept, theirs.to_frame())[0].ks


def test_levels_of_a_profile_give_what_the_table_gives():
    ours, theirs = wide(3_000).select("c0"), wide(2_000, 1).select("c0")
    kept = profile_table(ours, [], ["c0"])

    (found,), (whole,) = compare(ReferenceProfile.from_json(kept.to_json()), theirs), compare(ours, theirs)

    assert (found.bins, found.new_levels) == (whole.bins, whole.new_levels)
    for name in ("chi2", "chi2_p", "psi", "jensen_shannon", "cramers_v_even", "pooled_p"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), abs=1e-12), name


def test_the_most_frequent_levels_are_kept_and_the_others_counted():
    values = [level for i in range(MOST_LEVELS + 5) for level in [f"l{i:04}"] * (2 if i < 3 else 1)]
    found = category_profile(pl.Series("c", [*values, None]))

    assert len(found.counts) == MOST_LEVELS
    assert set(list(found.counts)[:3]) == {"l0000", "l0001", "l0002"}
    assert (found.n, found.missing, found.rest) == (MOST_LEVELS + 8, 1, 5)


def test_beside_levels_that_were_cut_off_none_is_called_new():
    dice = np.random.default_rng(0)
    ours, theirs = (pl.DataFrame({"c": dice.zipf(1.3, n).clip(max=10**6).astype(str)}) for n in (60_000, 10_000))
    (found,) = compare(profile_table(ours, [], ["c"]), theirs)

    assert found.new_levels == ()
    assert found.chi2_p > 1e-3
    assert found.pooled_p > 1e-3


def test_a_profile_knows_its_columns_and_says_what_the_window_lacks():
    kept = profile_table(wide(500), ["x0", "x1", "nowhere"], ["c0"])
    x0, x1, c0 = compare(kept, wide(400, 1).drop("x1"), threads=2)
    (new,) = compare(kept, wide(400, 1), numeric=["x2"])

    assert (x0.kind, c0.kind, x0.error, c0.error) == ("numeric", "categorical", "", "")
    assert (x1.error, x1.reference_n) == (ABSENT, 500)
    assert new.error == "the reference has no such column"


def test_a_parquet_file_is_profiled_column_by_column(tmp_path):
    frame = wide(2_000)
    frame.write_parquet(tmp_path / "a.parquet")
    names = ["x0", "x7"], ["c0"]

    assert profile_table(tmp_path / "a.parquet", *names, threads=2) == profile_table(frame, *names)
