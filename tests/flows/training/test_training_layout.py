from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.training import Training
from flows.errors import NotEnoughData
from flows.training.layout import before, lay_out, unseen

HOUR = 3600.0


def hourly(rows):
    return HOUR * np.arange(rows)


@given(rows=st.integers(100, 3000), share=st.floats(0.05, 0.85), gap=st.integers(1, 3600))
def test_what_is_learned_from_always_lies_before_what_it_is_judged_on(rows, share, gap):
    layout = lay_out(Training(min_rows=1, window=None, holdout=share), gap * np.arange(rows) * 1.0)

    ends = [span.start for span in layout.folds]
    assert layout.holdout.stop == rows
    assert layout.folds[0].stop == layout.holdout.start
    assert all(older.stop == newer.start for newer, older in zip(layout.folds, layout.folds[1:], strict=False))
    assert all(before(gap * np.arange(rows) * 1.0, end, None).stop == end for end in ends)
    assert layout.folds[-1].start >= 0


@given(rows=st.integers(1, 500), hours=st.integers(1, 600))
def test_a_window_holds_no_row_older_than_it_says_and_misses_none(rows, hours):
    times = hourly(rows)

    span = before(times, rows, timedelta(hours=hours))

    assert times[-1] - times[span.start] <= hours * HOUR
    assert span.start == 0 or times[-1] - times[span.start - 1] > hours * HOUR


def test_the_holdout_is_the_newest_fifth_of_the_window():
    layout = lay_out(Training(min_rows=100, window=timedelta(hours=999)), hourly(5000))

    assert (layout.holdout.start, layout.holdout.stop) == (4800, 5000)


def test_windows_that_are_too_short_or_hold_the_same_rows_are_left_out():
    week, month, all_rows = timedelta(days=7), timedelta(days=30), None
    training = Training(min_rows=500, window=month, candidate_windows=(week, all_rows, timedelta(days=900)))

    assert lay_out(training, hourly(2000)).windows == (month, all_rows)


def test_a_memory_as_long_as_what_is_new_can_be_tried_as_well():
    training = Training(min_rows=500, window=None, since_champion=True)
    times = hourly(3000)

    assert lay_out(training, times, seen_until=times[1999]).windows == (None, timedelta(hours=1000))
    assert lay_out(training, times, seen_until=times[2900]).windows == (None,)
    assert lay_out(training, times, seen_until=times[-1]).windows == (None,)
    assert lay_out(training, times).windows == (None,)


def test_too_few_rows_are_refused_with_found_and_needed():
    training = Training(min_rows=10_000, window=timedelta(days=7))

    with pytest.raises(NotEnoughData, match=r"169 in window 1w \(of 2000 in all\); needed: 10000"):
        lay_out(training, hourly(2000))


def test_half_of_what_the_champion_has_not_seen_is_left_to_learn_from():
    times = hourly(5000)

    layout = lay_out(Training(min_rows=100, window=None), times, seen_until=times[4399], least=200)

    assert unseen(times, times[4399]) == 600
    assert layout.holdout.rows == 300


def test_the_holdout_is_not_smaller_than_the_policy_asks_for():
    times = hourly(5000)

    layout = lay_out(Training(min_rows=100, window=None), times, seen_until=times[4990], least=200)

    assert layout.holdout.rows == 200


@pytest.mark.parametrize(("rows", "each"), [(800, 100), (1999, 249), (3000, 250), (4000, 250), (40_000, 2500)])
def test_folds_are_a_sixteenth_of_the_rows_but_a_larger_share_of_few(rows, each):
    layout = lay_out(Training(min_rows=100, window=None, holdout=0.5), hourly(2 * rows))

    assert [span.rows for span in layout.folds] == [each] * 4


@pytest.mark.parametrize("rows", [100, 800, 4000, 40_000])
def test_hyperparameters_are_searched_on_the_newest_eighth_before_the_holdout(rows):
    layout = lay_out(Training(min_rows=100, window=None, holdout=0.5), hourly(2 * rows))

    assert layout.search.stop == layout.holdout.start
    assert layout.search.rows == rows // 8
