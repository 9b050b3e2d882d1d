"""When rows are sent, labels delivered and flows called."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.replay.batches import Batch
from flows.replay.errors import ReplayRefused
from flows.replay.timetable import MOST_ROWS, arrived, timetable

TIMES = st.lists(st.floats(0, 1e6), min_size=2, max_size=400).map(lambda values: np.sort(np.array(values)))
BATCHES = st.one_of(
    st.integers(1, 500).map(lambda rows: Batch(rows=rows)),
    st.floats(10, 1e6).map(lambda seconds: Batch(duration=timedelta(seconds=seconds))),
)


@given(times=TIMES, batch=BATCHES, ticks=st.integers(1, 6), data=st.data())
def test_every_row_after_the_first_window_is_sent_exactly_once_and_in_order(times, batch, ticks, data):
    start = data.draw(st.integers(0, len(times) - 1))

    stops = timetable(times, start=start, batch=batch, ticks=ticks)

    assert [row for stop in stops for row in range(stop.first, stop.last)] == list(range(start, len(times)))
    assert all(0 < stop.last - stop.first <= MOST_ROWS for stop in stops)


@given(times=TIMES, batch=BATCHES)
def test_the_virtual_clock_never_goes_back_and_never_runs_ahead_of_the_rows(times, batch):
    stops = timetable(times, start=0, batch=batch)

    assert [stop.now for stop in stops] == sorted(stop.now for stop in stops)
    assert all(stop.now == times[stop.last - 1] for stop in stops)


@given(times=TIMES, batch=BATCHES)
def test_every_batch_ends_once_and_batches_are_numbered_without_gaps(times, batch):
    stops = timetable(times, start=0, batch=batch)
    ends = [stop.batch for stop in stops if stop.ends_batch]

    assert ends == list(range(stops[-1].batch + 1))


@given(times=TIMES, delay=st.floats(0, 1e5), now=st.floats(0, 1e6))
def test_a_label_has_arrived_exactly_when_its_row_is_older_than_the_delay(times, delay, now):
    assert arrived(times, delay, now) == int((times <= now - delay).sum())


def test_a_week_of_half_hours_is_four_stops_of_84_rows():
    stops = timetable(np.arange(672) * 1800.0, start=0, batch=Batch.of("1w"))

    assert [stop.last - stop.first for stop in stops] == [84] * 8
    assert [stop.ends_batch for stop in stops] == [False, False, False, True] * 2


def test_a_stretch_without_rows_makes_no_batch():
    stops = timetable(np.array([0.0, 1.0, 1e6, 1e6 + 1]), start=0, batch=Batch.of("1h"), ticks=1)

    assert [(stop.first, stop.last) for stop in stops] == [(0, 2), (2, 4)]


@pytest.mark.parametrize("said", ["", "0rows", "0d", "fortnight", "-3rows"])
def test_a_batch_that_is_no_size_is_refused(said):
    with pytest.raises(ReplayRefused, match="batch"):
        Batch.of(said)


@pytest.mark.parametrize(("said", "shown"), [("500rows", "500rows"), ("1 row", "1rows"), ("36h", "36h"), ("14d", "2w")])
def test_a_batch_reads_and_writes(said, shown):
    assert str(Batch.of(said)) == shown
