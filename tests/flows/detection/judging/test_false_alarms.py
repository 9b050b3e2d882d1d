"""Windows with any alarm, and what is found, over fifty columns of many kinds; the long ones are the promise."""

import numpy as np
import polars as pl
import pytest
from judging_making import KINDS, NUMERIC, fifty, make_config, shifted

from flows.detection.drift import drift, drift_between
from flows.detection.univariate.profile import profile

CONFIG = make_config(min_rows=1)
PLAIN = make_config(min_rows=1, correction="none")
SIZES = [(1000, 1000), (5000, 1000), (50_000, 10_000)]
HARMLESS, SMALL, CLEAR = 0.03, 0.1, 0.25


def looks(reference_rows, rows, windows, *, seed, stored, config=CONFIG, change=lambda frame: frame):
    """One fixed reference, as it is or as a profile keeps it, and many windows."""
    dice = np.random.default_rng(seed)
    reference = fifty(dice, reference_rows)
    was = profile(reference, config) if stored else reference
    compared = drift if stored else drift_between
    return [compared(was, change(fifty(dice, rows)), config) for _ in range(windows)]


def alarms(reports):
    return sum(bool(report.drifted) for report in reports)


def found_share(reports, names):
    return np.mean([name in {one.name for one in report.drifted} for report in reports for name in names])


@pytest.mark.parametrize("stored", [False, True], ids=["from rows", "from a profile"])
def test_without_drift_windows_of_fifty_columns_are_silent(stored):
    assert alarms(looks(1000, 1000, 12, seed=1, stored=stored)) == 0


def test_plain_rules_fire_in_every_window_without_drift():
    reports = looks(1000, 1000, 5, seed=2, stored=False, config=PLAIN)

    assert alarms(reports) == 5


def test_a_quarter_of_a_deviation_is_found_in_columns_of_nine_kinds():
    names = NUMERIC[:9]
    reports = looks(5000, 1000, 5, seed=3, stored=True, change=lambda frame: shifted(frame, names, CLEAR))

    assert found_share(reports, names) >= 0.95
    assert {one.name for report in reports for one in report.drifted} <= set(names)


@pytest.mark.parametrize("side", ["reference", "window"])
@pytest.mark.parametrize("by", [0.0, 0.5])
def test_one_value_of_a_million_changes_no_verdict(side, by):
    dice = np.random.default_rng(4)
    was, now = fifty(dice, 2000), fifty(dice, 1000)
    now = shifted(now, NUMERIC[:4], by)
    eighth = pl.int_range(pl.len()) == 7
    spoilt = [frame.with_columns(pl.when(~eighth).then(pl.col(NUMERIC)).otherwise(1e6)) for frame in (was, now)]
    before = drift_between(was, now, CONFIG)
    after = drift_between(spoilt[0] if side == "reference" else was, spoilt[1] if side == "window" else now, CONFIG)

    assert {one.name for one in before.drifted} == {one.name for one in after.drifted} == set(NUMERIC[:4] if by else ())
    assert {one.name for one in before.high} == {one.name for one in after.high}


@pytest.mark.long
@pytest.mark.parametrize("stored", [False, True], ids=["from rows", "from a profile"])
@pytest.mark.parametrize(("reference_rows", "rows"), SIZES)
def test_at_most_one_window_in_a_hundred_alarms_without_drift_whatever_the_reference(reference_rows, rows, stored):
    references, windows = (5, 200) if rows == 1000 else (2, 60)
    shares = [
        alarms(looks(reference_rows, rows, windows, seed=seed, stored=stored)) / windows for seed in range(references)
    ]
    print(
        f"{reference_rows}/{rows} stored={stored}: windows with an alarm {np.mean(shares):.4f}, by reference {shares}"
    )

    assert np.mean(shares) <= 0.01
    assert max(shares) <= 0.03


@pytest.mark.long
@pytest.mark.parametrize("stored", [False, True], ids=["from rows", "from a profile"])
@pytest.mark.parametrize(("reference_rows", "rows", "by"), [(5000, 1000, CLEAR), (50_000, 10_000, SMALL)])
def test_shifts_are_found_in_every_kind_of_column(reference_rows, rows, by, stored):
    names = NUMERIC[:9]
    reports = [
        report
        for seed in range(3)
        for report in looks(
            reference_rows, rows, 15, seed=seed, stored=stored, change=lambda frame: shifted(frame, names, by)
        )
    ]
    shares = {kind: found_share(reports, [name]) for kind, name in zip(KINDS, names, strict=False)}
    print(f"{reference_rows}/{rows} stored={stored}, {by} sd: {shares}")

    assert min(shares.values()) >= 0.9
    assert np.mean(list(shares.values())) >= 0.95
    assert shares["normal"] >= 0.95


@pytest.mark.long
@pytest.mark.parametrize("stored", [False, True], ids=["from rows", "from a profile"])
@pytest.mark.parametrize("number", [5, 39])
def test_trifles_in_many_columns_are_alarmed_in_at_most_one_window_in_twenty(number, stored):
    names = [name for name in NUMERIC if (int(name[1:]) + 1) % 10][:number]
    reports = [
        report
        for seed in range(3)
        for report in looks(
            50_000, 10_000, 10, seed=seed, stored=stored, change=lambda frame: shifted(frame, names, HARMLESS)
        )
    ]
    print(f"{len(names)} columns by {HARMLESS} sd, stored={stored}: windows with an alarm {alarms(reports) / 30:.3f}")

    assert alarms(reports) / len(reports) <= 0.05
