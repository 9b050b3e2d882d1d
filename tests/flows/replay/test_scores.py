"""How good predictions were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import brier_score_loss, mean_absolute_error, roc_auc_score, root_mean_squared_error

from flows.replay.scores import auc, better, quality

SCORES = arrays(np.float64, st.integers(2, 80), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]))


@given(scores=SCORES, data=st.data())
def test_auc_agrees_with_scikit_learn_ties_included(scores, data):
    labels = data.draw(arrays(np.float64, len(scores), elements=st.sampled_from([0.0, 1.0])))
    if len(set(labels)) < 2:
        assert np.isnan(auc(labels, scores))
    else:
        assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


@given(scores=SCORES)
def test_turning_the_scores_around_mirrors_the_auc(scores):
    labels = (np.arange(len(scores)) % 2).astype(float)

    assert auc(labels, scores) + auc(labels, -scores) == pytest.approx(1)


def test_all_metrics_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 300).astype(float), rng.random(300)
    values = rng.normal(size=300)

    binary = quality("binary", labels, (scores >= 0.5).astype(float), scores)
    regression = quality("regression", values, scores, scores)

    assert binary["accuracy"] == pytest.approx(((scores >= 0.5) == labels).mean())
    assert binary["brier"] == pytest.approx(brier_score_loss(labels, scores))
    assert regression["mae"] == pytest.approx(mean_absolute_error(values, scores))
    assert regression["rmse"] == pytest.approx(root_mean_squared_error(values, scores))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_without_rows_every_metric_is_unknown(task):
    none = np.empty(0)

    assert np.isnan(list(quality(task, none, none, none).values())).all()


def test_more_is_better_except_for_errors():
    assert better("accuracy", 0.8, 0.7)
    assert better("mae", 40.0, 60.0)
    assert not better("auc", float("nan"), 0.5)
