"""Verdicts on live requests."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from flows.comparison.groups import GroupRows
from flows.comparison.live import compare_live, decide_live, live_case
from flows.errors import NotEnoughData
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.rollout import Rollout, Step

AT = datetime(2026, 1, 1, tzinfo=UTC)


def rollout(share: int, **policy) -> Rollout:
    return Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=share, min_s=0, max_s=10, min_labelled=50),),
        policy=PromotionPolicy(metric="accuracy", min_labelled=50, **policy),
        salt="s",
        step=0,
        step_started_at=AT,
        created_at=AT,
    )


def judged(plan: Rollout, **phase):
    metrics = ModelMetrics(
        model="m", epoch=2, phases=(PhaseMetrics(phase="r-0001.0", first_epoch=2, last_epoch=2, **phase),)
    )
    return compare_live(model="m", rollout=plan, metrics=metrics, task="binary", decision_id="d", at=AT)


def shadow(lost: int, won: int, *, pairs: int = 1000, scored: int | None = None) -> dict[str, ShadowMetrics]:
    seen = pairs if scored is None else scored
    return {
        "v1.1.0": ShadowMetrics(
            version="v1.1.0",
            copies=pairs,
            scored=seen,
            dropped={"lag": pairs - seen} if pairs > seen else {},
            pairs=seen,
            champion_only_right=lost,
            challenger_only_right=won,
            loss_difference=Moments(n=seen, mean=(won - lost) / pairs, m2=seen * 0.1),
        )
    }


@pytest.mark.parametrize(("lost", "won", "outcome"), [(10, 60, "promote"), (60, 10, "reject"), (30, 34, "continue")])
def test_discordant_pairs_in_shadow_decide(lost, won, outcome):
    champion = {"champion": arm(1000, 0.1)}

    assert judged(rollout(0), shadows=shadow(lost, won), variants=champion).outcome == outcome


def test_a_small_gain_in_shadow_asks_people_unless_its_size_was_approved_on_the_holdout():
    seen = {"shadows": shadow(20, 60, pairs=2000), "variants": {"champion": arm(2000, 0.1)}}
    proven = msgspec.structs.replace(rollout(0), proven=True)

    assert judged(rollout(0), **seen).outcome == "needs_approval"
    assert judged(proven, **seen).outcome == "promote"


def test_a_shadow_that_lost_many_copies_decides_nothing():
    decision = judged(rollout(0), shadows=shadow(10, 60, scored=500))

    assert decision.outcome == "continue"
    assert "500 of 1000 copies scored" in decision.headline


def test_a_champion_that_watches_itself_shows_the_noise_and_decides_nothing():
    plain, itself = shadow(10, 60), ShadowMetrics(version="v1.0.0", copies=1000, scored=1000, flips=20)
    champion = {"champion": arm(1000, 0.1)}

    without = judged(rollout(0), shadows=plain, variants=champion)
    decision = judged(rollout(0), shadows=plain | {"v1.0.0": itself}, variants=champion)

    told = [finding for finding in decision.findings if finding.name == "noise"]
    assert [finding for finding in decision.findings if finding not in told] == list(without.findings)
    assert (decision.outcome, decision.headline) == (without.outcome, without.headline)
    assert told[0].said.startswith("the champion beside itself: 2.00% of another class, score +0, at most 0 apart")


def test_too_few_labelled_pairs_decide_nothing():
    assert judged(rollout(0), shadows=shadow(0, 20, pairs=40)).outcome == "continue"


def arm(n: int, loss: float, assigned: int | None = None, **more) -> VariantMetrics:
    right = Moments(n=n, mean=1 - loss, m2=n * loss * (1 - loss))
    lost = Moments(n=n, mean=loss, m2=n * 0.05)
    return VariantMetrics(version="v1.0.0", assigned=assigned or n, served=n, loss=lost, correct=right, **more)


def test_a_canary_that_is_surely_worse_is_rejected_and_a_harmless_one_goes_on():
    weights = {"champion": 500_000, "challenger": 500_000}
    bad = {"champion": arm(500, 0.1), "challenger": arm(500, 0.3)}
    same = {"champion": arm(500, 0.1), "challenger": arm(500, 0.1)}
    plan, proven = rollout(500_000), msgspec.structs.replace(rollout(500_000), proven=True)

    assert judged(plan, variants=bad, weights=weights).outcome == "reject"
    assert judged(proven, variants=bad, weights=weights).outcome == "reject"
    assert judged(proven, variants=same, weights=weights).outcome == "promote"
    assert judged(plan, variants=same, weights=weights).outcome == "continue"


def keyed(n: int, loss: float, visits: int) -> VariantMetrics:
    """As *arm*, but every caller came *visits* times, and always with the same luck."""
    keys = n // visits
    right = UnitMoments(n=keys, mean_x=visits, mean_y=visits * (1 - loss), m2_y=keys * visits**2 * loss * (1 - loss))
    return arm(n, loss, units={"correct": right})


def test_callers_who_come_back_are_one_piece_of_evidence_each():
    weights = {"champion": 500_000, "challenger": 500_000}

    once = {"champion": keyed(900, 0.1, 1), "challenger": keyed(900, 0.2, 1)}
    often = {"champion": keyed(900, 0.1, 10), "challenger": keyed(900, 0.2, 10)}

    assert judged(rollout(500_000), variants=once, weights=weights).outcome == "reject"
    assert judged(rollout(500_000), variants=often, weights=weights).outcome == "continue"


def test_a_sample_ratio_mismatch_blocks_promotion_but_not_rejection():
    weights = {"champion": 500_000, "challenger": 500_000}
    skewed = {"champion": arm(500, 0.1, 900), "challenger": arm(500, 0.1, 500)}
    skewed_and_bad = {"champion": arm(500, 0.1, 900), "challenger": arm(500, 0.3, 500)}

    assert judged(rollout(500_000), variants=skewed, weights=weights).outcome == "invalid"
    assert judged(rollout(500_000), variants=skewed_and_bad, weights=weights).outcome == "reject"


def test_a_sample_ratio_mismatch_is_told_before_labels_are_waited_for():
    weights = {"champion": 500_000, "challenger": 500_000}
    skewed = {"champion": arm(10, 0.1, 900), "challenger": arm(10, 0.1, 500)}

    assert judged(rollout(500_000), variants=skewed, weights=weights).outcome == "invalid"


def test_a_step_without_traffic_is_no_verdict():
    with pytest.raises(NotEnoughData, match="no traffic yet"):
        compare_live(
            model="m",
            rollout=rollout(0),
            metrics=ModelMetrics(model="m", epoch=1),
            task="binary",
            decision_id="d",
            at=AT,
        )


def test_labels_that_arrive_less_often_for_one_arm_hold_a_promotion():
    weights = {"champion": 500_000, "challenger": 500_000}
    plan = msgspec.structs.replace(rollout(500_000), proven=True)
    lacking = {"champion": arm(900, 0.1, 1000), "challenger": arm(600, 0.1, 1000)}
    decision = judged(plan, variants=lacking, weights=weights)

    assert decision.outcome == "continue"
    assert "champion 90.0%, challenger 60.0%" in decision.headline


def test_phases_that_add_up_to_another_story_are_told():
    weights = {"champion": 500_000, "challenger": 500_000}
    plan = msgspec.structs.replace(rollout(500_000), steps=rollout(0).steps * 2, step=1, proven=True)
    phases = [
        ("r-0001.0", {"champion": arm(9000, 0.1), "challenger": arm(1000, 0.1)}),
        ("r-0001.1", {"champion": arm(5000, 0.5), "challenger": arm(5000, 0.5)}),
    ]
    found = [
        PhaseMetrics(phase=name, first_epoch=2, last_epoch=2, variants=variants, weights=weights)
        for name, variants in phases
    ]
    metrics = ModelMetrics(model="m", epoch=2, phases=tuple(found))
    plan = msgspec.structs.replace(
        plan, steps=(Step(share=100_000, min_s=0, max_s=1), Step(share=500_000, min_s=0, max_s=1))
    )
    decision = compare_live(model="m", rollout=plan, metrics=metrics, task="binary", decision_id="d", at=AT)
    told = next(f for f in decision.findings if f.name == "phases added up")

    assert told.passed is None
    assert "every phase is judged by itself" in told.said


def rows(n: int, right: float, *, seed: int) -> GroupRows:
    dice = np.random.default_rng(seed)
    labels = (dice.random(n) < 0.5).astype(float)
    scores = np.where(dice.random(n) < right, labels, 1 - labels)
    return GroupRows(labels=labels, scores=scores, times=np.sort(dice.random(n)))


def test_a_split_with_planned_looks_is_judged_at_these_however_often_it_is_asked():
    plan = rollout(500_000, method="group_sequential", horizon=4000, looks=4, spending="pocock", min_improvement=0.01)
    phase = PhaseMetrics(
        phase="r-0001.0",
        first_epoch=2,
        last_epoch=2,
        variants={"champion": arm(700, 0.2), "challenger": arm(700, 0.1)},
        weights={"champion": 500_000, "challenger": 500_000},
    )
    metrics = ModelMetrics(model="m", epoch=2, phases=(phase,))
    seen = {"model": "m", "rollout": plan, "metrics": metrics, "task": "binary", "decision_id": "d", "at": AT}

    def at(n: int):
        arms = {"champion": rows(n, 0.8, seed=1), "challenger": rows(n, 0.9, seed=2)}
        return decide_live(live_case(**seen, arms=arms))

    assert at(700).outcome == "promote"
    assert "look 1 of 4" in at(700).findings[0].said
    assert at(400).outcome == "continue"
    assert "the first look is planned at 1000 rows; there are 800" in at(400).findings[0].said


GUARDS = (
    Guardrail(metric="latency_ms", margin=0.5, slack=10.0),
    Guardrail(metric="error_rate", margin=0.02, relative=False),
)


def answered(n: int, *, latency: float, failed: int = 0) -> VariantMetrics:
    return arm(
        n,
        0.1,
        latency_ms=Moments(n=n, mean=latency, m2=n * 0.01 * latency**2),
        fallbacks={"late": failed} if failed else {},
    )


@pytest.mark.parametrize(
    ("latency", "failed", "outcome"),
    [(0.2, 0, "promote"), (30.0, 0, "reject"), (0.2, 3, "continue"), (0.2, 60, "reject")],
    ids=["a thread hop later", "30 ms", "a few failures", "many failures"],
)
def test_the_usual_guardrails_let_a_healthy_challenger_on_and_a_sick_one_not(latency, failed, outcome):
    plan = msgspec.structs.replace(rollout(100_000, guardrails=GUARDS), proven=True)
    arms = {"champion": answered(2700, latency=0.07), "challenger": answered(300, latency=latency, failed=failed)}
    weights = {"champion": 900_000, "challenger": 100_000}

    assert judged(plan, variants=arms, weights=weights).outcome == outcome
