from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from season_making import days

from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.season.persistence import lasting, lasting_metrics
from flows.detection.season.rolling import rows_before
from flows.detection.univariate.statistics import ABSENT


def report(*drifted, enough=True, findings=()):
    features = [
        FeatureDrift(name=name, kind="numeric", n=9, reference_n=9, drifted=name in drifted, high=name in drifted)
        for name in ("a", "b")
    ]
    if findings:
        features[0] = FeatureDrift(name="a", kind="numeric", n=0, reference_n=9, drifted=True, findings=findings)
    return DriftReport(reference_rows=9, rows=9, enough=enough, said="", features=tuple(features))


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ([report("a")], []),
        ([report("a"), report("a")], ["a"]),
        ([report("a"), report("b")], []),
        ([report("a"), report()], []),
        ([report("a", "b"), report(), report("a", "b")], []),
        ([report("a", "b"), report("b"), report("a", "b")], ["b"]),
        ([report("a"), report(enough=False), report("a")], ["a"]),
    ],
)
def test_only_what_two_looks_in_a_row_agree_on_lasts(history, found):
    assert [one.name for one in lasting(history, 2).drifted] == found


def test_a_drift_that_waits_for_another_look_says_so():
    found = lasting([report(), report("a")], 2)

    assert found.said.endswith("1 more wait for another look")
    assert [one.findings for one in found.features if one.name == "a"] == [("drifted in 1 of the last 2 looks",)]
    assert not found.high


def test_one_look_is_enough_where_one_is_asked_for():
    assert [one.name for one in lasting([report("a")], 1).drifted] == ["a"]


def test_three_looks_need_three():
    twice = [report("a"), report("a")]

    assert not lasting(twice, 3).drifted
    assert lasting([*twice, report("a")], 3).drifted


def test_a_column_that_is_gone_needs_no_second_look():
    assert lasting([report(findings=(ABSENT,))], 2).drifted[0].gone


def test_a_look_without_enough_data_is_passed_on():
    assert not lasting([report("a"), report("a", enough=False)], 2).enough


@pytest.mark.parametrize(("history", "looks"), [([], 2), ([report()], 0)])
def test_no_reports_and_no_looks_are_refused(history, looks):
    with pytest.raises(ValueError, match="at least one of each"):
        lasting(history, looks)


@pytest.mark.parametrize(
    ("history", "number"),
    [([report("a")], None), ([report("a"), report("a")], 1.0), ([report("a"), report(enough=False)], None)],
)
def test_how_many_last_is_a_metric_that_may_not_be_known_yet(history, number):
    assert lasting_metrics(history, 2) == {"lasting_features": number}


@pytest.mark.parametrize("numbers", [False, True], ids=["times", "seconds"])
def test_a_rolling_reference_ends_where_the_window_begins(numbers):
    frame = days(np.random.default_rng(0), 0, 30, rows=50)
    frame = frame.with_columns(pl.col("_time").dt.epoch("s").cast(pl.Float64)) if numbers else frame
    window = frame.tail(100)
    found = rows_before(frame, window, timedelta(days=7))

    assert found["_time"].max() < window["_time"].min()
    assert found["_time"].min() >= window["_time"].min() - (7 * 86_400 if numbers else timedelta(days=7))
    assert found.height == pytest.approx(350, abs=40)


def test_without_times_there_is_no_rolling_reference():
    frame = days(np.random.default_rng(0), 0, 2)

    assert rows_before(frame.drop("_time"), frame, timedelta(days=7)).height == 0
    assert rows_before(frame, frame.head(0), timedelta(days=7)).height == 0
