import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_making import errors, rates, wave

from flows.config.detection.streams import Streams
from flows.detection.streams.evidence import Before, cut_outliers, evidence
from flows.detection.streams.scan import scan_changes, scan_falls
from flows.detection.streams.thresholds import evidence_limits, window_widths

OPTIONS = Streams()
LIMITS = {0.2: math.log(1e5) / 0.009036, 0.3: math.log(1e5) / 0.071935}  # Lorden's, from .15
DEPENDENT = 1_219  # the same for .15 to .30 in a chain with correlation .8


def delays(then, streams, *, copied=0.0, before=None):
    dice = np.random.default_rng(11)
    found = []
    for _ in range(streams):
        rows = [
            change.row for change in scan_changes(errors(rates(0.15, then=then), dice, copied=copied), OPTIONS, before)
        ]
        found.append(min((row - 4_999 for row in rows if row >= 5_000), default=math.inf))
    return np.array(found)


def false_alarms(chances, streams, *, copied=0.0):
    dice = np.random.default_rng(7)
    return sum(len(scan_changes(errors(chances, dice, copied=copied), OPTIONS)) for _ in range(streams))


@pytest.mark.parametrize("level", [0.02, 0.15, 0.4])
def test_independent_errors_without_a_change_hardly_ever_alarm(level):
    assert false_alarms(rates(level), 20) <= 1  # .1 in 10,000 rows would be 2


def test_errors_in_clusters_hardly_ever_alarm():
    assert false_alarms(rates(0.15), 20, copied=0.8) <= 2  # the best other detector has 60


def test_a_season_hardly_ever_alarms():
    assert false_alarms(wave(), 20) <= 2


@pytest.mark.parametrize("then", [0.2, 0.3])
def test_a_rise_is_found_about_as_soon_as_information_allows(then):
    found = delays(then, 20)

    assert np.median(found) <= 1.15 * LIMITS[then]
    assert np.isfinite(found).mean() >= 0.9


def test_a_rise_among_clusters_is_found_within_twice_the_limit_of_such_a_process():
    assert np.median(delays(0.3, 20, copied=0.8)) <= 2 * DEPENDENT


def test_a_level_that_is_known_beforehand_saves_rows():
    assert np.median(delays(0.2, 10, before=Before(mean=0.15, rows=20_000))) < np.median(delays(0.2, 10))


@pytest.mark.parametrize("draw", ["exponential", "half normal", "lognormal", "rare large", "squared"])
def test_real_losses_hardly_ever_alarm_and_their_rise_is_found(draw):
    dice = np.random.default_rng(3)
    made = {
        "exponential": lambda: dice.exponential(size=10_000),
        "half normal": lambda: np.abs(dice.normal(size=10_000)),
        "lognormal": lambda: dice.lognormal(size=10_000),
        "rare large": lambda: np.where(dice.random(10_000) < 0.05, dice.uniform(0.5, 1, 10_000), 0.01),
        "squared": lambda: dice.beta(0.3, 2, 10_000) ** 2,
    }[draw]
    risen = np.concatenate([np.ones(5_000), np.full(5_000, 2.0)])

    assert sum(len(scan_changes(made(), OPTIONS)) for _ in range(6)) == 0
    for _ in range(3):
        found = scan_changes(made() * risen, OPTIONS)
        assert 5_000 <= found[0].row < 6_500


def test_a_change_says_when_it_was_seen_when_it_began_and_both_levels():
    change = scan_changes(errors(rates(0.1, then=0.5), np.random.default_rng(0)), OPTIONS)[0]

    assert abs(change.since - 5_000) <= 20
    assert 5_000 <= change.row < 5_060
    assert change.before == pytest.approx(0.1, abs=0.02)
    assert change.after == pytest.approx(0.5, abs=0.2)


def test_a_fall_ends_a_rise_and_the_next_rise_is_found_again():
    levels = np.repeat([0.1, 0.4, 0.1, 0.4], 2_000)
    found = scan_changes(errors(levels, np.random.default_rng(0)), OPTIONS)

    assert [change.after > change.before for change in found] == [True, False, True]
    assert [round(change.since, -2) for change in found] == [2_000, 4_000, 6_000]


def test_a_fall_that_ends_no_rise_is_no_change_but_can_be_asked_for():
    stream = errors(rates(0.3, then=0.1), np.random.default_rng(0))

    assert scan_changes(stream, OPTIONS) == ()
    assert [round(fall.since, -2) for fall in scan_falls(stream, OPTIONS)] == [5_000]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -3.0, 1e50])
def test_constant_losses_never_change(value):
    assert scan_changes(np.full(3_000, value), OPTIONS) == ()
    assert scan_falls(np.full(3_000, value), OPTIONS) == ()


def test_losses_that_never_varied_and_then_rise_are_found_at_once():
    found = scan_changes(np.concatenate([np.full(2_000, 2.0), np.full(500, 3.0)]), OPTIONS)

    assert found[0].since == 2_000
    assert found[0].row < 2_020


@pytest.mark.parametrize("where", [10, 500, 3_000])
def test_one_absurd_loss_neither_alarms_nor_hides_a_rise(where):
    stream = np.random.default_rng(5).exponential(size=8_000)
    stream[where] = 1e6
    risen = np.where(np.arange(8_000) < 5_000, stream, 1.5 * stream)

    assert scan_changes(stream, OPTIONS) == ()
    assert 5_000 <= scan_changes(risen, OPTIONS)[0].row < 5_400


@functools.cache
def rising():
    stream = np.random.default_rng(1).gamma(2.0, size=3_000) * np.where(np.arange(3_000) < 2_000, 1.0, 1.4)
    return stream, [change.row for change in scan_changes(stream, OPTIONS)]


@given(scale=st.floats(1e-20, 1e20), shift=st.floats(0, 10))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_a_loss_does_not_matter(scale, shift):
    stream, rows = rising()

    assert [change.row for change in scan_changes((stream + shift) * scale, OPTIONS)] == rows


@functools.cache
def erring():
    stream = errors(rates(0.1, rows=3_000, then=0.3, at=2_000), np.random.default_rng(2))
    return stream, scan_changes(stream, OPTIONS)[0]


@given(cut=st.integers(2_100, 3_000))
@settings(max_examples=15, deadline=None)
def test_what_was_said_of_a_row_does_not_depend_on_later_rows(cut):
    stream, first = erring()

    assert [change.row for change in scan_changes(stream[:cut], OPTIONS)] == [first.row] * (first.row < cut)


def test_a_million_rows_take_seconds():
    stream = np.random.default_rng(0).random(1_000_000) < 0.15

    assert len(scan_changes(stream.astype(float), OPTIONS)) <= 8  # 2.5 are expected


@pytest.mark.parametrize(("share", "other"), [(0.2, 0.1), (0.05, 0.1), (1.0, 0.0)])
def test_the_evidence_of_errors_is_their_likelihood_ratio(share, other):
    stream = np.concatenate([np.arange(200) < 200 * other, np.arange(100) < 100 * share]).astype(float)
    found = evidence(stream, Before(), binary=True, falls=False).of(np.array([300]), 100)[0]

    def likelihood(count, n, chance):
        right = (n - count) * math.log1p(-chance) if count < n else 0.0
        return right + (count * math.log(chance) if count else 0.0)

    past, recent = 200 * other, 100 * share
    both = likelihood(past + recent, 300, (past + recent) / 300)
    apart = likelihood(past, 200, other) + likelihood(recent, 100, share)
    assert found == pytest.approx(apart - both if share > other else 0.0, abs=1e-9)


def test_the_evidence_of_real_losses_with_little_skew_is_half_the_squared_z():
    stream = np.random.default_rng(0).normal(size=4_000)
    stream[3_000:] += 0.1
    found = evidence(stream, Before(), binary=False, falls=False).of(np.array([4_000]), 1_000)[0]
    z = (stream[3_000:].mean() - stream[:3_000].mean()) / stream.std() / math.sqrt(1 / 3_000 + 1 / 1_000)

    assert found == pytest.approx(z * z / 2, rel=0.05)


def test_outliers_are_cut_far_above_what_is_known_and_sparse_errors_stay():
    dice = np.random.default_rng(0)
    usual = dice.exponential(size=500)

    assert cut_outliers(np.append(usual, 1e9), 500)[-1] < 50
    assert (cut_outliers(usual, 500) == usual).mean() >= 0.99
    assert cut_outliers(np.array([0.0] * 99 + [7.0]), 90).max() == 7.0


def test_wider_windows_need_less_evidence_and_longer_run_lengths_more():
    widths = window_widths(20, 10_000)
    often, seldom = evidence_limits(widths, 1e4), evidence_limits(widths, 1e6)

    assert widths[0] == 20
    assert (np.diff(seldom) < 0).all()
    assert (seldom > often).all()


def test_only_the_first_fall_after_a_rise_is_a_change():
    levels = np.repeat([0.1, 0.6, 0.35, 0.1], 2_000)
    found = scan_changes(errors(levels, np.random.default_rng(0)), OPTIONS)

    assert [change.after > change.before for change in found] == [True, False]


def test_a_rise_within_the_warm_up_is_found_when_the_level_is_known():
    stream = errors(rates(0.1, rows=600, then=0.5, at=100), np.random.default_rng(0))

    assert scan_changes(stream, OPTIONS) == ()
    assert abs(scan_changes(stream, OPTIONS, Before(mean=0.1, rows=20_000))[0].since - 100) <= 20


def test_one_alarm_of_a_season_does_not_bring_others():
    dice = np.random.default_rng(7)
    found = [len(scan_changes(errors(wave(period=2_000), dice), OPTIONS)) for _ in range(30)]

    assert max(found) <= 2
    assert sum(found) <= 4
