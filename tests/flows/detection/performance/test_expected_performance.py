import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from performance_making import classes
from scipy import special

from flows.detection.performance.calibrators import NONE, calibrator
from flows.detection.performance.expected import EXPECTED
from flows.detection.performance.pulls import KINDS

chances = st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0, 1)), min_size=3, max_size=30)


def drawn(n, seed=0):
    dice = np.random.default_rng(seed)
    return dice.beta(1, 2, n), dice.random(n).round(1)


@pytest.mark.parametrize("name", ["accuracy", "brier", "log_loss"])
def test_expected_means_are_the_mean_over_all_labellings(name):
    p, scores = drawn(8)
    ways = [np.array(way, dtype=np.float64) for way in itertools.product((0, 1), repeat=8)]
    weights = [np.prod(np.where(way == 1, p, 1 - p)) for way in ways]
    truth = sum(w * KINDS["binary"][name].measure(way, scores).value for w, way in zip(weights, ways, strict=True))

    assert EXPECTED[name](p, scores).value == pytest.approx(truth, abs=1e-12)


def test_the_expected_auc_counts_pairs():
    p, scores = drawn(60)
    above = (scores[:, None] > scores) + (scores[:, None] == scores) / 2
    weight = p[:, None] * (1 - p)
    np.fill_diagonal(weight, 0)

    assert EXPECTED["auc"](p, scores).value == pytest.approx((weight * above).sum() / weight.sum(), abs=1e-12)


@pytest.mark.parametrize("name", ["auc", "f1"])
def test_ratios_come_close_to_the_mean_over_drawn_labels(name):
    p, scores = drawn(3000)
    dice, metric = np.random.default_rng(1), KINDS["binary"][name].measure
    seen = [metric((dice.random(3000) < p).astype(np.float64), scores).value for _ in range(100)]

    assert EXPECTED[name](p, scores).value == pytest.approx(np.mean(seen), abs=3 * np.std(seen) / 10 + 1e-4)


def test_the_expected_auc_is_nannymls_but_for_pairs_of_a_row_with_itself():
    p, scores = drawn(5000)
    order = np.argsort(-scores, kind="stable")
    right, wrong = (np.append(0, np.cumsum(one[order])) for one in (p, 1 - p))
    theirs = np.trapezoid(right / right[-1], wrong / wrong[-1])

    # Theirs walks through equal scores in the order of the table; scores here are rounded to tenths.
    assert EXPECTED["auc"](p, scores + np.arange(5000) * -1e-12).value == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("name", EXPECTED)
@settings(max_examples=25)
@given(chances)
def test_labels_instead_of_chances_give_the_realised_metric(name, pairs):
    p, scores = np.array(pairs).T
    labels = np.round(p)
    found, truth = EXPECTED[name](labels, scores), KINDS["binary"][name].measure(labels, scores)

    assert (found is None) == (truth is None)
    assert found is None or found.value == pytest.approx(truth.value, abs=1e-9)


@pytest.mark.parametrize("name", EXPECTED)
def test_gradients_are_derivatives(name):
    p, scores = drawn(40)
    found = EXPECTED[name](p, scores)
    for row in (0, 7, 23):
        step = np.zeros(40)
        step[row] = 1e-6
        slope = (EXPECTED[name](p + step, scores).value - EXPECTED[name](p - step, scores).value) / 2e-6
        assert found.gradient[row] == pytest.approx(slope, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize(("rows", "method"), [(400, "platt"), (4000, "isotonic")])
def test_scores_that_are_too_bold_are_brought_back(rows, method):
    frame = classes(rows, 0)
    labels, true = frame["_label"].to_numpy(), frame["_score"].to_numpy()
    bold = special.expit(2.5 * special.logit(true))
    learned = calibrator(labels, bold)

    assert learned.method == method
    assert np.abs(learned(bold) - true).mean() < np.abs(bold - true).mean() / 3


def test_one_class_alone_teaches_nothing():
    assert calibrator(np.ones(500), np.linspace(0, 1, 500)) is NONE
    assert NONE(np.array([0.3])).tolist() == [0.3]


def test_classes_that_do_not_overlap_still_give_probabilities():
    scores = np.linspace(0, 1, 300)
    learned = calibrator((scores > 0.5).astype(np.float64), scores)

    assert np.isfinite(learned(scores)).all()
    assert learned.variance(scores, np.full(300, 1 / 300)) > 0


def test_a_calibrator_of_few_rows_adds_more_to_the_error():
    frame = classes(5000, 3)
    scores, gradient = frame["_score"].to_numpy(), np.full(5000, 1 / 5000)
    few, many = (
        calibrator(part["_label"].to_numpy(), part["_score"].to_numpy()).variance(scores, gradient)
        for part in (frame[:200], frame)
    )

    assert few > 10 * many > 0
