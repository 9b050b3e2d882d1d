"""Policies, batches and windows as people write them."""

import numpy as np
import pytest
from backtest_making import config

from flows.backtest.batches import Plan
from flows.backtest.errors import BacktestRefused
from flows.backtest.memory import Memory
from flows.backtest.policies.names import KINDS, specs, usual
from flows.backtest.policies.schedules import dates


def test_every_usual_policy_can_be_made_and_bears_its_name():
    made = [spec for spec in specs(usual()) if spec.kind != "oracle"]

    assert [spec.make(config()).name for spec in made] == [str(spec) for spec in made]


def test_policies_given_twice_are_replayed_once():
    assert [str(spec) for spec in specs(["error, error", "never"])] == ["error", "never"]


def test_all_mistakes_are_said_at_once_with_what_was_meant():
    with pytest.raises(BacktestRefused) as refused:
        specs(["evry:4", "every", "never:3", "every:2.5", "error:many", "drift:psi:-1", "oracle:101"])

    why = refused.value.why
    for said in (
        "'evry:4' is no policy, perhaps 'every' was meant",
        "'every' needs a number",
        "never takes no number",
        "2.5 is no whole number",
        "'many' is no number",
        "-1 lies outside",
        "101 lies outside 0 to 100",
    ):
        assert said in why
    assert all(name in refused.value.mend for name in KINDS)


def test_batches_of_time_leave_out_empty_weeks():
    week = 604_800.0
    times = np.concatenate([np.linspace(0, 2 * week - 1, 400), np.linspace(9 * week, 14 * week - 1, 500)])

    assert Plan(batch="1w", warmup=2).edges(times).tolist() == [400, 500, 600, 700, 800, 900]


@pytest.mark.parametrize(("batch", "warmup"), [("1000", 1), ("10", 2), ("100", 97)])
def test_too_few_batches_or_rows_are_refused(batch, warmup):
    with pytest.raises(BacktestRefused, match="--batch and --warmup"):
        Plan(batch=batch, warmup=warmup).edges(np.arange(1000.0))


@pytest.mark.parametrize("said", ["soon", "0", "-3", "1y", ""])
def test_what_is_no_batch_is_refused(said):
    with pytest.raises(BacktestRefused, match="neither rows nor time"):
        Plan(batch=said).edges(np.arange(1000.0))


def test_what_is_no_window_is_refused():
    with pytest.raises(BacktestRefused, match="Write auto, config, all or 8w"):
        Memory.of("long")


@pytest.mark.parametrize("phase", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("batches", [5, 96, 127])
def test_an_even_schedule_keeps_its_budget_and_its_distances(phase, batches):
    for count in range(1, batches):
        found = dates(count, batches, phase)
        assert len(set(found)) == count
        assert found[0] >= 0
        assert found[-1] < batches - 1
        gaps = np.diff(found)
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1
