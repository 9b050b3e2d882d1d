"""The stream of leads is what its description says."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.metrics import roc_auc_score

from flows.config.load import load_config
from flows.data import prepare
from flows.demo.leads import ABRUPT_AT, EVERY, drift_starts, leads
from flows.demo.show import CONFIG
from registry.scoring.scorer import level_of

END = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def stream():
    return leads(8000, seed=7, end=END)


def test_the_same_seed_gives_the_same_leads(stream):
    assert_frame_equal(stream, leads(8000, seed=7, end=END))


def test_another_seed_gives_other_leads(stream):
    assert not stream.equals(leads(8000, seed=8, end=END))


def test_leads_come_every_three_minutes_and_the_last_one_now(stream):
    times = stream["asked_at"]

    assert times.max() == END
    assert set(times.diff().drop_nulls()) == {EVERY}


def test_some_values_are_missing_where_it_says_so(stream):
    gaps = {name: stream[name].null_count() / stream.height for name in stream.columns}

    assert gaps["age"] == pytest.approx(0.08, abs=0.015)
    assert gaps["minutes"] == pytest.approx(0.04, abs=0.01)
    assert gaps["channel"] == pytest.approx(0.03, abs=0.01)
    assert sum(share > 0 for share in gaps.values()) == 3


def test_only_those_who_buy_bring_revenue(stream):
    revenue = stream.group_by("converted").agg(pl.col("revenue").min().alias("low"), pl.col("revenue").max())

    assert dict(zip(revenue["converted"], revenue["revenue"] > 0, strict=True)) == {"yes": True, "no": False}
    assert revenue.filter(pl.col("converted") == "yes")["low"][0] > 0


def test_enough_leads_buy_before_and_after_the_drift(stream):
    bought = (stream["converted"] == "yes").to_numpy()
    begin = int(len(bought) * ABRUPT_AT)

    assert 0.25 < bought[:begin].mean() < 0.6
    assert 0.25 < bought[begin:].mean() < 0.6


def test_what_was_learned_before_the_abrupt_drift_is_worth_little_after_it(stream):
    from sklearn.linear_model import LogisticRegression

    rows = stream.fill_null(strategy="zero")
    columns = [np.log1p(rows[name].cast(pl.Float64)) for name in ("pages", "minutes", "quote", "discount", "visits")]
    x, y = np.stack(columns, axis=1), (rows["converted"] == "yes").to_numpy()
    model = LogisticRegression().fit(x[:2500], y[:2500])
    score = model.predict_proba(x)[:, 1]

    assert roc_auc_score(y[2500:3200], score[2500:3200]) > 0.75
    assert roc_auc_score(y[3300:4500], score[3300:4500]) < 0.6


def test_the_abrupt_drift_begins_at_its_row(stream):
    assert stream["asked_at"][int(8000 * ABRUPT_AT)] == drift_starts(8000, END)


def test_the_bundled_configuration_fits_the_stream(stream):
    config = load_config(CONFIG)

    frame = prepare(config, stream)

    assert frame.height == stream.height
    assert set(frame["_label"].unique()) == {0.0, 1.0}
    assert level_of(frame["channel"].drop_nulls()[0]) in {"search", "social", "referral", "email", "partner"}
