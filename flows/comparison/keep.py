"""Judge a case, keep what it rests on, and write its report."""

import logging

import msgspec

from flows.comparison.cases import Case, case_folder, judge_case, save_case
from flows.comparison.evidence import group_evidence, holdout_evidence
from flows.comparison.groups import GroupCase
from flows.comparison.rows import HoldoutCase
from flows.reports.decision import publish_decision
from flows.reports.evidence import Evidence
from flows.tracking.tracker import Tracker
from registry.home import Settings
from registry.records.verdict import Decision

_log = logging.getLogger(__name__)


def keep(settings: Settings, case: Case, evidence: Evidence | None = None) -> Decision:
    """
    Decide, and leave behind inputs and report.

    A full disk costs inputs and report, never the decision: it may be a rollback.

    Args:
        settings: Where the state folder is.
        case: Everything the decision rests on.
        evidence: What the report draws; made of the case where it has rows.

    Raises:
        DataError: If model or decision have a name that leads out of the state folder.
    """
    decision = judge_case(case)
    case_folder(settings, case.model, case.decision_id)
    told = _reported(settings, case, decision, evidence)
    Tracker.of(settings, case.model).note_decision(told)
    return told


def _reported(settings: Settings, case: Case, decision: Decision, evidence: Evidence | None) -> Decision:
    try:
        decision = msgspec.structs.replace(decision, inputs=save_case(settings, case))
        return publish_decision(settings, decision, evidence or _drawn(case))
    except Exception as error:  # noqa: BLE001  a rollback waits for nothing
        _log.warning("decision %s has no report: %s: %s", decision.id, type(error).__name__, error)
        return decision


def _drawn(case: Case) -> Evidence | None:
    if isinstance(case, HoldoutCase):
        return holdout_evidence(case) if case.rows.n else None
    return group_evidence(case) if isinstance(case, GroupCase) else None
