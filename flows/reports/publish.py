"""Keep a decision where people and programs find it."""

import logging
from pathlib import Path

import msgspec

from flows.reports.evidence import Evidence
from flows.reports.page import keep, report_file
from registry.home import Settings
from registry.records.verdict import Decision

_LOG = logging.getLogger(__name__)


def publish_decision(settings: Settings, decision: Decision, evidence: Evidence | None = None) -> Decision:
    """
    Write the report and the canonical JSON beside it, and note in the decision where it is.

    A report is never worth a decision: if the disk is full, or it cannot be rendered, neither
    file is there, the reason is logged, and the decision comes back without a report.

    Args:
        settings: Say where reports are kept.
        decision: What was concluded.
        evidence: Rows and history behind it, for the pictures.
    """
    file = report_file(settings, decision.model, decision.id)
    named = msgspec.structs.replace(decision, report=f"{file.parent.name}/{file.name}")
    try:
        _write(file, named, evidence)
    except Exception as error:  # noqa: BLE001  a rollback must not wait for a picture
        _LOG.warning("Decision %s has no report: %s: %s", decision.id, type(error).__name__, error)
        return decision
    return named


def _write(file: Path, decision: Decision, evidence: Evidence | None) -> None:
    document = canonical(decision)
    keep({file.with_name(f"{file.stem}.json"): document, file: _rendered(decision, evidence).encode()})


def _rendered(decision: Decision, evidence: Evidence | None) -> str:
    from flows.reports.decision import decision_report

    try:
        return decision_report(decision, evidence)
    except Exception as error:
        if evidence is None:
            raise
        _LOG.warning("The report of %s has no pictures: %s: %s", decision.id, type(error).__name__, error)
        return decision_report(decision)


def canonical(decision: Decision) -> bytes:
    """The bytes of which `Decision.digest` is the SHA-256, if all its numbers are finite."""
    raw = decision.to_json()
    try:
        return Decision.from_json(raw).to_json()
    except msgspec.ValidationError:
        return raw
