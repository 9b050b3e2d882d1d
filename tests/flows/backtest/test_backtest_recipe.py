"""The quick fit of a replay."""

from dataclasses import replace

import numpy as np
import pytest
from backtest_making import table

from flows.backtest.policies.protocol import Window
from flows.backtest.recipe import Recipe

MADE = table(700)


@pytest.mark.parametrize(("task", "depth", "rate"), [("binary", 4, 0.1), ("regression", 6, 0.15)])
def test_depth_and_rate_depend_on_the_task_unless_they_are_named(task, depth, rate):
    made, window = replace(MADE, task=task), Window(start=0, stop=600)
    usual = Recipe(rounds=5).scores(made, window)

    assert np.array_equal(usual, Recipe(rounds=5, depth=depth, rate=rate).scores(made, window))
    assert not np.array_equal(usual, Recipe(rounds=5, depth=2).scores(made, window))
    assert not np.array_equal(usual, Recipe(rounds=5, rate=0.3).scores(made, window))
