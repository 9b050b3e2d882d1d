"""The later part is never touched by a search."""

from dataclasses import replace

import numpy as np
import pytest
from backtest_making import QUICK, config, setting, table

from flows.backtest.backtest import backtest
from flows.backtest.batches import Plan
from flows.backtest.errors import BacktestRefused
from flows.backtest.memory import Memory
from flows.backtest.options import Options
from flows.backtest.policies.names import specs
from flows.backtest.tuning import early_part, tune

OPTIONS = Options(policies=specs(["error", "every:2"]), trials=6, recipe=QUICK)


def later_altered(made, first):
    """Other labels and features from row *first* on."""
    values, labels = made.values.copy(), made.labels.copy()
    values[first:] = np.random.default_rng(1).normal(9, 1, size=values[first:].shape)
    labels[first:] = np.random.default_rng(2).integers(0, 2, size=labels[first:].size)
    return replace(made, values=values, labels=labels)


def test_changing_the_later_part_changes_nothing_that_was_found(tmp_path):
    made, found = table(turn=0.4), []
    for number, rows in enumerate((made, later_altered(made, 1000))):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(tune(config(), setting(folder, rows, window=2e5), OPTIONS))

    for one, other in zip(*found, strict=True):
        assert (one.found, one.early, one.early_retrainings) == (other.found, other.early, other.early_retrainings)
        assert one.later != other.later


def test_the_early_part_holds_no_later_row(tmp_path):
    early = early_part(setting(tmp_path / "all"), 6, tmp_path)

    assert early.table.rows == early.edges[-1] == 1000
    assert early.batches == 6
    assert early.table.frame.height == len(early.table.times) == len(early.table.codes) == 1000


def test_both_figures_are_told_beside_never_always_and_an_even_schedule():
    options = replace(OPTIONS, plan=Plan(batch="100", warmup=4), window=Memory("200h"))
    found = backtest(config(), table(turn=0.4), options)

    assert [(one.kind, one.default) for one in found.tuned] == [("error", "error"), ("every", "every:4")]
    for one in found.tuned:
        assert (one.early_batches, one.later_batches, one.trials) == (6, 6, 6)
        assert one.found.startswith(f"{one.kind}:")
        assert all(0 <= value <= 1 for value in (one.early, one.later, one.later_never, one.later_always))


def test_the_same_seed_finds_the_same(tmp_path):
    ways = [tune(config(), setting(tmp_path, window=2e5), OPTIONS, seed=3) for _ in range(2)]

    assert ways[0] == ways[1]


def test_a_budget_of_a_quarter_is_kept_on_the_early_part(tmp_path):
    for one in tune(config(), setting(tmp_path, window=2e5), OPTIONS):
        assert one.early_retrainings <= 1


def test_policies_without_a_number_cannot_be_tuned(tmp_path):
    with pytest.raises(BacktestRefused, match="No policy has a number"):
        tune(config(), setting(tmp_path), Options(policies=specs(["never"]), trials=3))
