"""Probabilities that are corrected on later rows, and thresholds that pay."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from training_making import NOW, make_config, make_frame

from flows.training.candidate import train_candidate
from flows.training.families.calibration import ENOUGH, Later, calibrate, corrected
from flows.training.families.saying import loss_of
from flows.training.metrics import measure
from flows.training.worth import Worth
from registry.scoring.scorer import Scorer
from registry.scoring.spec import Calibration, NumericColumn, ScorerSpec


def overconfident(rows, seed=0, classes=0):
    """Scores whose log-odds are three times too large."""
    dice = np.random.default_rng(seed)
    if classes:
        odds = dice.normal(size=(rows, classes))
        truth = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
        labels = (dice.random((rows, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(0, classes - 1).astype(float)
        told = np.exp(3 * odds) / np.exp(3 * odds).sum(axis=1, keepdims=True)
        return Later(labels, told)
    odds = dice.normal(size=rows)
    labels = (dice.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    return Later(labels, 1 / (1 + np.exp(-3 * odds)))


@pytest.mark.parametrize("kind", ["isotonic", "sigmoid"])
@pytest.mark.parametrize("classes", [0, 3])
def test_what_was_too_sure_means_what_it_says_on_new_rows(kind, classes):
    task = "multiclass" if classes else "binary"
    found = calibrate(task, [overconfident(3000, seed, classes) for seed in range(4)], kind)
    new = overconfident(5000, 9, classes)
    scores = corrected(found.steps, new.scores)

    assert measure(task, new.labels, new.scores)["calibration"] > 0.1
    assert measure(task, new.labels, scores)["calibration"] < 0.03
    assert loss_of(task, new.labels, scores) < loss_of(task, new.labels, new.scores) - 0.1
    assert found.said.startswith(f"{kind}, on 12,000 rows later than the fit; where it was not fitted: log loss ")


def test_few_rows_get_two_numbers_and_many_get_steps():
    few, many = (calibrate("binary", [overconfident(rows)], "auto") for rows in (ENOUGH - 1, ENOUGH))

    assert few.steps[0].kind == "sigmoid"
    assert few.steps[0].slope == pytest.approx(1 / 3, abs=0.03)
    assert many.steps[0].kind == "isotonic"


def test_what_is_right_already_is_left_alone():
    dice = np.random.default_rng(2)
    scores = dice.random(400)
    folds = [Later((dice.random(400) < scores).astype(float), scores) for _ in range(4)]

    assert calibrate("binary", folds, "auto") in (
        calibrate("binary", folds, "none"),
        calibrate("regression", [], "auto"),
    )


@pytest.mark.parametrize("labels", [np.zeros(100), np.ones(100)])
def test_rows_of_one_class_correct_nothing(labels):
    assert calibrate("binary", [Later(labels, np.linspace(0, 1, 100))], "isotonic").steps == ()


def test_scores_that_rank_the_wrong_way_round_are_not_turned():
    fold = overconfident(1000)

    assert calibrate("binary", [Later(1 - fold.labels, fold.scores)], "sigmoid").steps == ()


PROBABILITY = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1 - 2**-53])
POINTS = st.lists(st.integers(0, 1000), min_size=1, max_size=9, unique=True).map(
    lambda x: tuple(v / 1000 for v in sorted(x))
)


@st.composite
def steps(draw):
    if draw(st.booleans()):
        return Calibration(kind="sigmoid", slope=draw(st.floats(0.01, 20)), intercept=draw(st.floats(-5, 5)))
    x = draw(POINTS)
    return Calibration(
        kind="isotonic", x=x, y=tuple(sorted(draw(st.lists(PROBABILITY, min_size=len(x), max_size=len(x)))))
    )


def scorer_of(*calibration):
    columns, coefficients = (NumericColumn(feature="x"),), (1.0,)
    if len(calibration) == 1:
        spec = ScorerSpec(
            task="binary",
            kind="linear",
            columns=columns,
            coefficients=coefficients,
            link="identity",
            calibration=calibration,
        )
        return Scorer(spec)
    one = [
        ScorerSpec(
            task="regression", kind="linear", columns=(NumericColumn(feature=f"x{n}"),), coefficients=coefficients
        )
        for n in range(3)
    ]
    return Scorer(
        ScorerSpec(
            task="multiclass",
            kind="classes",
            columns=(),
            members=tuple(one),
            link="identity",
            classes=("a", "b", "c"),
            calibration=calibration,
        )
    )


@settings(deadline=None, max_examples=25)
@given(step=steps(), scores=arrays(np.float64, st.integers(1, 20), elements=PROBABILITY))
def test_the_scorer_corrects_as_was_fitted_whatever_the_score(step, scores):
    rows = [{"x": float(score)} for score in scores]

    assert scorer_of(step).score(rows) == pytest.approx(corrected([step], scores), abs=1e-12)


@settings(deadline=None, max_examples=15)
@given(three=st.tuples(steps(), steps(), steps()), scores=arrays(np.float64, (7, 3), elements=st.floats(0.01, 1)))
def test_corrected_classes_add_up_to_one(three, scores):
    shares = scores / scores.sum(axis=1, keepdims=True)
    rows = [{f"x{n}": float(score) for n, score in enumerate(row)} for row in shares]
    found = scorer_of(*three).probabilities(rows)

    assert found == pytest.approx(corrected(three, shares), abs=1e-9)
    assert found.sum(axis=1) == pytest.approx(1)


def trained(**training):
    config = make_config(training={"families": ["linear"], "trials": 1, **training}, data={"kpis": {"gain": "gain"}})
    frame = make_frame(2000).with_columns(_kpi_gain=1.0)
    return train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW)


@pytest.mark.parametrize("kind", ["isotonic", "sigmoid"])
def test_a_candidate_is_served_calibrated_and_says_so(kind):
    candidate = trained(calibration=kind)

    assert candidate.serving == "compiled"
    assert candidate.parity <= 1e-12
    assert candidate.calibration.startswith(kind)
    assert f"Probabilities corrected: {kind}".encode() in candidate.files["card.md"]
    assert json.loads(candidate.files["scorer.json"])["calibration"][0]["kind"] == kind
    assert Scorer.of(candidate.files).score([{"a": 50.0}])[0] == pytest.approx(
        candidate.holdout.challenger.mean(), abs=0.4
    )


def test_the_threshold_is_chosen_by_value_before_the_holdout_and_metrics_are_measured_at_it():
    value = {"true_positive": 50, "false_positive": -1, "false_negative": -30}
    candidate, plain = trained(value=value), trained()
    labels, scores = candidate.holdout.labels, candidate.holdout.challenger
    worth = Worth(hit=50.0, alarm=-1.0, miss=-30.0, quiet=0.0)

    assert plain.threshold == 0.5
    assert candidate.threshold < 0.2
    assert Scorer.of(candidate.files).spec.threshold == candidate.threshold
    assert candidate.metrics["value_per_row"] == pytest.approx(worth.per_row(labels, scores, candidate.threshold))
    assert candidate.metrics["value_per_row"] > worth.per_row(labels, scores, 0.5)
    assert candidate.metrics["recall"] > plain.metrics["recall"]
    assert candidate.metrics["gain_per_row"] == pytest.approx(np.mean(scores >= candidate.threshold))
    assert b"Predicts 1 at or above" in candidate.files["card.md"]


def test_a_candidate_of_several_classes_is_calibrated_class_by_class():
    classes = ["low", "middle", "high"]
    training = {"families": ["lightgbm"], "trials": 1, "calibration": "sigmoid"}
    config = make_config("multiclass", data={"classes": classes}, training=training)
    frame = make_frame(1200, task="regression")
    frame = frame.with_columns(_label=(pl.col("_label") > 950).cast(float) + (pl.col("_label") > 1050).cast(float))
    candidate = train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW)
    scorer = Scorer.of(candidate.files)

    assert (candidate.serving, len(scorer.spec.calibration)) == ("compiled", 3)
    assert candidate.parity <= 1e-12
    assert candidate.holdout.challenger.sum(axis=1) == pytest.approx(1)
    assert candidate.metrics["auc"] > 0.8
