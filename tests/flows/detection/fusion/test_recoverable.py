import numpy as np
import polars as pl
import pytest
from fusion_making import labelled_rows

from flows.detection.fusion.recoverable import Recoverable, recoverable, row_loss


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_changed_effect_is_found_with_its_size_and_its_feature(task):
    frame, scores, labels = labelled_rows(2000, 1, change=0.8, task=task)
    truth = labelled_rows(2000, 1, change=0.0, task=task)
    baseline = float(row_loss(truth[1], truth[2], task).mean())
    found = recoverable(frame, scores, labels, task=task, baseline=baseline)

    assert found.enough
    assert found.doubt < 1e-6
    assert found.features[0] == "x0"
    assert found.share > 3 * found.error


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_champion_that_is_right_has_nothing_to_win(task):
    found = [recoverable(*labelled_rows(800, seed, task=task), task=task) for seed in range(6)]

    assert max(abs(one.share) for one in found) < 0.02
    assert min(one.doubt for one in found) > 0.001


def test_noisier_labels_are_no_reason_to_retrain():
    noisy = recoverable(*labelled_rows(2000, 3, noise=3.0), task="regression", baseline=0.8)

    assert noisy.share < 0.02


def test_a_shift_of_all_labels_is_found_without_any_feature():
    _, scores, labels = labelled_rows(500, 4)
    found = recoverable(pl.DataFrame({"still": np.zeros(500)}), scores, labels + 2.0, task="regression")

    assert found.share > 0.5


def test_the_same_rows_always_give_the_same_answer():
    rows = labelled_rows(600, 5, change=0.3)

    assert recoverable(*rows, task="regression") == recoverable(*rows, task="regression")


def test_few_labels_are_not_enough_and_say_so():
    frame, scores, labels = labelled_rows(300, 6)
    labels[40:] = np.nan
    found = recoverable(frame, scores, labels, task="regression")

    assert (found.enough, found.signal()) == (False, None)
    assert found.said == "not enough data: 40 labelled rows, 100 are needed"
    assert found.metrics() == {"recoverable": None, "recoverable_p": None}


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_bad_columns_stop_nothing(task):
    frame, scores, labels = labelled_rows(400, 7, change=1.5, task=task)
    dice = np.random.default_rng(0)
    frame = frame.with_columns(
        empty=pl.lit(None, dtype=pl.Float64),
        constant=pl.lit(1.0),
        infinite=pl.Series(np.where(dice.random(400) < 0.1, np.inf, dice.normal(size=400))),
        many=pl.Series([f"v{i}" for i in range(400)]),
        truth=pl.Series(dice.random(400) < 0.5),
        day=pl.lit("2026-03-01").str.to_date(),
        null=pl.lit(None),
    )
    found = recoverable(frame, scores, labels, task=task)

    assert found.features[0] == "x0"
    assert Recoverable.from_json(found.to_json()) == found


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_a_constant_label_is_answered(constant):
    frame, scores, _ = labelled_rows(300, 8, task="binary")
    found = recoverable(frame, scores, np.full(300, constant), task="binary")

    assert found.enough
    assert found.share > 0.5


def test_one_absurd_label_turns_nothing():
    frame, scores, labels = labelled_rows(1000, 9)
    labels[17] = 1e6
    found = recoverable(frame, scores, labels, task="regression", baseline=0.8)

    assert found.doubt > 0.05


def test_scores_that_are_perfect_have_nothing_to_win():
    frame, scores, _ = labelled_rows(300, 10)
    found = recoverable(frame, scores, scores, task="regression")

    assert found.share == 0
