import time

import numpy as np
import polars as pl
import pytest
from drift_making import make_config, sample

from flows.detection.drift import drift, drift_between
from flows.detection.univariate.profile import profile

CONFIG = make_config()
REFERENCE = sample(5000, 1)


def between(reference, current, config=CONFIG):
    return drift_between(reference, current, config)


def seen(report):
    return {one.name: one for one in report.features}


def test_equal_data_do_not_drift():
    report = between(REFERENCE, sample(1000, 2))

    assert (report.enough, report.drifted) == (True, ())
    assert report.said == "0 of 2 features drifted"


def test_a_shift_is_found_named_and_listed_first():
    report = between(REFERENCE, sample(1000, 2, shift=0.5))

    assert report.said == "1 of 2 features drifted: x"
    assert [one.name for one in report.features] == ["x", "c"]
    assert report.features[0].high


def test_a_shift_in_a_category_is_found():
    current = sample(1000, 2).with_columns(c=pl.Series(np.random.default_rng(3).choice(["a", "b", "c"], 1000)))

    assert [one.name for one in between(REFERENCE, current).drifted] == ["c"]


def test_a_profile_judges_as_the_whole_table_would():
    # 1,000 rows: the profile holds every value; 1,000,000: only every thousandth.
    long, current = sample(1_000_000, 5), sample(2000, 6, shift=0.1)
    short = long.head(1000)

    assert seen(between(short, current))["x"].statistic == pytest.approx(_d(short, current), abs=1e-12)
    assert seen(between(long, current))["x"].statistic == pytest.approx(_d(long, current), abs=1e-3)


def _d(reference, current):
    from scipy.stats import ks_2samp

    return ks_2samp(reference["x"].to_numpy(), current["x"].to_numpy(), method="asymp").statistic


def windows(rows, reference_rows, number, *, columns=12, shift=0.0, shifted=0, levels=8, missing=0.0):
    dice = np.random.default_rng(17)
    names = [f"x{i}" for i in range(columns)]
    config = make_config(names, ["c"], detection={"window": rows, "min_rows": rows})

    def draw(size, shift):
        values = {name: dice.normal(shift * (i < shifted), 1, size) for i, name in enumerate(names)}
        frame = pl.DataFrame(values | {"c": dice.integers(0, levels, size).astype(str)})
        lost = {name: pl.Series(dice.random(size) < missing) for name in frame.columns} if missing else {}
        return frame.with_columns(pl.when(~gone).then(name).alias(name) for name, gone in lost.items())

    reference = profile(draw(reference_rows, 0.0), config)
    return [drift(reference, draw(rows, shift), config) for _ in range(number)]


@pytest.mark.parametrize(("rows", "reference_rows"), [(1000, 5000), (1000, 1000), (200, 20_000)])
def test_without_drift_an_alarm_is_rarer_than_the_false_discovery_rate(rows, reference_rows):
    # 60 windows at 0.002: more than two with an alarm would be a wonder (p < 0.001).
    alarms = sum(bool(report.drifted) for report in windows(rows, reference_rows, 60, levels=30))

    assert alarms <= 2


def test_without_drift_many_missing_values_are_no_alarm():
    # 60 windows at 0.002: more than two with an alarm would be a wonder (p < 0.001).
    alarms = sum(bool(report.drifted) for report in windows(200, 1000, 60, columns=8, missing=0.4))

    assert alarms <= 2


@pytest.mark.parametrize(("missing", "power"), [(0.0, 0.97), (0.4, 0.7)], ids=["all there", "two in five missing"])
def test_a_quarter_of_a_sigma_is_found_in_nearly_every_window_and_nothing_else(missing, power):
    # Of 120 findings 1 in 100 may be false; more than six would be a wonder (p < 0.002).
    reports = windows(1000, 5000, 40, shift=0.25, shifted=3, missing=missing)
    found = [one.name for report in reports for one in report.drifted]
    true = [name for name in found if name in ("x0", "x1", "x2")]

    assert len(true) >= 120 * power
    assert len(found) - len(true) <= 6


def test_a_trifle_that_large_samples_prove_is_no_drift():
    report = between(sample(200_000, 1), sample(200_000, 2, shift=0.03))
    found = seen(report)["x"]

    assert found.p_value < 1e-6
    assert (found.statistic < 0.03, found.adjusted, found.drifted) == (True, 1.0, False)


@pytest.mark.parametrize("rows", [0, 1, 999])
def test_too_few_rows_are_not_enough_data_and_never_no_drift(rows):
    report = between(REFERENCE, sample(1000, 2, shift=3).head(rows))

    assert (report.enough, report.features) == (False, ())
    assert report.said == f"not enough data: {rows} rows, 1000 are needed"


@pytest.mark.parametrize("reference", [REFERENCE.head(0), REFERENCE.head(29)], ids=["empty", "29 rows"])
def test_a_reference_too_small_to_compare_with_is_not_enough_data(reference):
    report = between(reference, sample(1000, 2))

    assert not report.enough
    assert report.said == "not enough data: no feature has enough values to compare"


def test_a_feature_without_enough_values_is_named_beside_the_verdict():
    missing = [None] * 4990 + [1.0] * 10
    reference, current = REFERENCE.with_columns(x=pl.Series(missing)), sample(1000, 2, x=[None] * 995 + [1.0] * 5)
    report = between(reference, current)

    assert report.enough
    assert report.said == "0 of 2 features drifted; not enough values for x"


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_missing_values_are_drift_of_their_own_from_a_tenth_on(share):
    lost = sample(1000, 2).with_columns(x=pl.when(pl.int_range(1000) >= 1000 * share).then("x"))
    found = seen(between(REFERENCE, lost))["x"]

    assert (found.drifted, found.high) == ((share > 0.1,) * 2)
    assert found.missing_change == pytest.approx(share)


def test_a_column_that_is_not_there_drifted_above_all_others():
    report = between(REFERENCE, sample(1000, 2, shift=0.5).drop("c"))

    assert [one.name for one in report.drifted] == ["c", "x"]
    assert report.features[0].findings == ("the column is absent",)
    assert report.features[0].doubt == 0


def test_a_column_that_never_was_there_is_no_drift():
    empty = REFERENCE.with_columns(c=pl.lit(None, dtype=pl.String))
    report = between(empty, sample(1000, 2).drop("c"))

    assert report.drifted == ()
    assert "not enough values for c" in report.said


def test_text_where_numbers_were_is_drift_and_no_exception():
    found = seen(between(REFERENCE, sample(1000, 2, x=["n/a"] * 1000)))["x"]

    assert found.drifted
    assert "1000 values are no numbers" in found.findings


def test_predictions_that_moved_are_reported_beside_the_features():
    dice = np.random.default_rng(0)
    was = REFERENCE.with_columns(_score=pl.Series(dice.beta(2, 5, 5000)))
    now = sample(1000, 2, _score=dice.beta(3, 4, 1000))
    report = between(was, now)

    assert report.score_drift.drifted
    assert "score" not in seen(report)
    assert between(was, sample(1000, 2)).score_drift is None
    assert between(REFERENCE, now).score_drift is None


def test_reports_survive_their_json():
    report = between(REFERENCE, sample(1000, 2, shift=0.5))

    assert type(report).from_json(report.to_json()) == report


def test_swapping_reference_and_window_moves_no_distance():
    ours, theirs = sample(1000, 1), sample(1000, 2, shift=0.3)
    there, back = seen(between(ours, theirs)), seen(between(theirs, ours))

    assert there["x"].statistic == pytest.approx(back["x"].statistic)
    assert there["c"].p_value == pytest.approx(back["c"].p_value)


def test_fifty_columns_of_a_hundred_thousand_rows_take_seconds():
    dice, names = np.random.default_rng(0), [f"x{i}" for i in range(50)]
    reference = pl.DataFrame({name: dice.normal(size=100_000) for name in names})
    began = time.monotonic()
    between(reference, reference, make_config(names, []))

    assert time.monotonic() - began < 5


def test_lost_columns_are_an_answer_even_where_nothing_could_be_measured():
    report = between(REFERENCE, sample(1000, 2, x=[None] * 1000).drop("c"))

    assert report.enough
    assert report.said == "2 of 2 features drifted: c, x"


def test_missing_values_that_came_back_are_drift_too():
    found = seen(between(sample(5000, 1, x=[None, 1.0] * 2500), sample(1000, 2, x=[1.0] * 1000)))["x"]

    assert found.missing_change == pytest.approx(-0.5)
    assert found.drifted


def test_of_many_drifted_features_five_are_named():
    names = [f"x{i}" for i in range(7)]
    low, high = (pl.DataFrame({name: np.arange(1000.0) + by for name in names}) for by in (0, 500))

    assert between(low, high, make_config(names, [])).said == "7 of 7 features drifted: x0, x1, x2, x3, x4 and 2 more"


def test_predictions_that_the_reference_never_had_are_not_compared():
    was = REFERENCE.with_columns(_score=pl.lit(None, dtype=pl.Float64))

    assert between(was, sample(1000, 2, _score=[0.5] * 1000)).score_drift is None


def test_labels_that_moved_are_reported_beside_the_features():
    was, now = REFERENCE.with_columns(_label=pl.Series([0.0, 1.0] * 2500)), sample(1000, 2, _label=[1.0] * 1000)
    report = between(was, now)

    assert report.label_drift.drifted
    assert report.label_drift.name == "label"
    assert drift(profile(was, CONFIG), now, CONFIG).label_drift.drifted
    assert between(REFERENCE, now).label_drift is None


def test_labels_that_have_not_arrived_are_no_drift():
    was = REFERENCE.with_columns(_label=pl.Series([0.0, 1.0] * 2500))
    now = sample(1000, 2, _label=[0.0, 1.0] * 100 + [None] * 800)

    assert not between(was, now).label_drift.drifted


def test_parquet_files_are_judged_as_the_tables_in_them(tmp_path):
    was, now = REFERENCE, sample(1000, 2, shift=0.5)
    for name, frame in (("was", was), ("now", now)):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    files = [tmp_path / "was.parquet", tmp_path / "now.parquet"]

    assert between(*files) == between(was, now)
    assert drift(profile(was, CONFIG), files[1], CONFIG) == drift(profile(was, CONFIG), now, CONFIG)


def test_times_where_numbers_were_are_named_and_the_others_still_judged():
    times = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 2), "1h", eager=True)
    report = between(REFERENCE, sample(1000, 2, c=["z"] * 1000, x=pl.Series([times[0]] * 1000)))
    found = seen(report)

    assert found["x"].drifted
    assert "types differ" in found["x"].findings[0]
    assert found["c"].drifted
