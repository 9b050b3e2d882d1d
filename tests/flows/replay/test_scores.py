"""How good predictions were."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, mean_absolute_error, root_mean_squared_error

from flows.replay.scores import better, primary, quality


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


def test_the_curve_shows_what_the_policy_promotes_by():
    assert primary("binary", "auc") == "auc"
    assert primary("binary", "log_loss") == primary("binary", None) == "accuracy"
    assert primary("regression", None) == "mae"
