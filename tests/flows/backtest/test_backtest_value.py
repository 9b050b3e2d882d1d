"""The budgeted policy: never over its share, no look ahead, and early where the model leans."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from backtest_making import setting, table
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.backtest.engine import replay
from flows.backtest.policies.schedules import Evenly, Never
from flows.backtest.policies.value import Value, make
from flows.backtest.scoring import value


def small(folder, **options):
    folder.mkdir(exist_ok=True)
    return setting(folder, table(**options), batch="50", warmup=8)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return small(tmp_path_factory.mktemp("fits"))


@settings(max_examples=8, deadline=None)
@given(share=st.floats(0.02, 1))
def test_retrainings_never_exceed_their_share_at_any_time(shared, share):
    run = replay(Value(share), shared)
    batches = [one.batch for one in run.retrainings]

    assert all(number + 1 <= share * (batch + 1) + 1e-6 for number, batch in enumerate(batches))


def test_a_relation_that_turns_over_brings_the_date_forward(tmp_path):
    run = replay(make(0.125), small(tmp_path))
    turn = (800 - 400) // 50
    after = next(one for one in run.retrainings if one.batch >= turn + 1)

    assert float(after.why.split(" intervals")[0]) < 1
    assert float(after.why.split("leans by ")[1].split()[0]) > 0.25


def test_dates_stay_near_those_of_an_even_schedule(tmp_path):
    run = replay(make(0.125), small(tmp_path, rows=2400))
    gaps = [b - a for a, b in pairwise([one.batch for one in run.retrainings])]

    assert gaps
    assert min(gaps) >= 4
    assert max(gaps) <= 12


def test_a_changed_future_changes_no_earlier_decision_or_score(tmp_path_factory):
    made = table(rows=1200)
    flipped = made.labels.copy()
    flipped[900:] = 1 - flipped[900:]
    runs = [
        replay(make(), setting(tmp_path_factory.mktemp("fits"), one, batch="50", warmup=8))
        for one in (made, replace(made, labels=flipped))
    ]
    first = 400

    known = 900 - first
    assert np.array_equal(runs[0].scores[:known], runs[1].scores[:known])
    assert runs[0].reasons[: known // 50 - 1] == runs[1].reasons[: known // 50 - 1]


def test_a_relation_that_turns_over_is_learned_again(tmp_path):
    made = small(tmp_path)

    def accuracy(policy):
        return value(made, replay(policy, made).scores)

    even = accuracy(Evenly(len(replay(make(), made).retrainings)))
    assert accuracy(make()) > accuracy(Never()) + 0.2
    assert accuracy(make()) >= even - 0.01


def test_after_the_turn_the_shortest_memories_get_the_largest_shares(tmp_path):
    run = replay(make(), small(tmp_path))
    turn = (800 - 400) // 50
    later = [one.blend for one in run.retrainings if one.batch >= turn + 8]

    assert max(later[0].shares) == later[0].shares[0] > 0.25


def test_nothing_is_retrained_while_no_label_arrives(tmp_path):
    made = table()
    rare = replace(made, times=np.where(np.arange(made.rows) < 800, made.times, made.times[800]))
    run = replay(make(), replace(setting(tmp_path, rare, batch="50"), edges=np.arange(400, 1601, 50)))

    learned = [one.blend.stop for one in run.retrainings]
    assert learned == sorted(set(learned))
    assert any("no label has arrived" in why for why in run.reasons)


def test_one_fit_per_member_and_none_for_the_choice(tmp_path):
    run = replay(make(), small(tmp_path))
    members = {window for one in run.retrainings for window in one.blend.windows}

    assert len(run.fitted - members) <= 1


def test_each_decision_says_why(tmp_path):
    run = replay(make(), small(tmp_path))

    assert all(run.reasons)
    assert any("leans" in why for why in run.reasons)


@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=r"not above 0 and at most 1"):
        make(share)
