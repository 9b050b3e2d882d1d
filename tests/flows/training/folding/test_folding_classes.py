"""Classifiers of several classes: what is compiled says what was fitted."""

import warnings
from functools import cache

import numpy as np
import polars as pl
import pytest
from pipelines_making import CATEGORICAL, NUMERIC, filled, one_hot, ordinal, prepared, table
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from flows.training.folding.errors import CannotFold
from flows.training.folding.fold import fold
from registry.scoring.scorer import Scorer, scorer_files

CLASSES = ("low", "middle", "high", "top")


def lightgbm():
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=9, num_leaves=7, verbose=-1, n_jobs=1)


def xgboost():
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=9, max_depth=4, n_jobs=1)


MODELS = {
    "xgboost": (xgboost, 1e-6),
    "lightgbm": (lightgbm, 1e-12),
    "forest": (lambda: RandomForestClassifier(9, max_depth=6, random_state=0), 1e-12),
    "extra trees": (lambda: ExtraTreesClassifier(9, max_depth=6, random_state=0), 1e-12),
    "one tree": (lambda: DecisionTreeClassifier(max_depth=4), 1e-12),
    "histograms": (lambda: HistGradientBoostingClassifier(max_iter=7), 1e-12),
    "logistic": (lambda: LogisticRegression(max_iter=200), 1e-12),
    "perceptron": (lambda: MLPClassifier((8, 5), max_iter=20, random_state=0), 1e-12),
}


def labels_of(values):
    return np.digitize(values, np.quantile(values, [0.3, 0.6, 0.9]))


@cache
def fitted(name):
    frame, values = table(500)
    return fit(MODELS[name][0](), frame, labels_of(values))


def fit(model, frame, labels):
    encode = prepared(filled(StandardScaler()), one_hot(sparse_output=False), ordinal())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Pipeline([("encode", encode), ("model", model)]).fit(frame, labels)


def folded(pipeline):
    return fold(pipeline, numeric=NUMERIC, categorical=CATEGORICAL, classes=CLASSES)


@pytest.mark.parametrize("name", MODELS)
def test_every_class_has_the_probability_that_was_fitted(name):
    frame = table(400, seed=5)[0].with_columns(d=pl.lit("never seen"))
    scorer = Scorer.of(scorer_files(*folded(fitted(name))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = fitted(name).predict_proba(frame)
    found = scorer.probabilities(frame.to_dicts())

    assert (scorer.serving, scorer.compiled) == ("compiled", None)
    assert found.shape == (400, 4)
    assert np.abs(found - expected).max() <= MODELS[name][1]
    assert scorer.score(frame.to_dicts()).tolist() == found.max(axis=1).tolist()
    assert set(scorer.predictions(found)) <= {*CLASSES}


def test_a_row_has_the_same_probabilities_alone_and_among_others():
    scorer, rows = Scorer.of(scorer_files(*folded(fitted("lightgbm")))), table(30, seed=5)[0].to_dicts()

    assert scorer.probabilities(rows).tolist() == [scorer.probabilities([row])[0].tolist() for row in rows]


def test_the_same_classifier_folds_into_the_same_bytes():
    assert scorer_files(*folded(fitted("forest"))) == scorer_files(*folded(fitted("forest")))


def test_a_class_that_was_never_learned_is_named():
    frame, values = table(300)
    with pytest.raises(CannotFold, match="has learned from no row of high"):
        folded(fit(RandomForestClassifier(3), frame, np.where(labels_of(values) == 2, 1, labels_of(values))))


def test_a_classifier_that_asks_one_against_the_rest_is_not_folded():
    frame, values = table(300)
    with pytest.raises(CannotFold, match="not among the models of several classes"):
        folded(fit(SGDClassifier(loss="log_loss"), frame, labels_of(values)))
