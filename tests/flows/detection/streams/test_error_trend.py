from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError
from stream_making import errors, rates

from flows.config.detection.settings import Detection
from flows.config.detection.streams import METRICS, Streams
from flows.detection.streams.error_trend import ErrorTrend, error_trend

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def stream(*levels, each=3_000, seed=0):
    return errors(np.repeat(levels, each), np.random.default_rng(seed))


@pytest.mark.parametrize("rows", [0, 1, 319])
def test_few_losses_are_not_enough_data_and_never_no_change(rows):
    found = error_trend(np.zeros(rows), None, Detection())

    assert not found.enough
    assert "Not enough data" in found.said
    assert set(found.metrics().values()) == {None}


def test_metrics_are_those_that_rules_may_name():
    assert set(error_trend(stream(0.1, 0.3), None, Detection()).metrics()) == set(METRICS)


def test_a_rise_is_marked_with_its_time_and_told():
    losses = stream(0.1, 0.3)
    times = [NOON + timedelta(minutes=row) for row in range(losses.size)]
    found = error_trend(losses, times, Detection())
    mark = found.marks[0]

    assert (mark.detector, mark.kind) == ("scan", "rise")
    assert mark.time == NOON + timedelta(minutes=mark.row)
    assert "rose from" in found.said
    metrics = found.metrics()
    assert (metrics["stream_alarm"], metrics["error_change_points"]) == (1.0, 1.0)
    assert metrics["rows_since_change"] == pytest.approx(3_000, abs=100)
    assert metrics["error_change"] == pytest.approx(2.0, abs=1.0)


def test_no_change_is_no_alarm_and_knows_of_no_last_change():
    found = error_trend(stream(0.15), None, Detection())

    assert found.metrics()["stream_alarm"] == 0.0
    assert found.metrics()["rows_since_change"] is None
    assert "No change" in found.said


def test_a_fall_is_marked_but_does_not_alarm():
    found = error_trend(stream(0.3, 0.1), None, Detection())

    assert [mark.kind for mark in found.marks] == ["fall"]
    assert found.metrics()["stream_alarm"] == 0.0


def test_the_alarm_ends_when_the_error_has_fallen_again():
    found = error_trend(stream(0.1, 0.4, 0.1), None, Detection())

    assert [mark.kind for mark in found.marks] == ["rise", "fall"]
    assert (found.alarm, found.metrics()["error_change_points"]) == (False, 1.0)


def test_losses_that_are_no_number_are_left_out_and_told_and_times_stay_in_step():
    losses = stream(0.1, 0.4)
    holes = np.concatenate([[np.nan] * 50, losses, [np.inf]])
    times = [NOON + timedelta(minutes=row) for row in range(holes.size)]
    found, whole = error_trend(holes, times, Detection()), error_trend(losses, None, Detection())

    assert "51 losses were no finite number" in found.said
    assert [mark.row for mark in found.marks] == [mark.row for mark in whole.marks]
    assert found.marks[0].time == NOON + timedelta(minutes=found.marks[0].row + 50)


def test_slow_decline_is_a_trend():
    chances = np.linspace(0.1, 0.4, 3_000)
    found = error_trend(errors(chances, np.random.default_rng(0)), None, Detection())

    assert found.metrics()["error_trend_p"] < 1e-4
    assert found.metrics()["error_trend_slope"] == pytest.approx(0.01, rel=0.3)
    assert found.metrics()["error_trend_rise"] == pytest.approx(3, abs=1.5)


def test_detectors_that_cannot_follow_are_told_and_the_others_go_on():
    losses = np.random.default_rng(0).exponential(size=4_000) * np.repeat([1.0, 2.0], 2_000)
    found = error_trend(losses, None, Detection(streams=Streams(detectors=("ddm", "page_hinkley", "scan"))))

    assert "ddm was not asked" in found.said
    assert found.lead == "page_hinkley"
    assert {mark.detector for mark in found.marks} >= {"scan"}


def test_without_any_fit_detector_an_alarm_is_unknown():
    losses = np.random.default_rng(0).exponential(size=4_000)
    found = error_trend(losses, None, Detection(streams=Streams(detectors=("ddm",))))

    assert found.metrics()["stream_alarm"] is None
    assert found.metrics()["error_trend_p"] is not None


def test_rows_that_hang_together_count_as_fewer():
    clustered = errors(rates(0.15), np.random.default_rng(0), copied=0.8)

    assert error_trend(clustered, None, Detection()).effective_rows < 2_500
    assert error_trend(stream(0.15), None, Detection()).effective_rows == 3_000


def test_a_record_reads_back_as_it_was_written():
    losses = stream(0.1, 0.4)
    found = error_trend(losses, [NOON] * losses.size, Detection())

    assert ErrorTrend.from_json(found.to_json()) == found


def test_losses_of_any_size_are_followed():
    assert error_trend(np.full(1_000, 1e300), None, Detection()).metrics()["stream_alarm"] == 0.0


def test_times_of_another_number_are_refused():
    with pytest.raises(ValueError, match="3 losses and 1 times"):
        error_trend(np.zeros(3), [NOON], Detection())


@pytest.mark.parametrize(
    "options", [{"detectors": ()}, {"detectors": ("scan", "scan")}, {"shortest": 1000, "longest": 1000}, {"warm_up": 1}]
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValidationError):
        Streams(**options)
