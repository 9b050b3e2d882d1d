"""What stands in the table of a replay, and that it does not depend on how it was made."""

import msgspec
import pytest
from backtest_making import QUICK, config, table

from flows.backtest.backtest import backtest
from flows.backtest.batches import Plan
from flows.backtest.errors import BacktestRefused
from flows.backtest.memory import Memory
from flows.backtest.options import Options
from flows.backtest.policies.names import specs
from flows.backtest.report import document
from flows.backtest.results import Backtest


def played(policies="every:3,error,oracle", **options):
    given = {"plan": Plan(batch="100", warmup=4), "window": Memory("200h"), "recipe": QUICK} | options
    return backtest(config(), table(), Options(policies=specs([policies]), **given))


@pytest.fixture(scope="module")
def found():
    return played("every:3,error,adwin,drift,drift:psi,drift:ks,rules,fused,adaptive,oracle", price_retraining=10.0)


def timeless(result):
    return msgspec.structs.replace(
        result, policies=tuple(msgspec.structs.replace(one, seconds=0.0) for one in result.policies)
    )


def test_the_result_is_the_same_whatever_the_number_of_processes(found):
    several = played(
        "every:3,error,adwin,drift,drift:psi,drift:ks,rules,fused,adaptive,oracle", price_retraining=10.0, workers=2
    )

    assert timeless(several).to_json() == timeless(found).to_json()


def test_it_survives_being_written_and_read(found):
    assert Backtest.from_json(found.to_json()) == found


def test_never_and_always_stand_beside_whatever_was_asked_for(found):
    never, always = found.policies[:2]

    assert (never.name, never.retrainings, never.gain, never.cost) == ("never", 0, 0.0, 0.0)
    assert (always.name, always.lost, always.gain, always.share) == ("always", 0.0, 1.0, 1.0)
    assert always.retrainings == found.batches - 1 == 11
    assert always.cost == 110.0


def test_beside_each_policy_stands_an_even_schedule_with_as_many_retrainings(found):
    for one in found.policies:
        against = [difference.against for difference in one.differences]
        if 0 < one.retrainings < found.batches - 1:
            assert one.schedule is not None
            assert one.schedule.retrainings == one.retrainings
            assert one.schedule.worst <= one.schedule.value <= one.schedule.best
            assert f"evenly:{one.retrainings}" in against
        assert {"never", "always"} - {one.name} <= set(against)


def test_the_oracle_is_at_least_as_good_as_an_even_schedule_of_its_budget(found):
    oracle = found.policy("oracle")

    assert oracle.retrainings <= 3
    assert oracle.value >= oracle.schedule.best
    assert found.policy("error").delay.median is not None


def test_a_difference_says_which_is_better_only_when_its_interval_does(found):
    differences = [difference for one in found.policies for difference in one.differences]

    for one in differences:
        assert (one.said == "better") == (one.low is not None and one.low > 0)
        assert (one.said == "worse") == (one.high is not None and one.high < 0)
    assert found.policy("always").differences[0].estimate > 0


def test_delays_are_counted_from_the_changes_that_were_given():
    one = played("evenly:2", changes=(0, 3)).policy("evenly:2")

    assert [event.batch for event in one.events] == [2, 8]
    assert (one.delay.changes, one.delay.missed, one.delay.median) == (2, 0, 3.5)


def test_cost_is_retrainings_and_points_lost_at_the_prices_given():
    result = played("every:3", price_retraining=7.0, price_point=3.0)
    one = result.policy("every:3")

    assert one.lost == pytest.approx(100 * (result.policy("always").value - one.value))
    assert one.cost == pytest.approx(7.0 * one.retrainings + 3.0 * one.lost)


def test_a_drift_rule_that_fires_every_time_is_said_to_mean_always():
    shifted = config(detection={"ks_p": 0.999999})
    result = backtest(
        shifted, table(), Options(policies=specs(["drift:ks"]), plan=Plan(batch="100", warmup=4), recipe=QUICK)
    )

    assert result.policy("drift:ks").share == 1
    assert any(
        'drift:ks fired after 11 of 11 batches, or more: as a trigger that means "always"' in n for n in result.notes
    )


def test_the_report_is_one_page_that_loads_nothing_and_names_every_policy(found):
    page = document(found)

    assert all(f">{one.name}<" in page for one in found.policies)
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") > len(found.policies)


def test_too_short_a_table_is_refused_before_anything_is_fitted():
    with pytest.raises(BacktestRefused, match="15 of them warm-up"):
        played(plan=Plan(batch="100", warmup=15))
