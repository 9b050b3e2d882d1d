"""Two tables compared, as a report: no model, no rules, no history."""

from flows.detection.judging.report import DriftReport
from flows.detection.showing.features import lines
from flows.detection.showing.sides import sides
from flows.detection.univariate.profile import ReferenceProfile
from flows.detection.univariate.tables import Columns
from flows.reports.drift.content import DriftContent


def tables_content(
    title: str, reference_name: str, reference: ReferenceProfile | Columns, current: Columns, report: DriftReport
) -> DriftContent:
    """
    Fill a report.

    Args:
        title: What is compared, e.g. the name of the newer table.
        reference_name: What it is compared with.
        reference, current: Where distributions are taken from.
        report: What was found.
    """
    moved = [feature.name for feature in report.features if feature.drifted]
    return DriftContent(
        model=title,
        champion=reference_name,
        at=None,
        colour="wait" if moved or not report.enough else "good",
        headline=report.said,
        recommendation=_advice(report),
        severity="Drift" if moved else "No drift" if report.enough else "Not enough data",
        confidence=None,
        drift_type="data" if moved else "none" if report.enough else "unknown",
        rows=report.rows,
        reference_rows=report.reference_rows,
        features=lines(report.features),
        question=f"What changed from {reference_name} to {title}?",
        distributions=sides(reference, current, [*moved, *(f.name for f in report.features if not f.drifted)]),
    )


def _advice(report: DriftReport) -> str:
    if not report.enough:
        return "wait for more rows"
    return "look at what moved; whether it hurts, labels say" if report.drifted else "nothing to do"
