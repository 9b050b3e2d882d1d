import numpy as np
import pytest
from sklearn import metrics as truth

from flows.training.metrics import badness, improvement, measure

DICE = np.random.default_rng(4)
LABELS = (DICE.random(500) < 0.3).astype(float)
CHANCES = np.clip(0.3 * LABELS + DICE.random(500) * 0.7, 0, 1)


def test_binary_metrics_agree_with_scikit_learn():
    said = CHANCES >= 0.5

    assert measure("binary", LABELS, CHANCES) == pytest.approx(
        {
            "auc": truth.roc_auc_score(LABELS, CHANCES),
            "accuracy": truth.accuracy_score(LABELS, said),
            "brier": truth.brier_score_loss(LABELS, CHANCES),
            "log_loss": truth.log_loss(LABELS, CHANCES),
            "precision": truth.precision_score(LABELS, said),
            "recall": truth.recall_score(LABELS, said),
            "f1": truth.f1_score(LABELS, said),
            "loss": np.mean((CHANCES - LABELS) ** 2),
            "calibration": binned_gap(LABELS, CHANCES),
        }
    )


def binned_gap(labels, chances):
    bins = np.digitize(chances, np.linspace(0, 1, 11)[1:-1])
    return sum(abs(labels[bins == i].mean() - chances[bins == i].mean()) * np.mean(bins == i) for i in np.unique(bins))


def test_regression_metrics_agree_with_scikit_learn():
    values, guesses = DICE.normal(20, 3, 400), DICE.normal(20, 3, 400)

    assert measure("regression", values, guesses) == pytest.approx(
        {
            "mae": truth.mean_absolute_error(values, guesses),
            "rmse": truth.root_mean_squared_error(values, guesses),
            "r2": truth.r2_score(values, guesses),
            "mape": truth.mean_absolute_percentage_error(values, guesses),
            "loss": truth.mean_absolute_error(values, guesses),
        }
    )


def test_undefined_metrics_are_left_out():
    assert "auc" not in measure("binary", np.ones(5), np.full(5, 0.7))
    assert {"r2", "mape"} & measure("regression", np.zeros(5), np.ones(5)).keys() == set()


@pytest.mark.parametrize("metric", ["auc", "accuracy", "brier", "log_loss"])
def test_better_scores_are_less_bad_by_every_metric(metric):
    better = 0.5 * CHANCES + 0.5 * LABELS

    assert badness(metric, "binary", LABELS, better) < badness(metric, "binary", LABELS, CHANCES)


def test_improvements_are_percent_and_positive_when_better():
    assert improvement(0.9, 0.8) == pytest.approx(12.5)
    assert improvement(8.0, 10.0, more_is_better=False) == pytest.approx(20.0)
    assert improvement(0.1, -0.1) == pytest.approx(200.0)
    assert improvement(0.5, None) is None
    assert improvement(0.5, 0.0) is None
