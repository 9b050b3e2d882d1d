"""Decisions and drift reports are kept as they were concluded."""

from datetime import timedelta

import pytest
from registry_making import NOON, a_decision

from registry.errors import AlreadyExists, InvalidRecord, NotFound
from registry.records.verdict import Finding


def test_a_decision_is_read_back_as_it_was(registry):
    decision = a_decision(metrics={"champion": {"auc": 0.8}})
    registry.save_decision(decision)

    assert registry.decision("d-1") == decision
    assert registry.decision("d-1").digest() == decision.digest()


def test_saving_the_same_decision_again_changes_nothing(registry):
    registry.save_decision(a_decision())
    registry.save_decision(a_decision())

    assert len(registry.decisions()) == len(registry.audit()) == 1


def test_another_decision_with_the_same_id_is_refused(registry):
    registry.save_decision(a_decision())

    with pytest.raises(AlreadyExists, match="d-1 was not stored"):
        registry.save_decision(a_decision(outcome="reject"))
    assert registry.decision("d-1").outcome == "promote"


def test_decisions_come_newest_first(registry):
    for name, model in (("d-1", "churn"), ("d-2", "price"), ("d-3", "churn")):
        registry.save_decision(a_decision(name, model=model))

    assert [d.id for d in registry.decisions()] == ["d-3", "d-2", "d-1"]
    assert [d.id for d in registry.decisions("churn")] == ["d-3", "d-1"]


def test_an_unknown_decision_is_refused(registry):
    registry.save_decision(a_decision())

    with pytest.raises(NotFound, match=r"no decision 'd-9'\. Why: Newest: d-1"):
        registry.decision("d-9")


def test_a_metric_that_is_not_a_number_is_refused(registry):
    with pytest.raises(InvalidRecord, match="numbers must be finite"):
        registry.save_decision(a_decision(metrics={"champion": {"auc": float("nan")}}))


def test_a_finding_may_have_no_number(registry):
    unknown = Finding(name="auc", passed=None, said="too few", estimate=float("nan"))
    registry.save_decision(a_decision(findings=(unknown,)))

    assert registry.decision("d-1").findings[0].estimate is None


def test_drift_reports_come_newest_first_with_their_moment(registry):
    for day in range(3):
        report = {"detected": day > 0, "score": 0.1 * day, "worst": float("nan")}
        registry.save_drift_report("churn", NOON + timedelta(days=day), report)

    reports = registry.drift_reports("churn", limit=2)
    assert [one["at"] for one in reports] == ["2026-03-03T12:00:00Z", "2026-03-02T12:00:00Z"]
    assert reports[0] == {"detected": True, "score": 0.2, "worst": None, "at": "2026-03-03T12:00:00Z"}
    assert registry.drift_reports("price") == []
