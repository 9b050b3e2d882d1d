"""The checklist: eleven points, each with evidence; nothing that is not known counts as done."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.rollout.gate.checklist import Facts, checklist
from flows.rollout.gate.page import page
from registry.approval import gate_state
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.verdict import Decision, Finding
from registry.records.version import Feature, ModelVersion, TrainingData

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_version(**changes):
    fields = {
        "model": "churn",
        "version": "v1.1.0",
        "task": "binary",
        "target": "left",
        "features": (Feature(name="x", kind="numeric"),),
        "algorithm": "xgboost",
        "params": {"refit": True},
        "metrics": {"auc": 0.81, "loss": 0.12},
        "data": TrainingData(rows=9000, start=None, end=NOON, source="t", fingerprint="f", new_rows=1200),
        "artifact_digest": "a" * 64,
        "parity": 9e-13,
        "serving": "compiled",
        "experiment": "run-7",
        "created_at": NOON,
        "actor": "test",
        "reason": "test",
    }
    return ModelVersion(**fields | changes)


def a_decision(outcome="promote"):
    finding = Finding(name="auc", passed=True, said="up", estimate=0.02, low=0.01, high=0.03, role="primary")
    return Decision(
        id="d-1",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        kind="holdout",
        outcome=outcome,
        headline="It is better.",
        findings=(finding,),
        policy=PromotionPolicy(metric="auc"),
        created_at=NOON,
    )


def a_rollout(*shares, **changes):
    fields = {
        "id": "r-0001",
        "model": "churn",
        "champion": "v1.0.0",
        "challenger": "v1.1.0",
        "steps": tuple(Step(share=share, min_s=0, max_s=1) for share in shares or (0, 100_000, 1_000_000)),
        "policy": PromotionPolicy(metric="auc"),
        "salt": "churn.r-0001",
        "status": "waiting_approval",
        "step_started_at": NOON,
        "created_at": NOON,
    }
    return Rollout(**fields | changes)


def facts(*signed, rollout=None, **changes):
    rollout = rollout or a_rollout()
    rows = [
        {"role": role, "actor": who, "reason": "read it", "at": NOON, "decision_digest": "d"} for who, role in signed
    ]
    known = {
        "rollout": rollout,
        "version": a_version(),
        "state": gate_state(rollout, "d", rows),
        "decision": a_decision(),
        "checks": (7, 7),
        "validated": True,
        "quarantined": 0,
        "contract": "quarantine",
        "addresses": 2,
        "monitor": True,
    }
    return Facts(**known | changes)


def test_a_challenger_of_which_everything_is_known_has_eleven_points():
    found = checklist(facts(("ann", "ml_lead"), ("bob", "business_owner")))

    assert [point.done for point in found] == [True] * 11
    said = [point.evidence for point in found]
    assert said[0] == "9,000 rows until 2026-03-01 12:00, 1,200 of them new; contract checked, 0 rows quarantined"
    assert said[1] == "scored by machine code; parity 9e-13 to the fitted pipeline"
    assert said[5] == "verdict promote; auc +0.02 [+0.01, +0.03]"
    assert said[6] == "validation of v1.1.0: 7 of 7 checks passed"
    assert said[8] == "ann as ml_lead, bob as business_owner"
    assert said[9] == "strategy custom: shadow -> 10 % -> 100 %"
    assert said[10] == "2 addresses (notify.urls), monitor deployment active"


CASES = [
    (0, {"contract": "off"}, None),
    (0, {"quarantined": None}, None),
    (1, {"version": a_version(parity=0.01)}, False),
    (2, {"version": a_version(params={"refit": False})}, False),
    (2, {"version": a_version(params={})}, None),
    (3, {"version": a_version(metrics={})}, False),
    (4, {"decision": None}, False),
    (4, {"decision": None, "version": a_version(baseline_metrics={"auc": 0.8})}, True),
    (5, {"decision": None}, None),
    (5, {"decision": a_decision("needs_approval")}, None),
    (5, {"decision": a_decision("invalid")}, False),
    (6, {"checks": None, "validated": None}, None),
    (6, {"checks": (6, 7), "validated": False}, False),
    (7, {"version": a_version(artifact_deleted_at=NOON)}, False),
    (8, {}, False),
    (9, {"rollout": a_rollout(1_000_000)}, False),
    (10, {"addresses": 0}, False),
    (10, {"monitor": None}, None),
    (10, {"monitor": False}, False),
]


@pytest.mark.parametrize(("index", "changes", "done"), CASES)
def test_what_is_missing_or_not_known_is_said(index, changes, done):
    point = checklist(facts(**changes))[index]

    assert point.done is done
    assert point.evidence


def test_nobody_has_to_sign_where_the_policy_asks_nobody():
    free = a_rollout(policy=PromotionPolicy(metric="auc", require_approval=False), status="running")

    assert checklist(facts(rollout=free))[8].done is True


def test_every_point_answers_in_words():
    answers = {point.answer for point in checklist(facts(monitor=None))}

    assert answers == {"yes", "no", "not known"}


def test_names_of_people_do_not_break_the_page():
    rollout = a_rollout()
    rows = [
        {"role": "ml_lead", "actor": "a|b", "reason": "<b>x\ny", "at": NOON, "decision_digest": "d"},
    ]
    state = gate_state(rollout, "d", rows)
    told = page(rollout, state, a_decision(), checklist(facts(rollout=rollout)), Path("reports"))

    assert "a\\|b, 2026-03-01 12:00: &lt;b>x y" in told
    assert [f"{n}. **" in told for n in range(1, 13)] == [True] * 11 + [False]
