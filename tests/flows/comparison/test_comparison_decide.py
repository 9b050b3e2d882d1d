"""From findings to a verdict."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.comparison.decide import Amount, decide
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Finding

ENOUGH = Amount(1000, 100, "rows")


def policy(**settings) -> PromotionPolicy:
    return PromotionPolicy(**({"metric": "accuracy"} | settings))


def effect(low: float, high: float, *, role="primary", name="accuracy", threshold=0.0, p=None, champion=0.8) -> Finding:
    estimate = (low + high) / 2
    z = abs(estimate) / max((high - low) / 2 / 1.96, 1e-12)
    return Finding(
        name=name,
        passed=None,
        said=name,
        estimate=estimate,
        low=low,
        high=high,
        role=role,
        metric=name,
        threshold=threshold,
        log_p=math.log(p) if p else math.log(math.erfc(z / math.sqrt(2)) or 1e-300),
        champion=champion,
        challenger=champion + estimate,
        lift=estimate / champion,
        n=1000,
    )


def guard(low: float, high: float, *, margin=0.05, name="revenue") -> Finding:
    return effect(low, high, role="guardrail", name=name, threshold=-margin)


def integrity(passed: bool | None, repair: str = "") -> Finding:
    return Finding(name="sample ratio", passed=passed, said="the split is off", role="integrity", repair=repair)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.05, 0.07, "promote"), (0.01, 0.02, "needs_approval"), (-0.01, 0.02, "continue"), (-0.02, -0.01, "reject")],
)
def test_the_interval_of_the_primary_metric_decides(low, high, outcome):
    assert decide(policy(), [effect(low, high)], ENOUGH).outcome == outcome


def test_a_small_but_sure_improvement_never_goes_silently_to_either_side():
    ruling = decide(policy(min_improvement=0.05), [effect(0.01, 0.02)], ENOUGH)

    assert ruling.outcome == "needs_approval"
    assert "less than the 5%" in ruling.headline
    assert "at least 5%" in ruling.changes[0]


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(-0.02, 0.1, "promote"), (-0.2, 0.1, "continue"), (-0.2, -0.06, "reject")]
)
def test_every_guardrail_must_be_shown_to_lie_within_its_margin(low, high, outcome):
    assert decide(policy(), [effect(0.05, 0.07), guard(low, high)], ENOUGH).outcome == outcome


def test_a_guardrail_without_data_holds_a_winner_and_says_what_is_missing():
    empty = Finding(name="revenue", passed=None, said="no values", role="guardrail", repair="values of revenue")
    ruling = decide(policy(), [effect(0.05, 0.07), empty], ENOUGH)

    assert ruling.outcome == "continue"
    assert ruling.changes == ("values of revenue",)


def test_a_guardrail_surely_broken_rejects_a_winner_and_names_it():
    ruling = decide(policy(), [effect(0.05, 0.07), guard(-0.3, -0.2)], ENOUGH)

    assert ruling.outcome == "reject"
    assert "guardrail revenue is surely beyond its margin of 0.05" in ruling.headline


def test_one_goal_is_enough_but_none_may_be_surely_worse():
    plan = policy(goals=("revenue",), min_improvement=0.01)
    flat, won, lost = effect(-0.01, 0.02), effect(0.06, 0.1, role="goal", name="revenue"), effect(-0.02, -0.01)

    assert decide(plan, [flat, won], ENOUGH).outcome == "promote"
    assert decide(plan, [lost, won], ENOUGH).outcome == "reject"


def test_goals_are_corrected_together():
    plan = policy(goals=("revenue",), min_improvement=0.0)
    barely = effect(0.001, 0.06, p=0.03)

    assert decide(policy(min_improvement=0.0), [barely], ENOUGH).outcome == "promote"
    assert decide(plan, [barely, effect(-0.1, 0.1, role="goal", name="revenue", p=0.9)], ENOUGH).outcome == "continue"


def test_non_inferiority_asks_only_for_the_margin_and_still_rejects_what_is_surely_worse():
    plan = policy(rule="non_inferiority", margin=0.1)

    assert decide(plan, [effect(-0.01, 0.02, threshold=-0.02)], ENOUGH).outcome == "promote"
    assert decide(plan, [effect(-0.03, 0.02, threshold=-0.02)], ENOUGH).outcome == "continue"
    assert decide(plan, [effect(-0.015, -0.005, threshold=-0.02)], ENOUGH).outcome == "reject"


def test_what_was_proven_before_is_only_watched_for_harm():
    assert decide(policy(), [effect(-0.1, 0.2)], ENOUGH).outcome == "continue"
    assert decide(policy(), [effect(-0.1, 0.2)], ENOUGH, proven=True).outcome == "promote"
    assert decide(policy(), [effect(-0.2, -0.1)], ENOUGH, proven=True).outcome == "reject"
    assert decide(policy(), [effect(-0.1, 0.2), guard(-0.2, 0.1)], ENOUGH, proven=True).outcome == "continue"


def test_unsound_data_block_promotion_but_not_rejection():
    assert decide(policy(), [effect(0.05, 0.07), integrity(False)], ENOUGH).outcome == "invalid"
    assert decide(policy(), [effect(-0.07, -0.05), integrity(False)], ENOUGH).outcome == "reject"


def test_doubtful_data_hold_a_winner():
    ruling = decide(policy(), [effect(0.05, 0.07), integrity(None, "more copies")], ENOUGH)

    assert (ruling.outcome, ruling.changes) == ("continue", ("more copies",))


def test_too_little_data_promote_nothing_but_harm_is_acted_upon():
    few = Amount(99, 100, "labelled pairs")

    assert decide(policy(), [effect(0.05, 0.07)], few).outcome == "continue"
    assert decide(policy(), [effect(-0.07, -0.05)], few).outcome == "reject"
    assert decide(policy(), [effect(0.05, 0.07)], few).changes == ("1 more labelled pairs",)


BOUNDS = st.tuples(st.floats(-1, 1), st.floats(0, 1)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(primary=BOUNDS, guards=st.lists(BOUNDS, max_size=3), sound=st.sampled_from([True, None, False]))
def test_nothing_is_promoted_unless_everything_was_shown(primary, guards, sound):
    findings = [effect(*primary), *(guard(*bounds, name=f"g{i}") for i, bounds in enumerate(guards))]
    ruling = decide(policy(), [*findings, integrity(sound, "doubt" if sound is None else "")], ENOUGH)

    if ruling.outcome in ("promote", "needs_approval"):
        assert primary[0] > 0
        assert sound is True
        assert all(low > -0.05 for low, _ in guards)
    if ruling.outcome == "reject":
        assert primary[1] < 0 or any(high < -0.05 for _, high in guards)


@given(primary=BOUNDS)
def test_narrowing_an_interval_around_its_middle_never_unmakes_a_verdict(primary):
    low, high = primary
    middle, half = (low + high) / 2, (high - low) / 4
    before = decide(policy(min_improvement=0.0), [effect(low, high)], ENOUGH).outcome
    after = decide(policy(min_improvement=0.0), [effect(middle - half, middle + half)], ENOUGH).outcome

    if before != "continue":
        assert after == before


def test_findings_keep_their_order_and_say_whether_they_passed():
    ruling = decide(policy(), [effect(0.05, 0.07), guard(-0.2, 0.1), integrity(True)], ENOUGH)

    assert [(f.name, f.passed) for f in ruling.findings] == [
        ("accuracy", True),
        ("revenue", None),
        ("sample ratio", True),
    ]
    assert ruling.findings[1].repair == "revenue: an interval above -0.05"
