import numpy as np
import polars as pl
import pytest
from season_making import calm, days, hourly, make_config, together, weekly, yearly

from flows.detection.season.learn import season_profile
from flows.detection.season.look import season_drift, season_metrics
from flows.detection.season.persistence import lasting

CONFIG = make_config()


def learned(season=weekly, number=28, seed=0, config=CONFIG, **options):
    return season_profile(days(np.random.default_rng(seed), 0, number, season=season, **options), config)


def look(profile, *, day=30, season=weekly, seed=99, config=CONFIG, **options):
    return season_drift(profile, days(np.random.default_rng(seed), day, 1, season=season, **options), config)


WEEK = learned()


@pytest.mark.parametrize("day", range(28, 35))
def test_no_day_of_the_week_is_drift(day):
    report = look(WEEK, day=day, seed=day)

    assert (report.enough, report.drifted) == (True, ())


def test_the_values_of_sunday_are_drift_on_a_monday():
    found = look(WEEK, day=28, season=calm, shift=0.5).drifted[0]

    assert found.name in ("x0", "x1")
    assert "at other such times" in found.findings[0]


def test_a_few_hours_are_compared_with_these_hours_of_other_days():
    profile = learned(hourly)
    night = days(np.random.default_rng(5), 30, 1, rows=2000, season=hourly).head(500)

    assert not season_drift(profile, night, CONFIG).drifted
    moved = night.with_columns(pl.col("_time") + pl.duration(hours=9))
    assert len(season_drift(profile, moved, CONFIG).drifted) == 2


def test_next_year_looks_like_this_one():
    season = together(weekly, yearly)
    profile = learned(season, 365, rows=60)
    reports = [look(profile, day=day, season=season, seed=day) for day in range(370, 720, 35)]

    assert [report.drifted for report in reports] == [()] * 10
    assert look(profile, day=400, season=season, shift=0.4).drifted


def test_days_that_always_differ_are_no_drift_and_a_larger_difference_is():
    profile = learned(number=60, effect=0.2)
    calm_days = [look(profile, day=70 + day, seed=day, effect=0.2) for day in range(20)]

    assert sum(bool(report.drifted) for report in calm_days) <= 3
    assert look(profile, day=70, shift=1.5).drifted


def test_levels_have_seasons_too():
    def shop(first, number, seed, open_on_sunday=0.05):
        dice = np.random.default_rng(seed)
        frame = days(dice, first, number)
        sunday = (frame["_time"].dt.weekday() == 7).to_numpy()
        chance = np.where(sunday, open_on_sunday, 0.6)
        return frame.with_columns(c=pl.Series(np.where(dice.random(frame.height) < chance, "shop", "web")))

    config = make_config((), ("c",))
    profile = season_profile(shop(0, 28, 1), config)

    assert profile.seasons == ("weekday",)
    assert not season_drift(profile, shop(34, 1, 2), config).drifted
    assert (
        season_drift(profile, shop(34, 1, 2, open_on_sunday=0.6), config)
        .drifted[0]
        .findings[0]
        .endswith("at other such times")
    )


def test_missing_values_that_are_usual_on_sundays_are_no_drift_then():
    def sparse(first, number, seed, weekday=7):
        frame = days(np.random.default_rng(seed), first, number)
        lost = (pl.col("_time").dt.weekday() == weekday) & (pl.int_range(pl.len()) % 2 == 0)
        return frame.with_columns(x0=pl.when(~lost).then("x0"))

    profile = season_profile(sparse(0, 28, 1), make_config(seasons=["weekday"]))
    found = season_drift(profile, sparse(28, 1, 2, weekday=1), CONFIG).drifted

    assert not season_drift(profile, sparse(34, 1, 2), CONFIG).drifted
    assert found[0].missing_change == pytest.approx(0.5, abs=0.02)
    assert found[0].findings == ("missing values rose by 50.0% of the rows",)


def test_a_column_that_is_gone_or_empty_is_drift():
    frame = days(np.random.default_rng(1), 30, 1, season=weekly)
    gone = season_drift(WEEK, frame.drop("x0"), CONFIG)
    empty = season_drift(WEEK, frame.with_columns(x0=pl.lit(None, dtype=pl.Float64)), CONFIG)

    assert [report.drifted[0].name for report in (gone, empty)] == ["x0", "x0"]
    assert gone.drifted[0].gone
    assert "no values at all" in empty.drifted[0].findings


def test_one_value_of_a_million_changes_no_verdict():
    spoilt = days(np.random.default_rng(0), 0, 28, season=weekly).with_columns(
        x0=pl.when(pl.int_range(pl.len()) == 5).then(1e6).otherwise("x0")
    )
    profile = season_profile(spoilt, CONFIG)

    assert profile.curves[0].cuts == pytest.approx(WEEK.curves[0].cuts, abs=0.01)
    assert not look(profile).drifted
    assert len(look(profile, shift=0.4).drifted) == 2


def test_too_few_rows_too_few_days_and_no_times_are_not_enough_data():
    frame = days(np.random.default_rng(1), 30, 1)
    reports = [
        season_drift(WEEK, frame.head(99), CONFIG),
        season_drift(WEEK, frame.drop("_time"), CONFIG),
        season_drift(learned(number=5), frame, CONFIG),
    ]

    assert [report.enough for report in reports] == [False] * 3
    assert all(report.said.startswith("not enough data") for report in reports)
    assert season_metrics(reports[0]) == {"season_features": None}
    assert season_metrics(look(WEEK)) == {"season_features": 0.0}


def test_infinite_and_foreign_values_count_as_missing():
    frame = days(np.random.default_rng(1), 30, 1, season=weekly)
    report = season_drift(WEEK, frame.with_columns(x0=pl.lit(float("inf")), x1=pl.lit("text")), CONFIG)

    assert [one.missing_change for one in report.drifted] == [1.0, 1.0]


def delays(shift, *, looks=40, effect=0.0, repeats=10):
    """Days until two looks in a row agree, of a 20-column window of 1,000 rows; None if they never do."""
    config = make_config([f"x{i}" for i in range(20)])
    for seed in range(repeats):
        dice = np.random.default_rng(seed)
        profile = season_profile(days(dice, 0, 28, rows=1000, columns=20, season=weekly, effect=effect), config)
        history = []
        for day in range(looks):
            rows = {"rows": 1000, "columns": 20, "season": weekly, "effect": effect}
            history.append(season_drift(profile, days(dice, 28 + day, 1, shift=shift(day), shifted=3, **rows), config))
            yield seed, day, bool(lasting(history, 2).drifted)


def first_days(found):
    when = {}
    for seed, day, drifted in found:
        if drifted:
            when.setdefault(seed, day)
    return sorted(when.values())


@pytest.mark.long
@pytest.mark.parametrize("effect", [0.0, 0.05])
def test_a_weekly_season_gives_at_most_one_false_day_in_a_hundred(effect):
    found = list(delays(lambda _: 0.0, effect=effect))
    print(f"weekly, day effects {effect}: false days {np.mean([drifted for *_, drifted in found]):.4f} of {len(found)}")

    assert np.mean([drifted for *_, drifted in found]) <= 0.01


@pytest.mark.long
@pytest.mark.parametrize(("shift", "most"), [(lambda _: 0.25, 1), (lambda day: 0.5 * (day + 1) / 30, 10)])
def test_shifts_in_a_weekly_season_are_found_within_days(shift, most):
    when = first_days(delays(shift, looks=20))
    print(f"found after days {when}")

    assert len(when) == 10
    assert np.median(when) <= most


@pytest.mark.long
@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_a_year_of_reference_gives_at_most_five_false_days_in_a_hundred(effect):
    config, season = make_config([f"x{i}" for i in range(20)]), together(weekly, yearly)
    false = []
    for seed in range(2):
        dice = np.random.default_rng(seed)
        rows = {"rows": 1000, "columns": 20, "season": season, "effect": effect}
        profile = season_profile(days(dice, 0, 365, **rows), config)
        reports = [season_drift(profile, days(dice, 365 + day, 1, **rows), config) for day in range(0, 365, 3)]
        false += [bool(report.drifted) for report in reports]
    print(f"yearly, day effects {effect}: false days at one look {np.mean(false):.4f} of {len(false)}")

    assert np.mean(false) <= 0.05
