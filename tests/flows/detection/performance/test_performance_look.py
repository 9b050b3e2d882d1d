import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from performance_making import a_champion, classes, make_config, trained_on, values

from flows.config.detection.performance import METRICS
from flows.detection.performance.look import performance
from flows.detection.performance.records import Performance

HOLDOUT, NUMBERS = classes(4000, 99), values(4000, 99)
CHAMPION, REGRESSOR = trained_on(HOLDOUT), trained_on(NUMBERS, "regression")
CONFIG, REGRESSION = make_config(), make_config(task="regression")


def look(frame, champion=CHAMPION, config=CONFIG, **known):
    return performance(frame, champion, config, 0, **{"holdout_rows": 4000, **known})


def look_at_values(frame, **known):
    return look(frame, REGRESSOR, REGRESSION, **known)


def test_a_champion_that_is_as_it_was_is_not_called_degraded():
    found = look(classes(2000, 1))

    assert (found.enough, found.degraded, found.metrics()["degraded"]) == (True, (), 0.0)
    assert found.said == "No degradation is shown on 2,000 labelled rows."


def test_a_champion_that_lost_its_meaning_is_called_degraded_with_figures():
    found = look(classes(1000, 1, drift=1.5))
    accuracy = found.measure("accuracy")

    assert {"accuracy", "brier", "log_loss", "calibration"} <= set(found.degraded)
    assert accuracy.high < accuracy.baseline
    assert accuracy.change < -0.05
    assert "accuracy 0." in found.said
    assert found.metrics()["degradation_p"] < 1e-6


def test_errors_that_grow_are_called_degraded():
    found = look_at_values(values(1000, 1, noise=1.4))

    assert found.degraded == ("mae", "rmse", "r2")
    assert found.metrics()["rmse_increase"] == pytest.approx(0.4, abs=0.1)


def test_a_change_that_is_sure_but_small_is_no_degradation():
    found = look_at_values(values(100_000, 1, noise=1.05))

    assert found.metrics()["degradation_p"] < 1e-3
    assert "rmse" not in found.degraded


def test_a_large_change_on_few_labels_is_no_degradation():
    frame = values(100, 3, noise=1.15)
    found = look_at_values(frame)

    assert found.metrics()["mae_increase"] > 0.10
    assert found.degraded == ()


@pytest.mark.parametrize("rows", [0, 1, 99])
def test_below_a_hundred_labels_it_says_not_enough_and_never_fine(rows):
    found = look(classes(rows, 1))

    assert not found.enough
    assert found.said.startswith(f"Not enough labels: {rows} of the 100")
    assert (found.metrics()["degraded"], found.metrics()["accuracy"]) == (None, None)


def test_rows_that_resemble_their_neighbours_say_less():
    alone, alike = (look(classes(100, 1, drift=2.0, memory=memory)).measure("brier") for memory in (0.0, 0.97))

    assert alone.p is not None
    assert alike.effective < 30
    assert (alike.p, alike.degraded) == (None, False)
    assert "too few for a call" in alike.said


def test_only_rows_that_the_champion_served_are_held_against_it():
    others = classes(3000, 1, drift=3.0).with_columns(_version=pl.lit("v2.0.0"))
    found = look(pl.concat([classes(500, 2), others]))

    assert (found.rows, found.labelled, found.degraded) == (500, 500, ())


def test_an_unknown_holdout_is_said():
    found = look(classes(500, 1), holdout_rows=None)

    assert any("How many rows the holdout had is not known" in one for one in found.findings)
    assert found.measure("accuracy").said == "the baseline's own error is not known; it counts as exact"


def test_the_count_of_the_holdout_may_be_among_the_stored_metrics():
    champion = a_champion(metrics={**CHAMPION.metrics, "holdout_rows": 150.0})
    few, many = (look(classes(500, 1), champion, holdout_rows=rows).measure("brier") for rows in (None, 4000))

    assert few.change_high - few.change_low > 1.5 * (many.change_high - many.change_low)


def test_a_part_of_the_holdout_gives_the_error_of_what_is_stored():
    found = look(classes(500, 1), holdout=HOLDOUT.tail(1000))

    assert found.measure("brier").baseline == CHAMPION.metrics["brier"]
    assert found.measure("pr_auc").baseline is not None  # never stored: from the rows
    assert found.measure("calibration").baseline < CHAMPION.metrics["calibration"] + 0.02
    assert not any("not known" in one for one in found.findings)


def test_a_version_without_metrics_is_measured_all_the_same():
    found = look(classes(500, 1), a_champion(metrics={}))

    assert found.measure("auc").low < found.measure("auc").value < found.measure("auc").high
    assert found.metrics()["degraded"] is None
    assert "no baseline to hold them against" in found.said


def test_r2_that_falls_because_labels_spread_less_is_no_degradation():
    frame = values(4000, 1).filter(pl.col("x").abs() < 0.4)
    found = look_at_values(frame)

    assert found.metrics()["r2_drop"] > 0.05
    assert found.degraded == ()
    assert "labels spread less" in found.measure("r2").said


class TestFloor:
    def test_a_floor_that_the_baseline_never_reached_is_not_held_against_the_champion(self):
        found = look(classes(1000, 1))

        assert found.measure("accuracy").value < 0.85
        assert (found.floor_broken, found.metrics()["accuracy_below_floor"]) == (None, None)
        assert any("out of reach" in one for one in found.findings)

    def test_a_floor_that_was_reached_once_is_broken_only_for_sure(self):
        champion = a_champion(metrics={"accuracy": 0.9})
        config = make_config(detection={"performance": {"accuracy_floor": 0.8}})
        broken = look(classes(1000, 1, drift=1.5), champion, config)
        unsure = look(classes(200, 5), champion, config)

        assert (broken.floor_broken, unsure.floor_broken) == (True, False)

    def test_a_floor_below_the_frequent_class_shows_nothing(self):
        dice = np.random.default_rng(0)
        rare = (dice.random(1000) < 0.04).astype(float)
        frame = pl.DataFrame({"_score": np.full(1000, 0.04), "_label": rare})
        found = look(frame)

        assert found.trivial > 0.9
        assert any("shows nothing" in one for one in found.findings)

    def test_worse_than_always_saying_the_frequent_class_is_said(self):
        found = look(classes(2000, 1, drift=-4.0))

        assert any("what always saying the frequent class reaches" in one for one in found.findings)


class TestKpis:
    CONFIG = make_config(data={"kpis": {"revenue": "euros"}})

    def frame(self, level, n=800):
        euros = np.random.default_rng(0).gamma(2, level / 2, n)
        return classes(n, 1).with_columns(_kpi_revenue=pl.Series(euros))

    @pytest.mark.parametrize(("level", "worse"), [(10, False), (7, True), (13, False)])
    def test_a_kpi_is_held_against_what_is_stored(self, level, worse):
        champion = a_champion(metrics={"revenue": 10.0})
        found = look(self.frame(level), champion, self.CONFIG)

        assert ("revenue" in found.degraded) is worse
        assert found.metrics()["kpi_drop"] == pytest.approx(1 - level / 10, abs=0.08)

    def test_a_kpi_of_the_holdouts_rows_is_a_baseline_with_an_error(self):
        found = look(self.frame(7), config=self.CONFIG, holdout=self.frame(10, 4000))

        assert found.measure("revenue").said == ""
        assert "revenue" in found.degraded

    def test_a_kpi_that_nobody_sent_is_not_measured(self):
        assert look(classes(500, 1), config=self.CONFIG).measure("revenue") is None


class TestAbsurdRows:
    @pytest.mark.parametrize("absurd", [float("nan"), float("inf"), -float("inf"), None, 1e300])
    def test_one_absurd_score_hides_no_degradation(self, absurd):
        frame = values(1000, 1, noise=1.4)
        scores = [*frame["_score"].to_list()[:-1], absurd]
        found = look_at_values(frame.with_columns(_score=pl.Series(scores, dtype=pl.Float64)))

        assert found.degraded == ("mae", "rmse", "r2")
        assert found.absurd == pytest.approx(0.001)
        assert any("no usable score" in one for one in found.findings)

    def test_scores_that_are_no_probabilities_are_counted(self):
        found = look(classes(500, 1).with_columns(_score=pl.lit(1e300)))

        assert found.absurd == 1.0
        assert any("no probabilities" in one for one in found.findings)

    def test_labels_of_another_kind_count_as_missing(self):
        found = look(classes(500, 1).with_columns(_label=pl.lit(2.0)))

        assert (found.labelled, found.enough) == (0, False)
        assert any("not what the task knows" in one for one in found.findings)

    @pytest.mark.parametrize("label", [0.0, 1.0])
    def test_one_class_only_is_said(self, label):
        found = look(classes(500, 1).with_columns(_label=pl.lit(label)))

        assert found.measure("auc") is None
        assert any("All labels are the same" in one for one in found.findings)

    def test_constant_labels_of_a_regression_are_said(self):
        found = look_at_values(values(500, 1).with_columns(_label=pl.lit(3.0)))

        assert found.measure("r2") is None
        assert found.measure("mae") is not None

    def test_a_frame_without_any_of_the_columns_is_not_enough(self):
        found = look(pl.DataFrame({"x": [1.0, 2.0]}))

        assert (found.rows, found.labelled, found.enough) == (0, 0, False)

    def test_text_among_scores_counts_as_no_score(self):
        frame = classes(300, 1).with_columns(_score=pl.col("_score").cast(pl.String))
        spoilt = frame.with_columns(_score=pl.when(pl.int_range(300) < 10).then(pl.lit("n/a")).otherwise("_score"))

        assert look(spoilt).rows == 290


def test_rows_out_of_order_are_put_in_order():
    frame = classes(400, 1, memory=0.9)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=0)

    assert look(shuffled) == look(frame)


def test_rows_without_times_count_as_independent_and_that_is_said():
    found = look(classes(400, 1, memory=0.9).drop("_time"))

    assert found.measure("brier").effective == pytest.approx(400)
    assert any("count as independent" in one for one in found.findings)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_every_metric_that_rules_may_name_is_given_and_no_other(task):
    found = look(classes(500, 1)) if task == "binary" else look_at_values(values(500, 1))

    assert set(found.metrics()) == set(METRICS)


def test_a_performance_survives_the_way_through_json():
    found = look(classes(1000, 1, labelled=0.5), holdout=HOLDOUT)

    assert Performance.from_json(found.to_json()) == found
    assert look(classes(1000, 1, labelled=0.5), holdout=HOLDOUT).digest() == found.digest()


odd = st.sampled_from([None, 0.0, 1.0, 0.5, float("nan"), float("inf"), -1e300, 1e-310])


@settings(max_examples=30)
@given(st.lists(st.tuples(odd, odd), max_size=50), st.sampled_from(["binary", "regression"]))
def test_whatever_is_sent_there_is_an_answer_of_numbers(pairs, task):
    scores, labels = zip(*pairs, strict=True) if pairs else ((), ())
    frame = pl.DataFrame({"_score": scores, "_label": labels}, schema=dict.fromkeys(("_score", "_label"), pl.Float64))
    config = make_config(task=task, detection={"min_labelled": 2, "performance": {"min_unlabelled": 1}})
    found = performance(frame, CHAMPION if task == "binary" else REGRESSOR, config, 0)

    assert all(value is None or np.isfinite(value) for value in found.metrics().values())
    assert Performance.from_json(found.to_json()) == found
