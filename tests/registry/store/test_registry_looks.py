"""Past looks: read back as time series, from as little as needed; old ones go when somebody asks for it."""

from datetime import UTC, datetime, timedelta

import pytest
from registry_making import NOON
from sqlalchemy import text

from registry.errors import InvalidRecord
from registry.records.history import PastLook

DAY = timedelta(days=1)
WHO = {"actor": "ann", "reason": "keep 2d", "at": NOON}


def a_report(day: int = 0, *, triggered: bool = False, enough: bool = True) -> dict[str, object]:
    """As a look at a model stores it, with more than a history needs."""
    age = {"name": "age", "kind": "numeric", "n": 1000, "enough": enough, "drifted": day > 0, "findings": ["x"]}
    plan = {"name": "plan", "kind": "categorical", "n": 1000, "enough": True, "psi": 0.01, "statistic": 0.02}
    return {
        "model": "churn",
        "champion": "v1.0.0",
        "decision": {
            "triggered": triggered,
            "severity": "HIGH" if triggered else "LOW",
            "drift_type": "data",
            "rule": "any drift",
            "evidence": {"error": 0.2 + 0.1 * day, "error_increase": None, "rows": 1000.0},
            "causes": ["something"],
        },
        "drift": {
            "rows": 1000,
            "enough": True,
            "said": "...",
            "features": [age | {"psi": 0.1 * day, "statistic": 0.05 * day, "adjusted": 0.5}, plan],
        },
        "event_id": None,
        "held_back": None,
        "of a later release": {"deep": [1, 2, 3]},
    }


@pytest.fixture
def watched(registry):
    for day in range(4):
        registry.save_drift_report("churn", NOON + day * DAY, a_report(day, triggered=day == 3))
    registry.save_drift_report("price", NOON, a_report())
    return registry


def test_a_history_is_newest_first_with_severity_error_and_every_feature(watched):
    newest, *older = watched.drift_history("churn")

    assert newest.at == datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert (newest.severity, newest.triggered, newest.error) == ("HIGH", True, pytest.approx(0.5))
    assert newest.drifted == ("age",)
    assert newest.features["age"].psi == pytest.approx(0.3)
    assert set(newest.features) == {"age", "plan"}
    assert [one.at.day for one in older] == [3, 2, 1]


def test_one_feature_since_a_moment_is_a_time_series(watched):
    found = watched.drift_history("churn", "age", since=NOON + 2 * DAY)

    assert [one.features["age"].statistic for one in found] == pytest.approx([0.15, 0.1])
    assert all(set(one.features) == {"age"} for one in found)
    assert watched.drift_history("churn", "nothing")[0].features == {}
    assert len(watched.drift_history("churn", limit=2)) == 2


def test_a_feature_with_too_few_values_has_no_numbers(registry):
    registry.save_drift_report("churn", NOON, a_report(1, enough=False))

    point = registry.drift_history("churn")[0].features["age"]

    assert (point.enough, point.psi, point.statistic, point.adjusted) == (False, None, None, None)


def test_a_report_of_another_release_still_has_its_moment(registry):
    registry.save_drift_report("churn", NOON, {"detected": True})

    assert registry.drift_history("churn") == [PastLook(at=NOON)]


def test_a_report_that_was_altered_is_refused(registry):
    registry.save_drift_report("churn", NOON, a_report())
    with registry._writes() as connection:
        connection.execute(text("UPDATE drift_reports SET report = '{\"drift\": 3}'"))

    with pytest.raises(InvalidRecord, match="stored drift report cannot be read"):
        registry.drift_history("churn")


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"before": NOON + 2 * DAY}, [4, 3]),
        ({"keep": 1}, [4]),
        ({"before": NOON + DAY, "keep": 2}, [4, 3]),
        ({"keep": 9}, [4, 3, 2, 1]),
        ({}, [4, 3, 2, 1]),
    ],
)
def test_pruning_removes_by_age_and_by_count_and_of_no_other_model(watched, limits, kept):
    foreseen = watched.prune_drift_reports("churn", **WHO, **limits, dry_run=True)
    assert len(watched.drift_history("churn")) == 4

    removed = watched.prune_drift_reports("churn", **WHO, **limits)

    assert removed == foreseen == 4 - len(kept)
    assert [one.at.day for one in watched.drift_history("churn")] == kept
    assert len(watched.drift_history("price")) == 1


def test_pruning_leaves_a_line_in_the_audit_trail_and_a_dry_run_none(watched):
    watched.prune_drift_reports("churn", **WHO, keep=1, dry_run=True)
    assert watched.audit() == []

    watched.prune_drift_reports("churn", **WHO, keep=1)
    watched.prune_drift_reports("churn", **WHO, keep=1)

    (entry,) = watched.audit()
    assert (entry.actor, entry.action, entry.reason) == ("ann", "history.pruned", "keep 2d")
    assert entry.after == {"removed": 3, "before": None, "kept": 1}
