"""The verdict in one sentence, read by somebody who knows no statistics."""

import math

import msgspec
import pytest
from reports_making import holdout, regression, shadow, split_invalid, split_rejected

from flows.reports.decision import decision_report
from flows.reports.evidence import TracePoint
from flows.reports.verdict import expected_data, next_steps, verdict_sentence, what_would_change
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Decision, Finding


def decided(metric, outcome="promote", kind="holdout", policy=None, role="primary", passed=True, **numbers):
    decision, _ = holdout(600)
    one = Finding(name=metric, metric=metric, role=role, passed=passed, said="", n=12_000, **numbers)
    return msgspec.structs.replace(
        decision,
        outcome=outcome,
        kind=kind,
        findings=(one,),
        metrics={},
        policy=policy or PromotionPolicy(metric=metric),
    )


def test_a_promotion_says_direction_size_and_certainty():
    decision = decided("accuracy", estimate=0.012, low=0.004, high=0.02)

    assert verdict_sentence(decision) == (
        "Promote v1.4.0: on the same 12,000 held-out rows it is right 1.2 points more often than v1.3.0 "
        "(95% sure of at least 0.4 points)."
    )


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("auc", "puts the right case first 1.2 points more often (AUC)"),
        ("mae", "is off by 12% less on average (MAE)"),
        ("rmse", "has a typical error that is 12% smaller (RMSE)"),
        ("log_loss", "states probabilities whose log loss is 12% smaller"),
        ("revenue", "is 12% better on revenue"),
        ("error_rate", "fails 1.2 points less often"),
        ("latency_ms", "answers 0.012 ms faster"),
    ],
)
def test_every_metric_has_its_own_words(metric, said):
    decision = decided(
        metric, estimate=0.012, low=0.004, high=0.02, champion=0.1, lift=0.12, lift_low=0.04, lift_high=0.2
    )

    assert said in verdict_sentence(decision)


def test_the_confidence_is_that_of_the_policy():
    policy = PromotionPolicy(metric="accuracy", alpha=0.01)

    assert "99% sure" in verdict_sentence(decided("accuracy", policy=policy, estimate=0.012, low=0.004, high=0.02))


def test_a_non_inferior_challenger_is_not_called_better():
    policy = PromotionPolicy(metric="accuracy", rule="non_inferiority")
    decision = decided("accuracy", policy=policy, estimate=0.001, low=-0.003, high=0.005, threshold=-0.005)

    assert verdict_sentence(decision).endswith(
        "it is not worse than v1.3.0 on accuracy by more than 0.3 points (95% sure; 0.5 points is tolerated)."
    )


def test_an_open_question_says_both_ends():
    decision, _ = shadow()

    said = verdict_sentence(decision)

    assert said.startswith("Keep watching: it is open whether v1.4.0 is better than v1.3.0. So far,")
    assert "worse to" in said
    assert "better is possible (95% sure)" in said


def test_a_better_challenger_that_waits_for_a_guardrail_is_told_apart():
    decision, _ = holdout(600)
    open_guard = Finding(name="brier", metric="brier", role="guardrail", passed=None, said="")
    primary = Finding(
        name="accuracy", metric="accuracy", role="primary", passed=True, said="", estimate=0.1, low=0.05, n=600
    )
    decision = msgspec.structs.replace(decision, outcome="continue", findings=(primary, open_guard))

    assert "it is not yet sure that Brier score stays within the margin" in verdict_sentence(decision)


def test_a_rejection_names_the_guardrail_in_its_own_unit_and_what_it_does_not_make_up_for():
    assert verdict_sentence(split_rejected()[0]) == (
        "Reject v2.1.0: with callers split between both (36,961 labelled requests) it answers 12 ms slower than "
        "v2.0.1 (95% sure of at least 11 ms; only 5 ms is tolerated). That it is 3.1% better on revenue does not make "
        "up for this."
    )


def test_a_rejection_for_harm_to_the_goal_comes_before_that_for_a_guardrail():
    decision, _ = split_rejected()
    worse = Finding(
        name="revenue", metric="revenue", role="primary", passed=False, said="", estimate=-2.0, low=-3.0, high=-1.0, n=9
    )
    decision = msgspec.structs.replace(decision, findings=(decision.findings[1], worse))

    assert "it is 2 worse on revenue than v2.0.1" in verdict_sentence(decision)


def test_an_untrustworthy_comparison_says_why_without_a_p_value():
    said = verdict_sentence(split_invalid()[0])

    assert said == (
        "No verdict on v2.1.0: this comparison cannot be trusted. "
        "52.1% of 37012 requests went to the challenger instead of 50%."
    )


def test_people_are_told_why_they_are_asked():
    said = verdict_sentence(regression()[0])

    assert said.startswith("Your decision is needed: on the same 5,000 held-out rows v3.2.0 is off by")
    assert "less than the 15% improvement that the policy asks for to promote it by itself" in said


@pytest.mark.parametrize("outcome", ["promote", "needs_approval", "continue", "reject", "invalid"])
def test_without_numbers_the_headline_is_all_there_is(outcome):
    decision = msgspec.structs.replace(holdout(600)[0], outcome=outcome, findings=(), headline="only 3 rows")

    assert "nly 3 rows." in verdict_sentence(decision)


@pytest.mark.parametrize("outcome", ["promote", "needs_approval", "continue", "reject", "invalid"])
@pytest.mark.parametrize("kind", ["holdout", "shadow", "split"])
def test_every_outcome_has_a_next_step(outcome, kind):
    decision = msgspec.structs.replace(holdout(600)[0], outcome=outcome, kind=kind)

    assert all("MODEL" not in step for step in next_steps(decision))
    assert next_steps(decision)


def test_what_would_change_is_said_in_units_that_people_use():
    decision, _ = shadow()

    accuracy, brier = what_would_change(decision)

    assert accuracy.startswith("accuracy: it must be surely better; today")
    assert brier.startswith("Brier score: it must be surely less than 0.0005 worse; today")


def test_the_waiting_time_follows_the_pace_of_the_last_looks():
    decision, _ = shadow()
    trace = tuple(TracePoint(at=day * 86_400.0, n=100 * day, estimate=0, low=-1, high=1) for day in range(10))

    assert expected_data(decision, trace).endswith("at the present pace that takes 43 days.")


def test_no_waiting_time_is_made_up():
    decision, _ = shadow()
    unknown = msgspec.structs.replace(decision, more_needed=None)

    assert expected_data(decision) == "About 4,300 labelled requests more, if the effect stays as it is."
    assert expected_data(unknown).startswith("Unknown")


def test_a_guardrail_declared_as_a_share_is_said_as_a_share():
    policy = PromotionPolicy(metric="accuracy", guardrails=(Guardrail(metric="latency_ms", margin=0.1),))
    decision = decided(
        "latency_ms",
        outcome="reject",
        policy=policy,
        role="guardrail",
        passed=False,
        estimate=-6.0,
        low=-8.0,
        high=-4.0,
        champion=20.0,
        lift=-0.3,
        lift_low=-0.4,
        lift_high=-0.2,
        threshold=-2.0,
    )

    assert "answers 30% slower than v1.3.0 (95% sure of at least 20%; only 10% is tolerated)" in verdict_sentence(
        decision
    )


def test_infinite_bounds_are_no_certainty():
    decision: Decision = decided("accuracy", estimate=0.012, low=-math.inf, high=math.inf)

    assert "shows no harm against v1.3.0 so far" in verdict_sentence(decision)


def test_two_files_are_not_told_to_be_approved_or_rolled_out():
    decision, evidence = holdout()
    of_two_files = msgspec.structs.replace(decision, model="predictions", champion="a.parquet", challenger="b.parquet")
    page = decision_report(of_two_files, evidence)

    assert next_steps(of_two_files) == [
        "Nothing was moved: these are files. Put the challenger into service the way you do."
    ]
    assert "given in two files" in page
    assert "understudy approve" not in page
    assert "learned from" not in page.replace("no model should have learned from", "")
