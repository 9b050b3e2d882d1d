from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from drift_making import NOON, a_version, make_config
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flows.detection.signals import BACK, age_metrics, error_metrics, kpi_metrics, row_losses

CHAMPION = a_version(metrics={"loss": 0.2})
SMALL = {"min_labelled": 50, "error_window": 100}


def rows(losses, *, version="v1.0.0", label=0.0):
    """Rows of a regression whose absolute errors are *losses*."""
    losses = pl.Series(losses, dtype=pl.Float64)
    return pl.DataFrame({"_score": losses + label, "_label": label, "_version": version})


def seen(losses, config=None, **changes):
    return error_metrics(config or make_config(task="regression", detection=SMALL), rows(losses, **changes), CHAMPION)


def test_the_loss_of_a_class_is_the_squared_error_of_its_probability():
    frame = pl.DataFrame({"_score": [0.2, 0.9, None, 0.5], "_label": [0.0, 1.0, 1.0, None]})

    assert row_losses(make_config(), frame) == pytest.approx([0.04, 0.01])
    assert row_losses(make_config(task="regression"), frame) == pytest.approx([0.2, 0.1])


def test_scores_and_labels_that_are_no_finite_number_do_not_count():
    frame = pl.DataFrame({"_score": [float("nan"), 0.5, float("inf")], "_label": [1.0, 1.0, 0.0]})

    assert row_losses(make_config(), frame).tolist() == [0.25]


@pytest.mark.parametrize("n", [0, 1, 49])
def test_few_labelled_rows_are_unknown_and_never_fine(n):
    found = seen([0.1] * n)

    assert found["labelled"] == n
    unknown = ("error", "error_increase", "error_p", "baseline_increase", "baseline_p")
    assert [found[name] for name in unknown] == [None] * 5


def test_the_newest_window_is_held_against_the_windows_before_it():
    dice = np.random.default_rng(0)
    before, recent = dice.gamma(2, 0.1, BACK * 100), dice.gamma(2, 0.13, 100)
    found = seen([*[9.0] * 50, *before, *recent])
    theirs = stats.ttest_ind(recent, before, equal_var=False, alternative="greater")

    assert found["error"] == pytest.approx(recent.mean())
    assert found["error_increase"] == pytest.approx(recent.mean() / before.mean() - 1)
    assert found["error_p"] == pytest.approx(theirs.pvalue)


def test_the_champions_own_rows_are_held_against_its_holdout():
    dice = np.random.default_rng(0)
    ours = dice.gamma(2, 0.11, 80)
    frame = pl.concat([rows(ours), rows([5.0] * 60, version="v9.0.0")])
    found = error_metrics(make_config(task="regression", detection=SMALL), frame, CHAMPION)

    assert found["baseline_error"] == 0.2
    assert found["baseline_increase"] == pytest.approx(ours.mean() / 0.2 - 1)
    assert found["baseline_p"] == pytest.approx(stats.ttest_1samp(ours, 0.2, alternative="greater").pvalue)


def test_a_champion_without_a_holdout_has_no_baseline():
    found = error_metrics(make_config(task="regression", detection=SMALL), rows([0.1] * 300), a_version(metrics={}))

    assert [found[name] for name in ("baseline_error", "baseline_increase", "baseline_p")] == [None] * 3


def test_windows_smaller_than_min_labelled_still_come_to_an_answer():
    # 20 rows per window, and 100 wanted: more than both sides can ever hold.
    config = make_config(task="regression", detection={"error_window": 20, "min_labelled": 100})
    found = seen([0.1] * 80 + [0.5] * 20, config)

    assert found["error_increase"] == pytest.approx(4)
    assert found["baseline_increase"] == pytest.approx(1.5)


@pytest.mark.parametrize(("recent", "rising"), [(0.3, True), (0.2, False), (0.1, False)])
def test_losses_without_variance_are_judged_all_the_same(recent, rising):
    found = seen([0.2] * 400 + [recent] * 100)

    assert (found["error_p"] < 0.05) is rising
    assert (found["baseline_p"] < 0.05) is rising


def test_a_single_row_proves_nothing():
    config = make_config(task="regression", detection={"error_window": 1, "min_labelled": 1})

    found = seen([0.1, 0.9], config)

    assert (found["error_increase"], found["error_p"], found["baseline_p"]) == (pytest.approx(8), None, None)


def test_an_error_that_was_zero_has_no_relative_rise():
    assert seen([0.0] * 400 + [0.1] * 100)["error_increase"] is None


def test_a_baseline_of_nothing_has_no_relative_rise():
    config = make_config(task="regression", detection=SMALL)
    found = error_metrics(config, rows([0.1] * 300), a_version(metrics={"loss": 2.3e-308}))

    assert (found["baseline_increase"], found["baseline_p"]) == (None, None)


@pytest.mark.parametrize("absurd", [1e80, 1e200, -1.7e308])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_one_absurd_score_stops_no_look(task, absurd):
    losses = np.random.default_rng(0).gamma(2, 0.1, 500)
    found = seen([*losses[:499], absurd], make_config(task=task, detection=SMALL))

    assert found["error_increase"] > 1e6
    assert 0.1 < found["error_p"] < 0.2  # one row of a hundred proves nothing
    assert 0.1 < found["baseline_p"] < 0.2


def test_a_champion_that_is_surely_right_stops_no_look():
    # Squares of 1e-60; their variances squared are no numbers any more.
    sure = 10.0 ** -np.random.default_rng(0).uniform(60, 62, 500)
    found = seen(sure, make_config(detection=SMALL))

    assert (found["error"], found["error_increase"], found["error_p"], found["accuracy"]) == (0.0, None, None, 1.0)
    assert found["baseline_p"] == 1.0


finite = st.floats(allow_nan=False, allow_infinity=False)
losses = st.lists(st.floats(0, 1e6) | finite, max_size=60)


@given(losses, st.integers(1, 12), st.integers(1, 12), st.sampled_from(["binary", "regression"]))
def test_error_metrics_are_numbers_or_unknown(losses, window, least, task):
    config = make_config(task=task, detection={"error_window": window, "min_labelled": least})
    found = seen(losses, config)

    assert all(value is None or np.isfinite(value) for value in found.values())
    for name in ("error_p", "baseline_p"):
        assert found[name] is None or 0 <= found[name] <= 1


def test_without_a_change_the_p_value_is_uniform():
    dice = np.random.default_rng(8)
    p = [seen(dice.gamma(2, 0.1, 500))["error_p"] for _ in range(300)]

    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_accuracy_is_that_of_the_newest_window():
    frame = pl.DataFrame(
        {"_score": [0.9] * 100 + [0.5] * 75 + [0.49] * 25, "_label": [0.0] * 100 + [1.0] * 100, "_version": "v1.0.0"}
    )

    assert error_metrics(make_config(detection=SMALL), frame, CHAMPION)["accuracy"] == 0.75


def test_age_counts_from_training():
    assert age_metrics(a_version(created_at=NOON), 12, NOON + timedelta(hours=36)) == {"age_days": 1.5, "new_rows": 12}


def test_a_kpi_is_the_mean_of_the_rows_that_have_it():
    config = make_config(data={"kpis": {"revenue": "euros", "stars": "stars"}})
    frame = pl.DataFrame({"_kpi_revenue": [1.0, None, 3.0], "_kpi_stars": [None, None, None]})

    assert kpi_metrics(config, frame) == {"revenue": 2.0, "stars": None}


def test_a_kpi_that_is_no_number_is_not_part_of_the_mean():
    config = make_config(data={"kpis": {"revenue": "euros"}})
    frame = pl.DataFrame({"_kpi_revenue": [1.0, float("nan"), float("inf"), 3.0]})

    assert kpi_metrics(config, frame) == {"revenue": 2.0}
    assert kpi_metrics(config, frame[1:3]) == {"revenue": None}


def test_few_rows_before_the_newest_window_are_unknown_too():
    found = seen([0.1, 0.2] * 74)

    assert found["error"] == pytest.approx(0.15)
    assert (found["error_increase"], found["error_p"]) == (None, None)
