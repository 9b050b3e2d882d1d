"""Exit codes that carry a finding."""

import msgspec
import pytest
from cli_making import NOON

from flows.cli import check, compare
from flows.detection.fusion.decision import RetrainDecision
from flows.detection.judging.report import DriftReport
from flows.detection.look import Look
from flows.detection.watch import Watched
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Decision


def look(**changes):
    fields = {
        "triggered": False,
        "investigate": False,
        "severity": "LOW",
        "confidence": 0.0,
        "drift_type": "none",
        "rule": None,
        "trigger": None,
        "causes": (),
        "affected_features": (),
        "recommendation": "monitor",
        "undecided": (),
        "evidence": {},
    }
    report = DriftReport(reference_rows=1, rows=1, enough=True, said="0 of 1 features drifted")
    return Look(model="churn", at=NOON, champion="v1.0.0", decision=RetrainDecision(**fields | changes), drift=report)


@pytest.mark.parametrize(
    ("changes", "verdict", "code"),
    [
        ({}, "fit", 0),
        ({"investigate": True}, "investigate", 1),
        ({"triggered": True, "investigate": True}, "retrain", 1),
        ({"undecided": ("error rises",)}, "not enough data", 1),
        ({"undecided": ("error rises",), "triggered": True}, "retrain", 1),
        ({"triggered": True, "severity": "MEDIUM"}, "retrain", 1),
        ({"triggered": True, "severity": "HIGH"}, "retrain", 4),
        ({"triggered": True, "severity": "CRITICAL"}, "retrain", 5),
    ],
)
def test_only_a_model_known_to_be_fit_passes_the_check(understudy, monkeypatch, changes, verdict, code):
    monkeypatch.setattr(check, "look_at", lambda model, at: Watched(look(**changes), None))
    answer = understudy("check", "churn")

    assert answer.code == code
    assert verdict in answer.out
    assert understudy("check", "churn", "--json").json["decision"]["triggered"] is changes.get("triggered", False)


@pytest.mark.parametrize(
    ("outcome", "code"), [("promote", 0), ("needs_approval", 1), ("reject", 1), ("continue", 1), ("invalid", 1)]
)
def test_only_a_challenger_to_be_promoted_passes_the_comparison(furnished, monkeypatch, outcome, code):
    found = Decision(
        id="d-1",
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        kind="holdout",
        outcome=outcome,
        headline="It is what it is.",
        findings=(),
        policy=PromotionPolicy(metric="auc"),
        created_at=NOON,
    )
    monkeypatch.setattr(compare, "run_flow", lambda *_, **__: msgspec.to_builtins(found))
    answer = furnished("compare", "churn")

    assert answer.code == code
    assert "It is what it is." in answer.out
    assert furnished("compare", "churn", "--json").json["outcome"] == outcome
