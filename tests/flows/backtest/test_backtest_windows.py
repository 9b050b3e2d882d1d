"""The ladder of windows."""

from itertools import pairwise

import numpy as np
import pytest
from backtest_making import HOUR, setting
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.backtest.engine import replay
from flows.backtest.policies.protocol import Window
from flows.backtest.policies.schedules import Every
from flows.backtest.windows import FEWEST, Ladder, ladder, mixed


@settings(max_examples=30)
@given(gaps=st.lists(st.floats(0, 1e6), min_size=60, max_size=200), step=st.floats(1, 1e6))
def test_rungs_grow_end_at_the_newest_row_and_hold_enough_rows(gaps, step):
    windows = ladder(np.cumsum(gaps), step)

    assert {window.stop for window in windows} == {len(gaps)}
    assert all(a.start >= b.start for a, b in pairwise(windows))
    assert min(window.rows for window in windows) >= FEWEST
    assert windows[-1].start == 0


def test_a_history_shorter_than_all_rungs_is_one_window():
    assert len(set(ladder(np.arange(100.0), 1000.0))) == 1


def test_equal_windows_become_one_member_with_their_shares_together():
    short, long = Window(start=5, stop=9), Window(start=0, stop=9)
    blend = mixed([short, long, long], [0.2, 0.3, 0.5])

    assert (blend.windows, blend.shares) == ((short, long), pytest.approx((0.2, 0.8)))


def test_any_policy_may_retrain_by_the_ladder(tmp_path):
    made = setting(tmp_path)
    run = replay(Every(2), type(made)(workshop=made.workshop, edges=made.edges, metric="accuracy", choose=Ladder()))

    assert np.isfinite(run.scores).all()
    assert {len(one.blend.windows) for one in run.retrainings} == {2, 3}


def test_the_step_is_the_usual_length_of_a_batch(tmp_path):
    made = setting(tmp_path)
    run = replay(Every(4), type(made)(workshop=made.workshop, edges=made.edges, metric="accuracy", choose=Ladder()))
    last = run.retrainings[-1].blend.windows

    assert [round((window.rows - 1) * HOUR / (100 * HOUR)) for window in last[:2]] == [4, 8]
