import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as truth

from flows.training.metrics import average_precision, badness, improvement, kpis_per_row, measure
from flows.training.worth import Worth, best_threshold

DICE = np.random.default_rng(4)
LABELS = (DICE.random(500) < 0.3).astype(float)
CHANCES = np.clip(0.3 * LABELS + DICE.random(500) * 0.7, 0, 1)


def test_binary_metrics_agree_with_scikit_learn():
    said = CHANCES >= 0.5

    assert measure("binary", LABELS, CHANCES) == pytest.approx(
        {
            "auc": truth.roc_auc_score(LABELS, CHANCES),
            "pr_auc": truth.average_precision_score(LABELS, CHANCES),
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
            "pinball_10": truth.mean_pinball_loss(values, guesses, alpha=0.1),
            "pinball_50": truth.mean_pinball_loss(values, guesses, alpha=0.5),
            "pinball_90": truth.mean_pinball_loss(values, guesses, alpha=0.9),
            "loss": truth.mean_absolute_error(values, guesses),
        }
    )


def test_metrics_of_several_classes_agree_with_scikit_learn():
    labels = DICE.integers(0, 4, 500)
    chances = DICE.dirichlet(np.ones(4), 500) * 0.6 + 0.4 * np.eye(4)[labels]
    said, average = chances.argmax(axis=1), {"average": "macro"}
    top = chances.max(axis=1)

    assert measure("multiclass", labels.astype(float), chances) == pytest.approx(
        {
            "accuracy": truth.accuracy_score(labels, said),
            "loss": 1 - truth.accuracy_score(labels, said),
            "log_loss": truth.log_loss(labels, chances),
            "brier": truth.brier_score_loss(labels, chances, scale_by_half=False),
            "calibration": binned_gap((said == labels).astype(float), top),
            "auc": truth.roc_auc_score(labels, chances, multi_class="ovr"),
            "precision": truth.precision_score(labels, said, **average),
            "recall": truth.recall_score(labels, said, **average),
            "f1": truth.f1_score(labels, said, **average),
        }
    )


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_decisions_are_measured_at_the_threshold(threshold):
    said, found = threshold <= CHANCES, measure("binary", LABELS, CHANCES, threshold=threshold)

    assert found["accuracy"] == truth.accuracy_score(LABELS, said)
    assert found["precision"] == truth.precision_score(LABELS, said, zero_division=0)
    assert found["recall"] == truth.recall_score(LABELS, said)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=1, max_size=30),
    st.tuples(*[st.integers(-20, 20)] * 4),
)
def test_no_threshold_is_worth_more_than_the_best_one(rows, values):
    labels, scores = np.array([float(one) for one, _ in rows]), np.array([score for _, score in rows])
    worth = Worth(hit=values[0], alarm=values[1], miss=values[2], quiet=values[3])
    best = best_threshold(labels, scores, worth)
    others = [worth.per_row(labels, scores, cut) for cut in (0.0, 0.05, 0.2, 0.3, 0.6, 0.8, 1.0)]

    assert 0 <= best <= 1
    assert worth.per_row(labels, scores, best) >= max(others) - 1e-9


def test_value_per_row_is_what_the_decisions_are_worth():
    worth = Worth(hit=10.0, alarm=-2.0, miss=-5.0, quiet=0.0)
    hits, alarms = ((CHANCES >= 0.4) & (LABELS == 1)).sum(), ((CHANCES >= 0.4) & (LABELS == 0)).sum()
    misses = ((CHANCES < 0.4) & (LABELS == 1)).sum()

    found = measure("binary", LABELS, CHANCES, threshold=0.4, worth=worth)["value_per_row"]
    assert found == pytest.approx((10 * hits - 2 * alarms - 5 * misses) / 500)


def test_a_kpi_counts_where_the_model_picks_and_where_it_is_known():
    kpis = {"revenue": np.array([10.0, np.nan, 50.0, 7.0])}

    found = kpis_per_row(np.zeros(4), np.array([0.9, 0.8, 0.1, 0.5]), 0.5, kpis)
    assert found == {"revenue_per_row": 17 / 4}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_average_precision_agrees_with_scikit_learn_where_scores_are_equal(rows):
    labels, scores = np.array([float(one) for one, _ in rows]), np.array([float(score) for _, score in rows])
    found = average_precision(labels, scores)

    if labels.any():
        assert found == pytest.approx(truth.average_precision_score(labels, scores))
    else:
        assert np.isnan(found)


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
