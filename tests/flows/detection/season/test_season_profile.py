from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from season_making import START, calm, days, hourly, make_config, together, weekly, yearly

from flows.detection.season.calendar import design, seconds
from flows.detection.season.learn import season_profile
from flows.detection.season.profile import SeasonProfile

CONFIG = make_config()


def dice(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("season", "number", "found"),
    [
        (calm, 28, ()),
        (weekly, 28, ("weekday",)),
        (hourly, 14, ("hour",)),
        (together(hourly, weekly), 28, ("hour", "weekday")),
        (yearly, 365, ("year",)),
        (together(weekly, yearly), 365, ("weekday", "year")),
    ],
    ids=["none", "week", "day", "day and week", "year", "week and year"],
)
def test_the_seasons_that_show_are_found_and_no_others(season, number, found):
    rows = 60 if number > 100 else 300

    assert season_profile(days(dice(), 0, number, rows=rows, season=season), CONFIG).seasons == found


@pytest.mark.parametrize("number", [0, 13])
def test_fewer_than_two_weeks_are_not_enough(number):
    frame = days(dice(), 0, 14)
    found = season_profile(frame.filter(pl.col("_time") < START + timedelta(days=number)), CONFIG)

    assert not found.enough
    assert found.said == f"not enough data: {number} days with a time, 14 are needed"


def test_a_table_without_times_is_not_enough():
    assert not season_profile(days(dice(), 0, 20).drop("_time"), CONFIG).enough


def test_seasons_that_were_asked_for_are_taken_as_they_are():
    found = season_profile(days(dice(), 0, 28), make_config(seasons=["weekday"]))

    assert found.seasons == ("weekday",)
    assert found.degrees == 21


def test_a_season_that_the_days_cannot_tell_is_left_out_and_named():
    found = season_profile(days(dice(), 0, 14), make_config(seasons=["weekday", "year"]))

    assert found.seasons == ("weekday",)
    assert "too few to tell the year" in found.said


def test_the_order_of_the_rows_does_not_matter():
    frame = days(dice(), 0, 21, season=weekly)

    assert season_profile(frame, CONFIG) == season_profile(frame.sample(fraction=1.0, shuffle=True, seed=1), CONFIG)


def test_a_profile_survives_its_json_and_is_small():
    names = [f"x{i}" for i in range(50)]
    frame = days(dice(), 0, 28, columns=50, season=together(weekly, hourly))
    found = season_profile(frame, make_config(names))

    assert SeasonProfile.from_json(found.to_json()) == found
    assert len(found.to_json()) < 500_000


def test_days_that_differ_at_random_are_learned_as_spread():
    still, restless = (
        season_profile(days(dice(1), 0, 60, effect=effect), make_config(seasons=["weekday"])) for effect in (0.0, 0.2)
    )
    middle = len(still.curves[0].cuts) // 2

    assert still.curves[0].day_spread[middle] < 0.002
    # A move by s shifts the middle share by s phi(0), in units of .25: .16 s^2 / .25.
    assert restless.curves[0].day_spread[middle] == pytest.approx(0.04 * 0.159 / 0.25, rel=0.5)


def test_a_constant_and_an_empty_column_have_curves_of_nothing_but_missing_values():
    frame = days(dice(), 0, 20).with_columns(x0=pl.lit(1.0), x1=pl.lit(None, dtype=pl.Float64))
    found = season_profile(frame, CONFIG)

    assert [one.cuts for one in found.curves] == [(), ()]
    assert [one.missing for one in found.curves] == [0, 6000]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
def test_times_are_taken_as_instants(zone):
    times = pl.Series(["2026-03-01T12:00:00"]).str.to_datetime(time_unit="ms")
    times = times if zone is None else times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)

    assert seconds(times)[0] == 1_772_366_400


def test_a_design_knows_hours_weekdays_and_waves():
    monday = 4 * 86_400  # 5 January 1970
    rows = design(np.array([monday, monday + 3600, monday + 86_400]), ("hour", "weekday", "year"), 2)

    assert rows.shape == (3, 1 + 23 + 6 + 4)
    assert rows[0, 1:30].sum() == 0
    assert (rows[1, 1], rows[2, 24]) == (1.0, 1.0)


def test_seconds_are_times_as_well():
    frame = days(dice(), 0, 21, season=weekly)
    numbers = frame.with_columns(pl.col("_time").dt.epoch("us") / 1e6)

    assert season_profile(numbers, CONFIG) == season_profile(frame, CONFIG)
