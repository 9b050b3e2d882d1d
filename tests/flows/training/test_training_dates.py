"""Dates: the same parts of them in training and in serving, from the table to the answer."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from training_making import NOW, make_config

from flows.data.prepare import prepare
from flows.data.rows import feature_rows
from flows.training.candidate import train_candidate
from registry.scoring.scorer import Scorer

FEATURES = {"numeric": ["a"], "dates": ["sent"]}


def dated_table(rows=1500, task="binary"):
    """A target that depends on nothing but weekday and hour: office hours, Monday to Friday, in UTC."""
    dice = np.random.default_rng(5)
    moments = [NOW - timedelta(minutes=float(m)) for m in dice.uniform(0, 300 * 24 * 60, rows)]
    busy = np.array([m.weekday() < 5 and 8 <= m.hour < 20 for m in moments], dtype=float)
    value = busy if task == "binary" else 5 * busy + dice.normal(scale=0.1, size=rows)
    sent = [None if n % 50 == 0 else m.isoformat() for n, m in enumerate(moments)]
    seen = [NOW.timestamp() - 3600 * (rows - n) for n in range(rows)]
    return pl.DataFrame({"a": dice.normal(size=rows), "sent": sent, "y": value, "seen": seen})


def trained(family, task="binary", features=FEATURES):
    config = make_config(
        task, features=features, data={"time": "seen"}, training={"families": [family], "refit": False}
    )
    frame = prepare(config, dated_table(task=task))
    return config, frame, train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW)


@pytest.mark.parametrize(
    ("family", "least"), [("xgboost", 0.97), ("lightgbm", 0.97), ("forest", 0.97), ("linear", 0.85), ("mlp", 0.9)]
)
def test_every_family_learns_weekday_and_hour_and_is_served_as_it_was_fitted(family, least):
    config, frame, candidate = trained(family)

    rows = feature_rows(config, frame.tail(300))
    scorer = Scorer.of(candidate.files)
    assert candidate.metrics["auc"] >= least
    assert scorer.serving == "compiled"
    assert scorer.score(rows) == pytest.approx(candidate.holdout.challenger, abs=1e-6)
    assert [f.kind for f in candidate.features] == ["numeric", "date"]


def test_an_estimator_of_ones_own_is_served_with_its_dates_as_it_is():
    config, frame, candidate = trained("sklearn.naive_bayes:GaussianNB")

    scorer = Scorer.of(candidate.files)
    assert scorer.serving == "original"
    assert candidate.metrics["auc"] >= 0.95
    assert scorer.score(feature_rows(config, frame.tail(300))).tolist() == candidate.holdout.challenger.tolist()


def test_a_model_may_see_nothing_but_a_date():
    _, _, candidate = trained("linear", features={"dates": ["sent"]})

    assert candidate.metrics["auc"] >= 0.85
    assert [feature.name for feature in candidate.features] == ["sent"]


def test_weekday_and_hour_tell_a_number_too():
    _, _, candidate = trained("xgboost", task="regression")

    assert candidate.metrics["r2"] >= 0.85


def test_a_date_is_part_of_the_schema():
    _, _, candidate = trained("linear")
    date = candidate.features[1]

    assert (date.name, date.kind, date.levels) == ("sent", "date", ())
    assert NOW.timestamp() - 300 * 86_400 <= date.low < date.high <= NOW.timestamp()
