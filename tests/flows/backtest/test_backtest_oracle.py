"""The oracle's dates are the best of all."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.backtest.policies.oracle import best_dates


def lost(losses, dates):
    model, total = 0, 0.0
    for batch in range(len(losses)):
        model = batch if batch - 1 in dates else model
        total += losses[model, batch]
    return total


@given(seed=st.integers(0, 10_000), count=st.integers(1, 7), budget=st.integers(0, 8))
def test_no_other_choice_of_dates_loses_less(seed, count, budget):
    losses = np.random.default_rng(seed).random((count, count))
    found = best_dates(losses, budget)
    every = (dates for size in range(budget + 1) for dates in combinations(range(count - 1), size))

    assert len(found) <= budget
    assert list(found) == sorted(set(found))
    assert np.isclose(lost(losses, found), min(lost(losses, dates) for dates in every))
