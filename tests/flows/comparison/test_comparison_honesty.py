"""What must never be promoted, and what must be seen as it is."""

import dataclasses
from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.comparison.cases import judge_case, load_case, recompute, save_case
from flows.comparison.decide import Amount, Ruling, decide, shown
from flows.comparison.frames import compare_frame
from flows.comparison.groups import GroupCase, GroupRows, compare_groups, group_rows
from flows.comparison.holdout import compare_holdout
from flows.comparison.keep import keep
from flows.comparison.live import decide_live, live_case
from flows.comparison.margins import champion_factor
from flows.comparison.metrics import loss_scale
from flows.comparison.outlook import more_needed, power_reached
from flows.errors import DataError
from registry.errors import InvalidRecord
from registry.home import Settings
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.verdict import Decision, Finding

AT = datetime(2026, 1, 1, tzinfo=UTC)
EVEN = {"champion": 500_000, "challenger": 500_000}


def rollout(share: int, *, proven: bool = False, **policy) -> Rollout:
    return Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=share, min_s=0, max_s=10, min_labelled=50),),
        policy=PromotionPolicy(**({"metric": "accuracy", "min_labelled": 50} | policy)),
        salt="s",
        step=0,
        step_started_at=AT,
        created_at=AT,
        proven=proven,
    )


def case_of(plan: Rollout, *, arms=None, **phase):
    found = PhaseMetrics(phase="r-0001.0", first_epoch=2, last_epoch=2, **phase)
    metrics = ModelMetrics(model="m", epoch=2, phases=(found,))
    return live_case(model="m", rollout=plan, metrics=metrics, task="binary", decision_id="d", at=AT, arms=arms)


def judged(plan: Rollout, **phase) -> Decision:
    return decide_live(case_of(plan, **phase))


def arm(n: int, right: float, **more) -> VariantMetrics:
    spread = right * (1 - right)
    correct = Moments(n=n, mean=right, m2=n * spread)
    loss = Moments(n=n, mean=1 - right, m2=n * spread)
    return VariantMetrics(version="v1.0.0", assigned=n, served=n, loss=loss, correct=correct, **more)


def watched(gain: float, *, pairs: int = 1000) -> dict[str, ShadowMetrics]:
    return {
        "v1.1.0": ShadowMetrics(
            version="v1.1.0",
            copies=pairs,
            scored=pairs,
            pairs=pairs,
            champion_only_right=30,
            challenger_only_right=30,
            loss_difference=Moments(n=pairs, mean=gain, m2=pairs * 0.01),
        )
    }


def test_a_split_without_a_champion_to_compare_with_promotes_nobody():
    alone = {"challenger": arm(500, 0.9)}

    assert judged(rollout(500_000, proven=True), variants=alone, weights=EVEN).outcome == "invalid"
    assert judged(rollout(500_000, proven=True), variants=alone).outcome != "promote"


def test_a_champion_without_labels_promotes_nobody():
    arms = {"champion": VariantMetrics(version="v1.0.0", assigned=500, served=500), "challenger": arm(500, 0.9)}

    assert judged(rollout(500_000, proven=True), variants=arms, weights=EVEN).outcome == "continue"


def test_a_few_callers_who_come_often_cannot_show_that_there_is_no_harm():
    right = UnitMoments(n=3, mean_x=100.0, mean_y=50.0, m2_x=0.0, m2_y=3 * 400.0)
    arms = {name: arm(300, 0.5, units={"correct": right}) for name in EVEN}
    decision = judged(rollout(500_000, proven=True), variants=arms, weights=EVEN)

    assert decision.outcome == "continue"
    assert "harm could not be seen yet" in decision.headline


@pytest.mark.parametrize(("theirs", "outcome"), [(1.0, "promote"), (0.0, "continue")])
def test_arms_without_variance_are_let_on_only_if_the_challenger_is_not_worse(theirs, outcome):
    arms = {"champion": arm(500, 1.0), "challenger": arm(500, theirs)}

    assert judged(rollout(500_000, proven=True), variants=arms, weights=EVEN).outcome == outcome


@pytest.mark.parametrize(("gain", "outcome"), [(0.1, "promote"), (0.0, "promote"), (-0.1, "reject")])
def test_a_shadow_looks_for_harm_only_if_the_goal_is_a_kpi(gain, outcome):
    decision = judged(rollout(0, metric="revenue"), shadows=watched(gain), variants={"champion": arm(1000, 0.9)})
    primary = next(f for f in decision.findings if f.role == "primary")

    assert decision.outcome == outcome
    assert (primary.name, primary.estimate, primary.passed) == ("revenue", None, None)
    assert not shown(decision)


def test_a_shadow_that_cannot_see_harm_yet_promotes_no_kpi():
    few = watched(0.0, pairs=60)

    assert judged(rollout(0, metric="revenue"), shadows=few, variants={"champion": arm(60, 0.9)}).outcome == "continue"


def test_before_the_first_planned_look_a_proven_challenger_is_watched_all_the_same():
    plan = rollout(500_000, proven=True, method="group_sequential", horizon=100_000)
    bad = {"champion": arm(900, 0.9), "challenger": arm(900, 0.6)}
    labels = np.tile([0.0, 1.0], 450)
    rows = {name: GroupRows(labels=labels, scores=labels, times=np.arange(900.0)) for name in EVEN}

    assert decide_live(case_of(plan, variants=bad, weights=EVEN, arms=rows)).outcome == "reject"


def test_a_relative_gain_of_auc_is_not_asked_of_a_loss():
    small = {"shadows": watched(0.004, pairs=20_000), "variants": {"champion": arm(20_000, 0.9)}}

    assert judged(rollout(0, metric="auc", min_improvement=0.02), **small).outcome == "needs_approval"
    assert judged(rollout(0, metric="auc", min_improvement=0.0), **small).outcome == "promote"
    assert judged(rollout(0, metric="brier", min_improvement=0.02), **small).outcome == "promote"


def test_the_tuning_is_that_of_the_policy_never_of_what_has_come():
    arms = {"champion": arm(20_000, 0.8), "challenger": arm(20_000, 0.815)}
    plain, planned = (
        next(
            f for f in judged(rollout(500_000, horizon=h), variants=arms, weights=EVEN).findings if f.role == "primary"
        )
        for h in (None, 40_000)
    )

    assert planned.high - planned.low < 0.9 * (plain.high - plain.low)


def test_groups_are_tuned_by_the_policy_too_so_that_each_look_has_the_same_test():
    def width(n, horizon):
        arms = {name: GroupRows(kpis={"spent": np.tile([0.0, 1.0], n // 2)}) for name in EVEN}
        found = other_rows(PromotionPolicy(metric="spent", horizon=horizon), arms).findings[0]
        return found.high - found.low

    assert width(20_000, 40_000) < 0.9 * width(20_000, None)
    assert width(400, 40_000) > 1.1 * width(400, None)


def finding_of(decision: Decision, role: str) -> Finding:
    return next(f for f in decision.findings if f.role == role)


def test_the_larger_of_policy_and_step_says_how_many_labels_are_enough():
    arms = {name: arm(60, 0.9) for name in EVEN}

    assert judged(rollout(500_000, min_labelled=70), variants=arms, weights=EVEN).changes == (
        "10 more labelled requests",
    )
    assert judged(rollout(500_000, min_labelled=2), variants=arms, weights=EVEN).headline.count("of at least") == 0


def test_a_shadow_watched_by_the_same_callers_counts_callers():
    few = UnitMoments(n=30, mean_x=1000 / 30, mean_y=2.0, m2_x=0.0, m2_y=900.0)
    seen = msgspec.structs.replace(
        watched(0.1)["v1.1.0"], challenger_only_right=90, units={"correct": few, "loss": few}
    )
    decision = judged(rollout(0), shadows={"v1.1.0": seen}, variants={"champion": arm(1000, 0.9)})

    assert finding_of(decision, "primary").n == 30
    assert decision.outcome == "continue"
    assert finding_of(judged(rollout(0, metric="brier"), shadows={"v1.1.0": seen}), "primary").n == 30


def test_pairs_are_tuned_to_the_size_that_the_policy_declares():
    seen = msgspec.structs.replace(
        watched(0.0, pairs=6000)["v1.1.0"], champion_only_right=150, challenger_only_right=210
    )

    def log_p(horizon):
        plan = rollout(0, horizon=horizon)
        return finding_of(
            judged(plan, shadows={"v1.1.0": seen}, variants={"champion": arm(6000, 0.9)}), "primary"
        ).log_p

    assert log_p(6000) < log_p(None) - 0.5


def test_what_a_shadow_says_of_the_challenger_is_in_the_unit_of_the_metric():
    seen = {"shadows": watched(0.02), "variants": {"champion": arm(1000, 0.9)}}
    brier, accuracy = (finding_of(judged(rollout(0, metric=m), **seen), "primary") for m in ("brier", "accuracy"))

    assert (brier.champion, brier.challenger) == pytest.approx((0.1, 0.08))
    assert accuracy.challenger == pytest.approx(0.9)


def test_non_inferiority_live_is_asked_at_minus_the_margin():
    arms = {"champion": arm(900, 0.9), "challenger": arm(900, 0.9)}
    plan = rollout(500_000, rule="non_inferiority", margin=0.5)

    assert finding_of(judged(plan, variants=arms, weights=EVEN), "primary").threshold == pytest.approx(-0.05)


@pytest.mark.parametrize("relative", [True, False])
def test_a_live_margin_that_is_a_share_knows_that_the_champion_is_noisy(relative):
    cost = {"outcomes": {"cost": Moments(n=900, mean=4.0, m2=900 * 16.0)}}
    arms = {name: arm(900, 0.9, **cost) for name in EVEN}
    guards = (Guardrail(metric="cost", margin=1.0 if relative else 4.0, relative=relative, direction="lower"),)
    found = finding_of(judged(rollout(500_000, guardrails=guards), variants=arms, weights=EVEN), "guardrail")

    assert found.threshold == -4.0
    assert (found.high - found.low > 1.5) is relative


# Goals and guardrails


def effect(low: float, high: float, *, role="primary", name="accuracy", log_p=-20.0, lift=1.0) -> Finding:
    return Finding(
        name=name,
        passed=None,
        said=name,
        estimate=(low + high) / 2,
        low=low,
        high=high,
        role=role,
        metric=name,
        threshold=0.0,
        log_p=log_p,
        lift=lift,
    )


ENOUGH = Amount(1000, 100, "rows")


def test_a_goal_that_is_not_measured_yet_keeps_its_share_of_alpha():
    alone, joined = PromotionPolicy(metric="accuracy"), PromotionPolicy(metric="accuracy", goals=("revenue",))
    barely = effect(0.001, 0.2, log_p=np.log(0.03))
    absent = Finding(name="revenue", passed=None, said="none", role="goal", metric="revenue")

    assert decide(alone, [barely], ENOUGH).outcome == "promote"
    assert decide(joined, [barely], ENOUGH).outcome == "continue"
    assert decide(joined, [barely, absent], ENOUGH).outcome == "continue"


def test_a_small_gain_of_a_goal_goes_to_people_also_where_the_metric_need_only_be_kept():
    policy = PromotionPolicy(metric="accuracy", rule="non_inferiority", margin=0.1, goals=("revenue",))
    open_primary = msgspec.structs.replace(effect(-0.2, 0.1, log_p=-0.1), threshold=-0.02)

    def outcome(lift):
        return decide(
            policy, [open_primary, effect(0.01, 0.02, role="goal", name="revenue", lift=lift)], ENOUGH
        ).outcome

    assert (outcome(0.01), outcome(0.06)) == ("needs_approval", "promote")


def test_a_goal_must_be_significant_whatever_the_rule_of_the_primary_metric_is():
    policy = PromotionPolicy(metric="accuracy", rule="non_inferiority", goals=("revenue",))
    open_primary = msgspec.structs.replace(effect(-0.2, 0.1, log_p=-0.1), threshold=-0.02)
    barely = effect(0.001, 0.2, role="goal", name="revenue", log_p=np.log(0.03))

    assert decide(policy, [open_primary, barely], ENOUGH).outcome == "continue"


def test_the_least_amount_is_enough():
    assert decide(PromotionPolicy(metric="accuracy"), [effect(0.1, 0.2)], Amount(100, 100, "rows")).outcome == "promote"


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "brier", "direction": "higher"},
        {"metric": "auc", "guardrails": (Guardrail(metric="latency_ms", margin=0.1, direction="higher"),)},
        {
            "metric": "cost",
            "direction": "lower",
            "guardrails": (Guardrail(metric="cost", margin=0.1, direction="higher"),),
        },
    ],
    ids=["metric", "guardrail", "each other"],
)
def test_a_direction_that_contradicts_is_refused(fields):
    with pytest.raises(InvalidRecord, match="contradicts"):
        PromotionPolicy(**fields)


def test_what_is_declared_once_holds_everywhere():
    policy = PromotionPolicy(metric="cost", direction="lower", guardrails=(Guardrail(metric="cost", margin=0.1),))

    assert policy.direction_for("cost") == "lower"
    assert (policy.direction_for("revenue"), policy.direction_for("brier")) == ("higher", "lower")


@pytest.mark.parametrize("bad", [{"metric": ""}, {"min_label_age_s": -1.0}, {"min_label_age_s": float("nan")}])
def test_a_policy_that_could_not_decide_is_refused(bad):
    with pytest.raises(InvalidRecord):
        PromotionPolicy(**({"metric": "auc"} | bad))


DICE = np.random.default_rng(11)
N = 1000
LABELS = (DICE.random(N) < 0.5).astype(float)
GOOD = np.where(DICE.random(N) < 0.9, LABELS, 1 - LABELS) * 0.6 + 0.2
POOR = np.where(DICE.random(N) < 0.7, LABELS, 1 - LABELS) * 0.6 + 0.2


def same_rows(policy: PromotionPolicy, **more) -> Decision:
    return compare_holdout(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        labels=LABELS,
        champion_scores=POOR,
        challenger_scores=GOOD,
        policy=policy,
        decision_id="d",
        at=AT,
        **more,
    )


@pytest.mark.parametrize(("metric", "outcome"), [("f1", "continue"), ("r2", "continue"), ("latency_ms", "promote")])
def test_a_guardrail_that_only_rows_can_show_does_not_pass_by_silence(metric, outcome):
    policy = PromotionPolicy(metric="accuracy", guardrails=(Guardrail(metric=metric, margin=0.1),))

    assert same_rows(policy).outcome == outcome


def other_rows(policy: PromotionPolicy, arms=None) -> Decision:
    arms = arms or {
        name: group_rows(labels=LABELS, scores=scores, keys=[f"{name}{i}" for i in range(N)])
        for name, scores in (("champion", POOR), ("challenger", GOOD))
    }
    return compare_groups(
        model="m", champion="a", challenger="b", task="binary", policy=policy, arms=arms, decision_id="d", at=AT
    )


@pytest.mark.parametrize("metric", ["revenue", "calibration", "latency_ms"])
def test_a_guardrail_that_the_groups_do_not_show_holds_a_winner(metric):
    policy = PromotionPolicy(metric="accuracy", guardrails=(Guardrail(metric=metric, margin=0.1),))
    decision = other_rows(policy)

    assert decision.outcome == "continue"
    assert other_rows(PromotionPolicy(metric="accuracy")).outcome == "promote"
    assert any(metric in change for change in decision.changes)


def test_levels_of_a_segment_know_which_way_is_better():
    policy = PromotionPolicy(metric="cost", direction="lower")
    cost = DICE.exponential(size=N), DICE.exponential(0.5, size=N)
    levels = {"land": ["ab"[i % 2] for i in range(N)]}
    arms = {
        name: GroupRows(kpis={"cost": values}, segments={"land": tuple(levels["land"])})
        for name, values in zip(EVEN, cost, strict=True)
    }
    for decision in (same_rows(policy, kpis={"cost": cost}, segments=levels), other_rows(policy, arms)):
        found = [f.estimate for f in decision.findings if f.role in ("primary", "segment")]

        assert len(found) == 3
        assert min(found) > 0


def test_a_margin_of_the_same_rows_knows_that_the_champion_is_noisy():
    spent = DICE.exponential(size=N), DICE.exponential(size=N) * 0.01
    spent = spent[0], spent[0] + spent[1]
    found = [
        finding_of(
            same_rows(
                PromotionPolicy(metric="accuracy", guardrails=(Guardrail(metric="spent", margin=m, relative=r),)),
                kpis={"spent": spent},
            ),
            "guardrail",
        )
        for m, r in ((0.5, True), (0.5, False))
    ]
    relative, absolute = (f.high - f.low for f in found)

    assert relative == pytest.approx(2 * 1.96 * 0.5 * np.std(spent[0]) / np.sqrt(N), rel=0.05)
    assert absolute < 0.05 * relative


def test_slack_is_forgiven_beyond_a_margin():
    kpis = {"spent": (np.full(N, 10.0), np.full(N, 10.0) - DICE.random(N))}
    guards = (Guardrail(metric="spent", margin=0.01, slack=slack) for slack in (0.0, 2.0))
    found = [same_rows(PromotionPolicy(metric="accuracy", guardrails=(one,)), kpis=kpis) for one in guards]

    assert [one.outcome for one in found] == ["reject", "promote"]
    assert finding_of(found[1], "guardrail").threshold == pytest.approx(-2.1)


def test_without_times_the_only_planned_look_is_that_of_today():
    policy = PromotionPolicy(metric="accuracy", method="group_sequential", horizon=2 * N, looks=5)

    assert "look 1 of 5" in other_rows(policy).findings[0].said


def test_only_a_verdict_in_favour_shows_a_goal():
    won = msgspec.structs.replace(same_rows(PromotionPolicy(metric="accuracy")), outcome="continue")

    assert not shown(won)
    assert shown(msgspec.structs.replace(won, outcome="needs_approval"))


def test_the_size_that_a_goal_must_have_is_that_of_its_own_metric():
    policy = PromotionPolicy(metric="auc", min_improvement=0.5, goals=("revenue",))
    flat = effect(-0.1, 0.1, name="auc", log_p=-0.1)

    def outcome(lift):
        return decide(policy, [flat, effect(0.1, 0.2, role="goal", name="revenue", lift=lift)], ENOUGH).outcome

    assert (outcome(0.04), outcome(0.06)) == ("needs_approval", "promote")


def test_a_margin_that_is_a_share_of_a_noisy_champion_is_not_taken_for_known():
    dice = np.random.default_rng(4)
    policy = PromotionPolicy(
        metric="won", method="fixed", horizon=400, guardrails=(Guardrail(metric="cost", margin=1.0, direction="lower"),)
    )
    passed, runs = 0, 400
    for _ in range(runs):
        arms = {
            name: GroupRows(kpis={"won": np.zeros(200), "cost": dice.gamma(4.0, size, 200)})
            for name, size in (("champion", 1.0), ("challenger", 2.0))
        }
        passed += next(f for f in other_rows(policy, arms).findings if f.metric == "cost").passed is True

    assert passed / runs <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)
    assert champion_factor(-2.0, 0.5) == 1.5


def test_groups_of_different_lengths_are_refused_with_what_and_how_many():
    arms = {name: GroupRows(labels=LABELS, scores=GOOD) for name in EVEN}
    arms["challenger"] = GroupRows(labels=LABELS, scores=GOOD[:7])

    with pytest.raises(ValueError, match=r"lengths differ in the challenger \(labels: 1000, scores: 7\)"):
        other_rows(PromotionPolicy(metric="accuracy"), arms)


def test_rows_without_a_key_are_units_of_their_own_and_of_both_groups():
    arms = {
        name: group_rows(labels=LABELS, scores=scores, keys=[None] * N)
        for name, scores in (("champion", POOR), ("challenger", GOOD))
    }

    assert next(f for f in other_rows(PromotionPolicy(metric="accuracy"), arms).findings).n == N
    assert not any("keys" in f.name for f in same_rows(PromotionPolicy(metric="accuracy"), keys=[None] * N).findings)


def test_a_covariate_does_not_let_a_fixed_plan_be_peeked_at():
    before = DICE.normal(size=N)
    arms = {
        name: GroupRows(kpis={"spent": before + gain}, covariate=before + 0.01 * DICE.normal(size=N))
        for name, gain in (("champion", 0.0), ("challenger", 1.0))
    }

    def outcome(horizon):
        return other_rows(PromotionPolicy(metric="spent", method="fixed", horizon=horizon), arms).outcome

    assert (outcome(2 * N), outcome(2 * N + 1)) == ("promote", "continue")


def test_rows_of_one_moment_are_taken_from_both_groups_alike():
    arms = {
        name: GroupRows(labels=LABELS, scores=scores, times=np.zeros(N))
        for name, scores in (("champion", POOR), ("challenger", GOOD))
    }
    found = other_rows(PromotionPolicy(metric="accuracy", method="fixed", horizon=N), arms).findings[0]

    assert (found.n, found.passed) == (N // 2, True)


def test_the_bootstrap_of_many_rows_takes_blocks_and_says_the_same(monkeypatch):
    policy = PromotionPolicy(metric="accuracy", guardrails=(Guardrail(metric="calibration", margin=0.5),))
    keys = [f"k{i // 2}" for i in range(N)]

    def found(blocks):
        monkeypatch.setattr("flows.comparison.paired_tests._BLOCKS", blocks)
        return next(f for f in same_rows(policy, keys=keys).findings if f.metric == "calibration")

    assert found(300).high - found(300).low == pytest.approx(found(20_000).high - found(20_000).low, rel=0.2)


def test_a_table_with_few_effective_keys_claims_nothing_at_any_time():
    heavy = np.repeat(np.arange(60), np.where(np.arange(60) < 4, 400, 1))
    table = pl.DataFrame(
        {"arm": np.where(heavy % 2 == 0, "champion", "challenger"), "customer": heavy, "gain": 3.0 * (heavy % 2)}
    ).with_columns(gain=pl.col("gain") + pl.Series(DICE.normal(size=heavy.size)))
    by_key = compare_frame(table, variant="arm", metrics=["gain"], key="customer").results
    by_row = compare_frame(table, variant="arm", metrics=["gain"], key=None).results

    assert (by_key.always_low[0], by_key.always_high[0], by_key.always_p[0]) == (-np.inf, np.inf, 1.0)
    assert by_row.always_p[0] < 1e-6


# What is kept


@pytest.fixture
def settings():
    return Settings().prepare()


def planned_case(n: int = 900):
    plan = rollout(500_000, method="group_sequential", horizon=1000, looks=4)
    labels = DICE.integers(0, 2, n).astype(float)
    rows = {
        name: GroupRows(
            labels=labels, scores=np.clip(labels, 0.2, 0.8), keys=tuple(map(str, range(n))), times=np.arange(n)
        )
        for name in EVEN
    }
    return case_of(plan, variants={name: arm(n, 0.9) for name in EVEN}, weights=EVEN, arms=rows)


def empty_arm() -> GroupCase:
    return GroupCase(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        policy=PromotionPolicy(metric="revenue"),
        decision_id="d",
        at=AT,
        arms={
            "champion": GroupRows(kpis={"revenue": np.arange(9.0)}, keys=("ä\0",) * 9, segments={"s": ("x",) * 9}),
            "challenger": GroupRows(kpis={"revenue": np.zeros(0)}, segments={"s": ()}),
        },
    )


@pytest.mark.parametrize("make", [planned_case, empty_arm])
def test_planned_looks_and_empty_arms_are_computed_again_byte_for_byte(settings, make):
    kept = keep(settings, make())
    again = recompute(settings, Decision.from_json(kept.to_json()))

    assert kept.inputs is not None
    assert again.same, again.changed


def test_live_arms_are_named_in_the_order_in_which_they_came(settings):
    arms = {"champion": arm(900, 0.9), "challenger": arm(900, 0.9)}
    kept = keep(settings, case_of(rollout(500_000), variants=arms, weights=EVEN))

    assert recompute(settings, Decision.from_json(kept.to_json())).same
    assert "champion 100.0%, challenger 100.0%" in next(f.said for f in kept.findings if f.name == "label rates")


def test_the_same_case_is_kept_once(settings):
    save_case(settings, empty_arm())
    save_case(settings, empty_arm())

    assert [one.name for one in (settings.decisions_dir / "m").iterdir()] == ["d"]


@pytest.mark.parametrize("name", ["../d", "a/b", "", ".", "..", ".d", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(settings, name):
    with pytest.raises(DataError, match="has no folder"):
        keep(settings, dataclasses.replace(empty_arm(), decision_id=name))


def test_two_writers_of_one_id_both_keep_what_their_decision_rests_on(settings):
    first = keep(settings, planned_case())
    second = keep(settings, planned_case(800))

    assert recompute(settings, first).same
    assert recompute(settings, second).same
    assert not list((settings.decisions_dir / "m").glob(".*"))


def test_a_writer_that_is_killed_leaves_the_case_that_was_there(settings, monkeypatch):
    case = empty_arm()
    digest = save_case(settings, case)
    monkeypatch.setattr(pl.DataFrame, "write_parquet", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        save_case(settings, planned_case())

    assert judge_case(load_case(settings, "m", "d")) == judge_case(case)
    monkeypatch.undo()
    assert save_case(settings, case) == digest


def test_a_report_that_cannot_be_made_does_not_cost_the_decision(settings, monkeypatch):
    monkeypatch.setattr("flows.comparison.keep._drawn", lambda _: 1 / 0)
    case = empty_arm()

    assert keep(settings, case).outcome == judge_case(case).outcome


def test_a_number_that_is_none_reaches_no_decision():
    broken = msgspec.structs.replace(arm(500, 0.9), latency_ms=Moments(n=5, mean=float("nan"), m2=1.0))
    guards = (Guardrail(metric="latency_ms", margin=0.5),)
    arms = {"champion": arm(500, 0.9), "challenger": broken}
    decision = judged(rollout(500_000, guardrails=guards), variants=arms, weights=EVEN)

    assert Decision.from_json(decision.to_json()) == decision
    assert decision.outcome != "promote"


# Outlook


def open_effect(estimate: float, half: float, **more) -> Finding:
    found = effect(estimate - half, estimate + half)
    return msgspec.structs.replace(found, estimate=estimate, passed=None, champion=0.8, **more)


@given(estimate=st.floats(1e-300, 1), half=st.floats(1e-12, 1), n=st.integers(1, 10**7))
def test_the_closer_to_its_bar_the_more_is_needed_and_never_a_number_without_end(estimate, half, n):
    def needed(size):
        return more_needed(Ruling("continue", "", (open_effect(size, half),)), n, 1)

    here, nearer = needed(estimate), needed(estimate / 2)

    assert here is None or 0 <= here < 2**63
    assert nearer is None or (here is not None and here <= nearer)


def test_what_is_still_needed_is_that_of_the_slowest_and_at_least_the_minimum():
    findings = (open_effect(0.01, 0.02), open_effect(0.01, 0.03, role="guardrail", threshold=0.0))

    assert more_needed(Ruling("continue", "", findings), 100, 50) == 800
    assert more_needed(Ruling("continue", "", findings[:1]), 100, 1000) == 900
    assert more_needed(Ruling("continue", "", (findings[0], open_effect(-0.1, 0.2))), 100, 50) is None
    assert more_needed(Ruling("promote", "", findings), 100, 50) is None


@given(half=st.floats(1e-9, 10), least=st.floats(1e-6, 10))
def test_power_is_a_chance_and_grows_with_the_data(half, least):
    policy = PromotionPolicy(metric="accuracy", min_improvement=least)
    wide, narrow = (power_reached(open_effect(0.0, size), policy) for size in (half, half / 2))

    assert 0 <= wide <= narrow <= 1
    assert power_reached(open_effect(0.0, half, always_valid=True), policy) is None


def test_power_is_that_of_a_z_test():
    error = 0.01
    found = power_reached(open_effect(0.0, 1.959964 * error), PromotionPolicy(metric="accuracy", min_improvement=0.035))

    assert found == pytest.approx(0.79954, abs=1e-4)  # 0.035 * 0.8 = 2.8 standard errors: Phi(2.8 - 1.96)


def test_squared_errors_become_their_root_and_their_share():
    dice = np.random.default_rng(1)
    y = dice.normal(size=N)
    old, new = y + dice.normal(size=N), y + 0.8 * dice.normal(size=N)
    for metric in ("rmse", "r2"):
        found = compare_holdout(
            model="m",
            champion="v1.0.0",
            challenger="v1.1.0",
            task="regression",
            labels=y,
            champion_scores=old,
            challenger_scores=new,
            policy=PromotionPolicy(metric=metric),
            decision_id="d",
            at=AT,
        ).findings[0]
        sign = 1 if metric == "r2" else -1

        assert found.estimate == pytest.approx(sign * (found.challenger - found.champion))
        assert found.low < found.estimate < found.high


@pytest.mark.parametrize(
    ("metric", "value", "loss"), [("auc", 0.8, 0.2), ("brier", 0.1, 0.1), ("r2", -0.5, 1.5), ("revenue", -3.0, 3.0)]
)
def test_a_margin_is_a_share_of_the_loss_behind_a_metric(metric, value, loss):
    assert loss_scale(metric, value) == pytest.approx(loss)


@pytest.mark.parametrize("judge", [same_rows, other_rows])
def test_non_inferiority_is_asked_at_minus_the_margin(judge):
    found = judge(PromotionPolicy(metric="accuracy", rule="non_inferiority", margin=0.1)).findings[0]

    assert found.threshold == pytest.approx(-0.1 * (1 - found.champion))
