"""Early stopping on a fold whose labels have moved."""

import numpy as np
import polars as pl

from flows.config.data import Features
from flows.training.families.boosting import LEAST_ROUNDS, START, Boosting
from flows.training.families.family import Fold, Setting, fit
from flows.training.rows import Sample


def sample(level, seed, rows=600):
    dice = np.random.default_rng(seed)
    x = dice.normal(size=rows)
    labels = (dice.random(rows) < 1 / (1 + np.exp(-(level + x)))).astype(float)
    return Sample(pl.DataFrame({"x": x}), labels)


def test_a_level_that_moved_leaves_a_model_that_still_ranks():
    family = Boosting(features=Features(numeric=("x",)), task="binary", seed=0, threads=1)
    # What is common now was rare before: every tree that is sure of it is punished by the loss.
    fold = Fold(past=sample(-3.0, 1), future=Sample(sample(0.0, 2).features, np.ones(600)))
    setting = family.adapt(Setting("xgboost", START), fold)

    assert setting.params["n_estimators"] >= LEAST_ROUNDS
    assert np.unique(family.scores(fit(family, setting, fold.past), fold.future)).size > 20
