"""From a table of requests to comparisons."""

import math

import numpy as np
import polars as pl
import pytest

from flows.comparison.frames import compare_frame
from flows.errors import DataError
from flows.stats.moments import CoMoments, Moments
from flows.stats.sequential.asymptotic import unit_sequence
from flows.stats.unpaired.means import welch
from flows.stats.unpaired.ratios import key_moments, ratio_moments

RNG = np.random.default_rng(0)
ROWS = 2000
KEYS = RNG.integers(0, 300, ROWS)
TABLE = pl.DataFrame(
    {
        "arm": np.where(KEYS % 2 == 0, "champion", "challenger"),
        "customer": KEYS,
        "gain": RNG.normal(size=ROWS) + (KEYS % 7),
        "far": RNG.normal(size=ROWS) + 1e8,
        "won": RNG.random(ROWS) < 0.3,
        "spent": RNG.integers(1, 9, ROWS),
    }
)


def values(arm, column):
    return TABLE.filter(pl.col("arm") == arm)[column].cast(pl.Float64).to_numpy()


def test_rows_are_compared_as_welch_does():
    found = compare_frame(TABLE, variant="arm", metrics=["gain", "far", "won"], key=None)

    for name in ("gain", "won"):
        ours, theirs = Moments.of(values("champion", name)), Moments.of(values("challenger", name))
        assert found.effect(name).log_p == pytest.approx(welch(ours, theirs).log_p, rel=1e-9)
    assert found.unit == "row"
    near = Moments.of(values("champion", "far") - 1e8)
    assert found.champion[1].variance == pytest.approx(near.variance, rel=1e-5)


def test_requests_of_a_key_are_compared_by_key():
    found = compare_frame(TABLE, variant="arm", metrics=["gain", "far"], key="customer")
    owner = TABLE.filter(pl.col("arm") == "champion")["customer"].to_numpy()
    counts = np.bincount(owner)
    sums = np.bincount(owner, weights=values("champion", "gain"))

    assert found.champion[0] == pytest.approx(key_moments(counts[counts > 0], sums[counts > 0]), rel=1e-9)
    assert found.results.n[0] == min(arm["customer"].n_unique() for arm in TABLE.partition_by("arm"))
    rows = compare_frame(TABLE, variant="arm", metrics=["gain"], key=None)
    assert found.champion[0].mean == pytest.approx(rows.champion[0].mean, rel=1e-12)
    assert found.champion[0].error > 1.5 * rows.champion[0].error
    assert found.champion[1].error == pytest.approx(1 / math.sqrt(1000), rel=0.2)


def test_the_always_valid_interval_is_that_of_the_sequence_by_key():
    found = compare_frame(TABLE, variant="arm", metrics=["gain"], key="customer").results
    arms = []
    for arm in ("champion", "challenger"):
        owner = TABLE.filter(pl.col("arm") == arm)["customer"].to_numpy()
        counts, sums = np.bincount(owner), np.bincount(owner, weights=values(arm, "gain"))
        arms.append(CoMoments.of(counts[counts > 0], sums[counts > 0]))
    always = unit_sequence(*arms)

    assert (found.always_low[0], found.always_high[0], found.always_log_p[0]) == pytest.approx(
        (always.low, always.high, always.log_p), rel=1e-6
    )


def test_ratios_of_columns():
    by_key = compare_frame(TABLE, variant="arm", metrics=["gain"], key="customer", ratios={"share": ("won", "spent")})
    by_row = compare_frame(TABLE, variant="arm", metrics=[], key=None, ratios={"share": ("won", "spent")})
    plain = values("champion", "won").sum() / values("champion", "spent").sum()

    assert by_key.metrics == ("gain", "share")
    assert by_key.champion[1].mean == pytest.approx(plain, rel=1e-12)
    assert by_row.champion[0].mean == pytest.approx(plain, rel=1e-12)
    assert ratio_moments((0, 0.0, 0.0, 0.0, 0.0, 0.0)).n == 0


def test_rows_of_other_arms_are_left_out():
    others = TABLE.with_columns(arm=pl.lit("holdout"), gain=pl.lit(math.nan))
    both = pl.concat([TABLE, others])

    for key in (None, "customer"):
        alone = compare_frame(TABLE, variant="arm", metrics=["gain"], key=key).effect("gain")
        found = compare_frame(both, variant="arm", metrics=["gain"], key=key).effect("gain")
        # Keys are added up in any order.
        assert (found.n, found.low, found.log_p) == pytest.approx((alone.n, alone.low, alone.log_p), rel=1e-9)


def test_keys_of_both_arms_are_refused_with_count_and_mend():
    mixed = TABLE.with_columns(arm=pl.when(pl.col("customer") < 3).then(pl.lit("champion")).otherwise(pl.col("arm")))
    mixed = pl.concat([mixed, TABLE.filter(pl.col("customer") == 1)])

    with pytest.raises(DataError, match=r"1 of \d+ values of customer have rows of both champion and challenger") as e:
        compare_frame(mixed, variant="arm", metrics=["gain"], key="customer")
    assert "Drop those keys" in e.value.mend


@pytest.mark.parametrize("key", [None, "customer"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_is_refused_with_column_count_and_mend(key, bad):
    hurt = TABLE.with_columns(gain=pl.when(pl.int_range(ROWS) < 7).then(pl.lit(bad)).otherwise(pl.col("gain")))

    with pytest.raises(DataError, match=f"gain 7 of {ROWS}") as e:
        compare_frame(hurt, variant="arm", metrics=["far", "gain"], key=key)
    assert "Drop those rows" in e.value.mend


def test_missing_keys_are_refused():
    hurt = TABLE.with_columns(customer=pl.when(pl.int_range(ROWS) < 2).then(None).otherwise(pl.col("customer")))

    with pytest.raises(DataError, match=f"empty: customer 2 of {ROWS}"):
        compare_frame(hurt, variant="arm", metrics=["gain"], key="customer")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"metrics": ["gone", "lost"]}, "2 columns are not in the table: gone, lost"),
        ({"variant": "who"}, "1 column is not in the table: who"),
        ({"key": "who"}, "1 column is not in the table: who"),
        ({"metrics": ["arm"]}, "1 metric is of words: arm"),
        ({"champion": "red"}, "No row of 2000 has arm = red"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(how, said):
    with pytest.raises(DataError, match=said):
        compare_frame(TABLE, **({"variant": "arm", "metrics": ["gain"], "key": None} | how))


def test_a_denominator_of_0_and_values_too_large_are_refused():
    hurt = TABLE.with_columns(zero=pl.lit(0.0), huge=pl.when(pl.int_range(ROWS) < 5).then(1e300).otherwise(0.0))

    with pytest.raises(DataError, match="denominator is 0 on average"):
        compare_frame(hurt, variant="arm", metrics=[], key="customer", ratios={"r": ("won", "zero")})
    with pytest.raises(DataError, match="huge has values too large"):
        compare_frame(hurt, variant="arm", metrics=["huge"], key=None)
