import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from performance_making import classes, values
from sklearn import metrics

from flows.detection.performance import pulls
from flows.detection.performance.pulls import KINDS
from flows.training.metrics import measure

REFERENCE = {
    "accuracy": lambda y, s: metrics.accuracy_score(y, s >= 0.5),
    "auc": metrics.roc_auc_score,
    "pr_auc": metrics.average_precision_score,
    "f1": lambda y, s: metrics.f1_score(y, s >= 0.5),
    "brier": metrics.brier_score_loss,
    "log_loss": metrics.log_loss,
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "r2": metrics.r2_score,
}
HITS = {"accuracy": lambda y, _: metrics.accuracy_score(y, y == y)}
"""Of several classes a label is whether the class that was said is right."""
ALL = [(task, name) for task, kinds in KINDS.items() for name in kinds]


def rows(task, n=600, seed=0):
    frame = values(n, seed) if task == "regression" else classes(n, seed)
    scores = frame["_score"].to_numpy()
    return frame["_label"].to_numpy(), scores.round(2).clip(0.01, 0.99) if task != "regression" else scores


@pytest.mark.parametrize(("task", "name"), [one for one in ALL if one[1] in REFERENCE])
@pytest.mark.parametrize("seed", range(3))
def test_values_agree_with_scikit_learn(task, name, seed):
    labels, scores = rows(task, seed=seed)
    reference = HITS[name] if task == "multiclass" else REFERENCE[name]

    assert KINDS[task][name].measure(labels, scores).value == pytest.approx(reference(labels, scores), abs=1e-12)


@pytest.mark.parametrize(("task", "name"), ALL)
def test_pulls_average_to_nothing_and_spread_as_the_bootstrap_does(task, name):
    labels, scores = rows(task)
    found, dice = KINDS[task][name].measure(labels, scores), np.random.default_rng(1)
    drawn = [KINDS[task][name].measure(labels[i], scores[i]).value for i in dice.integers(0, 600, (300, 600))]

    assert found.pulls.mean() == pytest.approx(0, abs=1e-12)
    assert found.pulls.std() / 600**0.5 == pytest.approx(np.std(drawn), rel=0.25)


def test_the_calibration_error_is_the_stored_one_less_what_noise_adds():
    found = [rows("binary", 500, seed) for seed in range(60)]
    ours = np.mean([pulls.calibration(*one).value for one in found])
    stored = np.mean([measure("binary", *one)["calibration"] for one in found])

    assert stored > 0.03  # of a model that is calibrated perfectly
    assert ours < stored / 1.5


def test_a_real_calibration_error_is_found_without_bias():
    found = [pulls.calibration(y, s * 0.6).value for y, s in (rows("binary", 500, seed) for seed in range(60))]
    labels, scores = rows("binary", 400_000)

    assert np.mean(found) == pytest.approx(pulls.calibration(labels, scores * 0.6).value, abs=0.01)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_metrics_of_any_classes_are_numbers_or_nothing(pairs):
    labels, scores = np.array(pairs, dtype=np.float64).T
    found = [kind.measure(labels, scores) for kind in KINDS["binary"].values()]

    assert all(one is None or np.isfinite(one.value) for one in found)
    assert all(one is None or np.isfinite(one.pulls).all() for one in found)


def test_what_constant_labels_do_not_define_is_nothing():
    one, scores = np.ones(50), np.linspace(0, 1, 50)

    assert pulls.auc(one, scores) is None
    assert pulls.pr_auc(1 - one, scores) is None
    assert pulls.f1(1 - one, scores * 0.4) is None
    assert pulls.r2(one, scores) is None
