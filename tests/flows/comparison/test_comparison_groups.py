"""Different callers for each model, offline."""

from datetime import UTC, datetime

import numpy as np
import pytest

from flows.comparison.groups import GroupRows, compare_groups
from flows.errors import DataError
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Decision

AT = datetime(2026, 1, 1, tzinfo=UTC)
DICE = np.random.default_rng(3)


def arm(name: str, n: int, right: float, *, visits: int = 1, revenue: float = 1.0, seed: int = 0) -> GroupRows:
    dice = np.random.default_rng([seed, n, visits])
    keys = n // visits
    lucky = np.repeat(dice.random(keys) < right, visits)
    labels = (dice.random(keys * visits) < 0.5).astype(float)
    return GroupRows(
        labels=labels,
        scores=np.where(lucky, labels, 1 - labels) * 0.6 + 0.2,
        keys=tuple(f"{name}{i // visits}" for i in range(keys * visits)),
        times=np.sort(dice.random(keys * visits)),
        kpis={"revenue": dice.exponential(revenue, keys * visits)},
        segments={"land": tuple("ab"[i % 2] for i in range(keys * visits))},
    )


def judged(ours: GroupRows, theirs: GroupRows, weights=None, **policy) -> Decision:
    return compare_groups(
        model="m",
        champion="a",
        challenger="b",
        task="binary",
        policy=PromotionPolicy(**({"metric": "accuracy", "min_improvement": 0.01} | policy)),
        arms={"champion": ours, "challenger": theirs},
        decision_id="d",
        at=AT,
        weights=weights,
    )


def finding(decision: Decision, name: str):
    return next(f for f in decision.findings if f.name == name)


@pytest.mark.parametrize(("theirs", "outcome"), [(0.88, "promote"), (0.80, "continue"), (0.70, "reject")])
def test_the_better_group_wins_at_any_look(theirs, outcome):
    decision = judged(arm("a", 4000, 0.80), arm("b", 4000, theirs, seed=1))

    assert decision.outcome == outcome
    assert finding(decision, "accuracy").always_valid


def test_a_caller_who_comes_ten_times_counts_once():
    once = judged(arm("a", 4000, 0.80), arm("b", 4000, 0.85, seed=1))
    often = judged(arm("a", 4000, 0.80, visits=10), arm("b", 4000, 0.85, visits=10, seed=1))

    assert (finding(once, "accuracy").n, finding(often, "accuracy").n) == (4000, 400)
    assert often.outcome == "continue"


def test_keys_in_both_groups_are_refused_with_how_many():
    with pytest.raises(DataError, match="200 keys are in both groups"):
        judged(arm("a", 200, 0.8), arm("a", 200, 0.8))


def test_a_guardrail_holds_a_winner_until_it_is_shown():
    guards = (Guardrail(metric="revenue", margin=0.1),)
    ours = arm("a", 4000, 0.80)

    assert judged(ours, arm("b", 4000, 0.88, revenue=1.3, seed=1), guardrails=guards).outcome == "promote"
    assert judged(ours, arm("b", 4000, 0.88, revenue=0.93, seed=1), guardrails=guards).outcome == "continue"
    assert judged(ours, arm("b", 4000, 0.88, revenue=0.6, seed=1), guardrails=guards).outcome == "reject"


def test_a_split_that_was_not_dealt_as_planned_invalidates():
    sizes = arm("a", 4000, 0.80), arm("b", 3000, 0.88, seed=1)

    assert judged(*sizes, weights={"champion": 1, "challenger": 1}).outcome == "invalid"
    assert judged(*sizes, weights={"champion": 4, "challenger": 3}).outcome == "promote"


def test_a_fixed_horizon_is_looked_at_once_and_only_there():
    policy = {"method": "fixed", "horizon": 6000}
    early = judged(arm("a", 2000, 0.80), arm("b", 2000, 0.95, seed=1), **policy)
    there = judged(arm("a", 3000, 0.80), arm("b", 3000, 0.88, seed=1), **policy)

    assert early.outcome == "continue"
    assert "the plan looks once, at 6000 rows; there are 4000" in finding(early, "accuracy").said
    assert there.outcome == "promote"


def test_what_comes_after_the_horizon_changes_nothing():
    policy = {"method": "fixed", "horizon": 2000}
    ours, theirs = arm("a", 4000, 0.80), arm("b", 4000, 0.85, seed=1)
    early = [rows.where(np.flatnonzero(rows.times <= 0.5)) for rows in (ours, theirs)]

    assert finding(judged(ours, theirs, **policy), "accuracy").estimate == pytest.approx(
        finding(judged(*early, **policy), "accuracy").estimate
    )


def test_a_group_sequential_plan_stops_early_for_a_large_effect_and_says_at_which_look():
    policy = {"method": "group_sequential", "horizon": 10_000, "looks": 5}
    decision = judged(arm("a", 3000, 0.80), arm("b", 3000, 0.86, seed=1), **policy)

    assert decision.outcome == "promote"
    assert "look 2 of 5" in finding(decision, "accuracy").said
    assert "group sequential" in finding(decision, "accuracy").method


def test_looks_between_the_planned_ones_add_nothing():
    policy = {"method": "group_sequential", "horizon": 10_000, "looks": 5}
    ours, theirs = arm("a", 2800, 0.80), arm("b", 2800, 0.83, seed=1)
    cut = [rows.where(np.flatnonzero(rows.times <= 0.8)) for rows in (ours, theirs)]
    late, soon = (finding(judged(*rows, **policy), "accuracy") for rows in ((ours, theirs), cut))

    assert (late.said, late.log_p, late.n) == (soon.said, soon.log_p, 4000)


def test_a_covariate_from_before_narrows_the_interval_of_a_kpi():
    dice = np.random.default_rng(9)
    rows = {}
    for name in "ab":
        before = dice.exponential(1, 3000)
        spent = before + dice.normal(0, 0.3, 3000) + (0.04 if name == "b" else 0)
        rows[name] = before - before.mean(), spent - before.mean()
    plan = {"metric": "spent", "method": "fixed", "horizon": 6000}
    plain = judged(*(GroupRows(kpis={"spent": rows[n][1]}) for n in "ab"), **plan)
    helped = judged(*(GroupRows(kpis={"spent": rows[n][1]}, covariate=rows[n][0]) for n in "ab"), **plan)

    def width(decision):
        return finding(decision, "spent").high - finding(decision, "spent").low

    assert width(helped) < 0.5 * width(plain)
    assert (plain.outcome, helped.outcome) == ("continue", "promote")


def test_levels_of_a_segment_are_reported():
    decision = judged(arm("a", 4000, 0.80), arm("b", 4000, 0.88, seed=1))

    assert [f.name for f in decision.findings if f.role == "segment"] == ["land = a", "land = b"]


def test_swapping_the_groups_flips_the_effect():
    ours, theirs = arm("a", 1000, 0.80), arm("b", 1500, 0.85, seed=1)
    there, back = finding(judged(ours, theirs), "accuracy"), finding(judged(theirs, ours), "accuracy")

    assert (there.estimate, there.low, there.high) == pytest.approx((-back.estimate, -back.high, -back.low))
    assert there.log_p == pytest.approx(back.log_p)


@pytest.mark.parametrize(
    "policy",
    [
        {"method": "always_valid"},
        {"method": "fixed", "horizon": 8000},
        {"method": "group_sequential", "horizon": 8000, "looks": 4},
    ],
    ids=lambda policy: policy["method"],
)
def test_areas_are_tested_by_every_method(policy):
    better = judged(arm("a", 4000, 0.70), arm("b", 4000, 0.85, seed=1), metric="auc", **policy)
    same = judged(arm("a", 4000, 0.70), arm("b", 4000, 0.70, seed=1), metric="auc", **policy)

    assert (better.outcome, same.outcome) == ("promote", "continue")
    assert finding(better, "auc").always_valid is (policy["method"] == "always_valid")


def test_areas_of_a_few_rows_of_a_class_are_not_judged_yet():
    found = finding(judged(arm("a", 50, 0.7), arm("b", 50, 0.9, seed=1), metric="auc"), "auc")

    assert "fewer than 30 rows of a class" in found.said
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("policy", [{"method": "fixed"}, {"method": "group_sequential", "looks": 2}], ids=str)
def test_a_level_of_a_segment_is_looked_at_once_though_it_is_smaller_than_the_plan(policy):
    decision = judged(arm("a", 3000, 0.80), arm("b", 3000, 0.88, seed=1), horizon=6000, **policy)
    levels = [f for f in decision.findings if f.role == "segment"]

    assert [f.low > 0 for f in levels] == [True, True]
