"""A look at a model, as an HTML report."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from flows.config.conditions import METRICS
from flows.detection.fusion.harm import recoverable
from flows.detection.look import Look
from flows.detection.performance.records import Performance
from flows.detection.showing.features import lines
from flows.detection.showing.sides import sides
from flows.detection.showing.words import headline
from flows.detection.standard import Kept
from flows.detection.streams.error_trend import ErrorTrend
from flows.detection.univariate.tables import columns
from flows.reports.drift.content import Colour, DriftContent, ErrorPoint, Mark, Metric, Past
from registry.records.history import PastLook

_COLOURS: dict[str, Colour] = {"LOW": "good", "MEDIUM": "wait", "HIGH": "bad", "CRITICAL": "bad"}


def look_content(
    look: Look,
    kept: Kept,
    window: pl.DataFrame,
    history: Sequence[PastLook] = (),
    baseline: float | None = None,
) -> DriftContent:
    """
    Fill a report.

    Args:
        look: What was found.
        kept: By the champion; it has the reference's distributions, and the features' importance.
        window: Rows that were looked at.
        history: Earlier looks.
        baseline: The champion's mean loss on its holdout.
    """
    decision = look.decision
    affected = decision.affected_features or tuple(one.name for one in look.drift.features)
    return DriftContent(
        model=look.model,
        champion=look.champion,
        at=look.at,
        colour=_COLOURS[decision.severity],
        headline=headline(look),
        recommendation=decision.recommendation,
        severity=decision.severity,
        confidence=decision.confidence,
        drift_type=decision.drift_type,
        summary=tuple(_summary(look)),
        causes=decision.causes,
        undecided=decision.undecided,
        rows=look.drift.rows,
        reference_rows=look.drift.reference_rows,
        features=lines(look.drift.features, kept.standard.importance),
        distributions=sides(kept.reference, columns(window), affected),
        history=(*map(_past, history), _now(look)),
        errors=_errors(look),
        marks=_marks(look.errors),
        baseline=baseline,
        metrics=tuple(Metric(n, v, METRICS.get(n, "KPI")) for n, v in sorted(decision.evidence.items())),
    )


def _summary(look: Look) -> list[str]:
    decision, said = look.decision, [look.drift.said]
    if decision.harm is not None and decision.basis in ("labels", "unlabelled"):
        on = "labelled rows" if decision.basis == "labels" else "inputs alone, as labels are missing"
        said.append(f"A refit would lose about {recoverable(decision.harm):.1%} less than now, judged by {on}")
    said += _beside(look)
    if look.joint is not None and look.joint.drifted:
        said.append(look.joint.said)
    said += [look.errors.said] if look.errors is not None and look.errors.marks else []
    said += _quality(look.performance)
    if look.season is not None and look.season.enough and look.season is not look.drift:
        said.append(f"Against what the season lets expect: {look.season.said}")
    return said


def _beside(look: Look) -> list[str]:
    found = {"The champion's scores": look.drift.score_drift, "The labels": look.drift.label_drift}
    return [
        f"{what} drifted: D = {one.statistic:.3f}, PSI = {one.psi:.2f}"
        for what, one in found.items()
        if one is not None and one.drifted
    ]


def _quality(found: Performance | None) -> list[str]:
    return [] if found is None else [found.said, *found.findings]


def _past(look: PastLook) -> Past:
    psi = {name: one.psi for name, one in look.features.items() if one.psi is not None}
    return Past(look.at.timestamp(), look.severity or "", psi, frozenset(look.drifted))


def _now(look: Look) -> Past:
    features = look.drift.features
    psi = {one.name: one.psi for one in features if one.enough}
    return Past(look.at.timestamp(), look.decision.severity, psi, frozenset(f.name for f in features if f.drifted))


def _errors(look: Look) -> tuple[ErrorPoint, ...]:
    windows = look.errors.windows if look.errors is not None else ()
    return tuple(ErrorPoint(at, one.mean, one.low, one.high) for at, one in zip(look.error_times, windows, strict=True))


def _marks(found: ErrorTrend | None) -> tuple[Mark, ...]:
    marks = found.marks if found is not None else ()
    return tuple(Mark(_seconds(one.time), one.detector) for one in marks if one.kind == "rise" and one.time)


def _seconds(moment: datetime) -> float:
    return moment.astimezone(UTC).timestamp()
